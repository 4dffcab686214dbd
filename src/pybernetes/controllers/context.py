"""What every controller is given: the client, shared informers, time, chance, events and settings."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from pybernetes.client import Client
from pybernetes.informers import Informer, Informers, Loop, Queue, Recorder
from pybernetes.informers import metrics as queue_metrics
from pybernetes.kits import prometheus
from pybernetes.kits.chance import Chance
from pybernetes.kits.clock import Clock


class Controller(Protocol):
    """Registers with informers when made; works from `run` until cancelled."""

    async def run(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a cluster decides about its controllers; the defaults are upstream's. Durations in seconds.

    - `workers`: how many of its objects a controller looks at at a time, by name, where not as many as usual.
    - `ca`: the certificates, in PEM, that clients inside the cluster trust the API server by.
    - `sign_token(claims)`: a signed service-account token; without it, token Secrets are not filled.
    - `signing_certificate`, `signing_key`: what CertificateSigningRequests are signed with, in PEM; `signing_duration`
      is how long such certificates last at most. Without a key nothing is signed.
    - `legacy_token_unused`: token Secrets of old are invalid when they were not used for this long.
    - `node_eviction_rate`, `secondary_node_eviction_rate`: nodes of a zone that lose their pods per second, the latter
      in zones of more than `large_cluster_size_threshold` nodes of which a share of `unhealthy_zone_threshold` is lost.
    - `cluster_cidr`: the pods' addresses; empty: nodes get no ranges from us.
    - `load_balancer_pool`: what Services of type LoadBalancer get addresses from (see `loadbalancer.pool`).
    """

    workers: Mapping[str, int] = field(default_factory=dict)
    ca: bytes = b""
    sign_token: Callable[[Mapping[str, Any]], str] | None = None
    token_issuer: str = "kubernetes/serviceaccount"
    legacy_tokens: bool = False
    legacy_token_unused: float = 365 * 86400.0
    signing_certificate: bytes = b""
    signing_key: bytes = b""
    signing_duration: float = 365 * 86400.0
    cluster_cidr: str = ""
    max_endpoints_per_slice: int = 100
    load_balancer_pool: tuple[str, ...] = ()
    node_cidr_mask_size: int = 24
    node_monitor_grace_period: float = 50.0
    node_startup_grace_period: float = 60.0
    node_eviction_rate: float = 0.1
    secondary_node_eviction_rate: float = 0.01
    large_cluster_size_threshold: int = 50
    unhealthy_zone_threshold: float = 0.55
    terminated_pod_threshold: int = 12500
    concurrent_horizontal_pod_autoscaler_syncs: int = 5
    horizontal_pod_autoscaler_sync_period: float = 15.0
    horizontal_pod_autoscaler_downscale_stabilization: float = 300.0
    horizontal_pod_autoscaler_tolerance: float = 0.1
    horizontal_pod_autoscaler_cpu_initialization_period: float = 300.0
    horizontal_pod_autoscaler_initial_readiness_delay: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Shared by all controllers of a process. `recorder(component)` makes the events of one component; `queues` are
    those that were made, `counted` is where controllers put what counts for them, for metrics."""

    client: Client
    informers: Informers
    clock: Clock
    chance: Chance
    recorder: Callable[[str], Recorder]
    settings: Settings = field(default_factory=Settings)
    queues: list[Queue] = field(default_factory=list)
    counted: list[Callable[[], Iterable[prometheus.Family]]] = field(default_factory=list)

    def families(self) -> Iterator[prometheus.Family]:
        """What the queues and the controllers tell in /metrics."""
        yield from queue_metrics.families(self.queues)
        for families in self.counted:
            yield from families()

    def queue(self, name: str) -> Queue:
        made = Queue(name, clock=self.clock, chance=self.chance)
        self.queues.append(made)
        return made

    async def reconcile(
        self,
        name: str,
        queue: Queue,
        reconcile: Callable[[str], Awaitable[float | None]],
        *,
        after: tuple[Informer[Any], ...],
        workers: int = 5,
    ) -> None:
        """Wait for the informers, then work on the queue until cancelled; with so many workers unless it is told."""
        await synced(*after)
        workers = self.settings.workers.get(name, workers)
        await Loop(name, queue, reconcile, workers=workers, clock=self.clock).run()


async def synced(*informers: Informer[Any]) -> None:
    """Wait until each informer has its first state."""
    await asyncio.gather(*(informer.wait_synced() for informer in informers))
