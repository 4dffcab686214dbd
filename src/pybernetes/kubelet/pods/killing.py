"""Ending containers gracefully: the preStop hook, the stop signal, and the order among a pod's containers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable

from pybernetes.api.types import core_v1
from pybernetes.informers import Recorder
from pybernetes.kits import clock as clocks
from pybernetes.kubelet.containers import labels
from pybernetes.kubelet.pods import lifecycle, restarts, state
from pybernetes.kubelet.probes import prober
from pybernetes.runtime import protocol

DEFAULT_GRACE = 30.0
# What is left for the container itself, however long its preStop hook took.
MIN_GRACE = 2.0


def pod_grace(pod: core_v1.Pod) -> float:
    """Seconds that the pod as a whole may take to end."""
    if pod.metadata.deletionGracePeriodSeconds is not None:
        return float(max(pod.metadata.deletionGracePeriodSeconds, 1))
    spec = pod.spec.terminationGracePeriodSeconds
    return DEFAULT_GRACE if spec is None else float(max(spec, 1))


def probe_grace(pod: core_v1.Pod, container: labels.AnyContainer | None, probe: str) -> float:
    """What a failed probe allows, where it says so itself."""
    if container is not None:
        found = {"liveness": container.livenessProbe, "startup": container.startupProbe}.get(probe)
        if found is not None and found.terminationGracePeriodSeconds is not None:
            return float(found.terminationGracePeriodSeconds)
    return pod_grace(pod)


def stages(pod: core_v1.Pod, seen: state.PodState) -> list[list[protocol.ContainerStatus]]:
    """Who is ended together, first to last: regular containers, then sidecars one by one, last started first."""
    alive = [
        found
        for found in seen.containers
        if found.state in (protocol.ContainerState.RUNNING, protocol.ContainerState.CREATED)
    ]
    sidecars = [container.name for container in pod.spec.initContainers if restarts.is_sidecar(container)]
    first = [found for found in alive if found.name not in sidecars]
    rest = [[found for found in alive if found.name == name] for name in reversed(sidecars)]
    return [stage for stage in [first, *rest] if stage]


class Killer:
    """Ends containers of pods; remembers which preStop hooks it has run, so that none runs twice."""

    def __init__(self, runtime: protocol.Runtime, recorder: Recorder, *, clock: clocks.Clock) -> None:
        self._runtime, self._recorder, self._clock = runtime, recorder, clock
        self._hooked: set[str] = set()

    async def container(
        self,
        pod: core_v1.Pod,
        found: protocol.ContainerStatus,
        *,
        why: str = "",
        grace: float,
        ip: str,
    ) -> None:
        """End one. Raises protocol.Error."""
        container = spec_of(pod, found.name)
        if container is not None and found.id not in self._hooked:
            message = why or f"Stopping container {found.name}"
            self._recorder.event(prober.reference(pod, container), "Normal", "Killing", message)
        hook = None if container is None or container.lifecycle is None else container.lifecycle.preStop
        running = found.state is protocol.ContainerState.RUNNING
        if container is not None and hook is not None and running and grace > 0 and found.id not in self._hooked:
            self._hooked.add(found.id)
            grace = await self._pre_stop(pod, container, hook, found.id, grace, ip)
        self._hooked.add(found.id)
        await self._runtime.stop_container(found.id, grace=grace)
        self._hooked.discard(found.id)

    async def _pre_stop(
        self,
        pod: core_v1.Pod,
        container: labels.AnyContainer,
        hook: core_v1.LifecycleHandler,
        container_id: str,
        grace: float,
        ip: str,
    ) -> float:
        """Run the hook; the grace that is left."""
        began = self._clock.monotonic()
        try:
            async with self._clock.timeout(grace):
                await lifecycle.run(hook, container, container_id, runtime=self._runtime, ip=ip, clock=self._clock)
        except lifecycle.HookFailed as error:
            self._recorder.event(prober.reference(pod, container), "Warning", "FailedPreStopHook", str(error))
        except TimeoutError:
            pass
        return max(grace - (self._clock.monotonic() - began), MIN_GRACE)

    async def pod(self, pod: core_v1.Pod, seen: state.PodState, *, grace: float, ip: str) -> None:
        """End all containers, then the sandboxes. Raises protocol.Error."""
        until = self._clock.monotonic() + grace
        for stage in stages(pod, seen):
            left = max(until - self._clock.monotonic(), MIN_GRACE if grace >= MIN_GRACE else grace)
            await _all(self.container(pod, found, grace=left, ip=ip) for found in stage)
        await _all(self._runtime.stop_sandbox(box.id) for box in seen.sandboxes if box.ready)


async def _all(work: Iterable[Awaitable[None]]) -> None:
    """Wait for all; the first failure is raised once none runs any more."""
    results = await asyncio.gather(*work, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result


def spec_of(pod: core_v1.Pod, name: str) -> labels.AnyContainer | None:
    everyone: list[labels.AnyContainer] = [
        *pod.spec.containers,
        *pod.spec.initContainers,
        *pod.spec.ephemeralContainers,
    ]
    return next((container for container in everyone if container.name == name), None)
