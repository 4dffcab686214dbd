"""The proxy: follows Services and EndpointSlices, and keeps the kernel's rules in line with them."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass

from pybernetes.api.types import core_v1, discovery_v1
from pybernetes.client import Client
from pybernetes.informers import Informers, join_key
from pybernetes.kits import backoff
from pybernetes.kits import chance as chances
from pybernetes.kits import clock as clocks
from pybernetes.proxy import conntrack, kernel, nftables, planner

log = logging.getLogger(__name__)

SERVICE_LABEL = "kubernetes.io/service-name"
_BY_SERVICE = "proxy-service"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """`cluster_cidr` holds all pods, as in `planner.Options`; addresses of `service_cidr` that no Service has refuse
    connections, if it is given. NodePorts answer on `node_ip`, or on all addresses of the node; `min_sync` seconds
    gather a burst of changes into one transaction."""

    node_name: str
    node_ip: str = ""
    cluster_cidr: str = "10.244.0.0/16"
    service_cidr: str = "10.96.0.0/12"
    min_sync: float = 0.01


class Proxy:
    """Construct it, await `run`, then `close`. `informers` may be shared with the kubelet of the node."""

    def __init__(
        self,
        settings: Settings,
        client: Client,
        informers: Informers,
        *,
        clock: clocks.Clock,
        chance: chances.Chance,
    ) -> None:
        self._settings, self._informers, self._clock = settings, informers, clock
        self._services = informers.of(core_v1.Service)
        self._slices = informers.of(discovery_v1.EndpointSlice)
        self._slices.add_index(_BY_SERVICE, _service_of)
        self._table = nftables.Table(service_cidr=settings.service_cidr, node_ip=settings.node_ip)
        self._dirty: set[str] = set()
        self._wanted = asyncio.Event()
        self.synced = asyncio.Event()
        # When the rules were last brought in line, and since when changes wait for that; in seconds since the epoch.
        self.updated: float = 0.0
        self.waiting_since: float | None = None
        self._options = planner.Options(node_name=settings.node_name, cluster_cidr=settings.cluster_cidr)

    async def run(self) -> None:
        """Returns only when cancelled."""
        bridged = await asyncio.to_thread(kernel.prepare)
        self._options = planner.Options(
            node_name=self._settings.node_name,
            cluster_cidr=self._settings.cluster_cidr,
            masquerade_local=not bridged,
        )
        await self._informers.start()
        await self._services.wait_synced()
        await self._slices.wait_synced()
        self._services.on_change(self._service_changed)
        self._slices.on_change(self._slice_changed)
        self._wanted.set()
        pauses = backoff.Backoff(first=0.1, cap=30.0)
        while True:
            await self._wanted.wait()
            await self._clock.sleep(self._settings.min_sync)
            self._wanted.clear()
            dirty, self._dirty = self._dirty, set()
            try:
                await self._sync(dirty)
                pauses.reset()
                self.synced.set()
                self.updated = self._clock.time()
                self.waiting_since = self.updated if self._dirty else None
            except nftables.Failed as error:
                log.error("nftables: %s", error)
                self._dirty |= dirty
                self._wanted.set()
                await self._clock.sleep(pauses.next())

    async def close(self, *, remove: bool = False) -> None:
        """With `remove`, take the rules away; without, traffic flows on."""
        if remove:
            await self._table.remove()

    async def _sync(self, dirty: set[str]) -> None:
        keys = dirty if self._table.complete else {*dirty, *map(_key, self._services.cache.list())}
        shares = {key: self._share(key) for key in sorted(keys)}
        if not shares and self._table.complete:
            return
        stale = [
            arguments for key, share in shares.items() for arguments in conntrack.stale(self._table.known(key), share)
        ]
        await self._table.apply(shares)
        for arguments in stale:
            await conntrack.forget(arguments)

    def _share(self, key: str) -> planner.Share:
        namespace, _, name = key.partition("/")
        service = self._services.cache.get(name, namespace)
        if service is None:
            return planner.Share()
        return planner.plan(service, self._slices.cache.index(_BY_SERVICE, key), self._options)

    def _service_changed(self, old: core_v1.Service | None, new: core_v1.Service | None) -> None:
        self._touch({_key(found) for found in (old, new) if found is not None})

    def _slice_changed(self, old: discovery_v1.EndpointSlice | None, new: discovery_v1.EndpointSlice | None) -> None:
        self._touch({key for found in (old, new) if found is not None for key in _service_of(found)})

    def _touch(self, keys: set[str]) -> None:
        self._dirty |= keys
        if self.waiting_since is None:
            self.waiting_since = self._clock.time()
        self._wanted.set()


def _key(service: core_v1.Service) -> str:
    return join_key(service.metadata.namespace, service.metadata.name)


def _service_of(found: discovery_v1.EndpointSlice) -> list[str]:
    name = found.metadata.labels.get(SERVICE_LABEL, "")
    return [join_key(found.metadata.namespace, name)] if name else []
