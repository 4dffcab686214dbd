"""Probing the containers of one pod: a task per probe of every running container, and what they found.

Results are kept by container id, so that a restarted container starts without any. `changed` is called whenever a
result changes; the pod's worker then looks again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import NamedTuple

from pybernetes.api.types import core_v1
from pybernetes.informers import Recorder
from pybernetes.kits import chance as chances
from pybernetes.kits import clock as clocks
from pybernetes.kits.tasks import Tasks
from pybernetes.kubelet.containers import labels
from pybernetes.kubelet.pods import actions, restarts, state
from pybernetes.kubelet.probes import handlers
from pybernetes.runtime import protocol

KINDS = ("startup", "liveness", "readiness")
AGENT = "kube-probe/1.36"
# Upstream tries a failing probe this often before it counts.
TRIES = 3


# Whether a probe of that kind succeeds, so many seconds after the container's start.
Answer = Callable[[core_v1.Pod, labels.AnyContainer, str, float], bool]


class _Target(NamedTuple):
    kind: str
    container_id: str


def probes_of(container: labels.AnyContainer) -> Iterator[tuple[str, core_v1.Probe]]:
    found = {
        "startup": container.startupProbe,
        "liveness": container.livenessProbe,
        "readiness": container.readinessProbe,
    }
    for kind in KINDS:
        if (probe := found[kind]) is not None:
            yield kind, probe


class Prober:
    """The probes of one pod. `answer` speaks for what nobody listens behind: HTTP, TCP and gRPC of simulated pods."""

    def __init__(
        self,
        runtime: protocol.Runtime,
        recorder: Recorder,
        *,
        clock: clocks.Clock,
        chance: chances.Chance,
        changed: Callable[[], None],
        answer: Answer | None = None,
    ) -> None:
        self._answer = answer
        self._runtime, self._recorder, self._clock, self._chance = runtime, recorder, clock, chance
        self._changed = changed
        self._results: dict[_Target, actions.Verdict] = {}
        self._running: dict[_Target, asyncio.Task[None]] = {}
        self._started: set[str] = set()
        self._tasks = Tasks()
        self._pod: core_v1.Pod | None = None
        self._ip = ""

    def follow(self, pod: core_v1.Pod, seen: state.PodState, ip: str) -> None:
        """Probe what runs now, and nothing else."""
        self._pod, self._ip = pod, ip
        running = {found.id: found for found in seen.running()}
        by_name = {container.name: container for container in _probed(pod)}
        wanted: dict[_Target, tuple[labels.AnyContainer, core_v1.Probe, float]] = {}
        for found in running.values():
            container = by_name.get(found.name)
            if container is None:
                continue
            for kind, probe in probes_of(container):
                wanted[_Target(kind, found.id)] = container, probe, found.started_at
        for target in [target for target in self._running if target not in wanted]:
            self._running.pop(target).cancel()
            self._results.pop(target, None)
        for target in [target for target in self._results if target.container_id not in running]:
            del self._results[target]
        for target, (container, probe, started_at) in wanted.items():
            if target not in self._running:
                work = self._probe(target, container, probe, started_at)
                self._running[target] = self._tasks.spawn(work, name=f"{target.kind} probe {container.name}")

    def stop_except_readiness(self) -> None:
        """A pod that ends is not restarted, but still says whether it serves."""
        for target in [target for target in self._running if target.kind != "readiness"]:
            self._running.pop(target).cancel()

    def verdicts(self) -> actions.Verdicts:
        def of(kind: str) -> dict[str, actions.Verdict]:
            return {target.container_id: found for target, found in self._results.items() if target.kind == kind}

        return actions.Verdicts(liveness=of("liveness"), startup=of("startup"))

    def started(self, container: labels.AnyContainer | None, container_id: str) -> bool:
        if container is None or container.startupProbe is None:
            return True
        return self._results.get(_Target("startup", container_id)) is actions.Verdict.SUCCESS

    def ready(self, container: labels.AnyContainer | None, container_id: str) -> bool:
        if container is None or container.readinessProbe is None:
            return True
        return self._results.get(_Target("readiness", container_id)) is actions.Verdict.SUCCESS

    async def close(self) -> None:
        await self._tasks.close()

    async def _probe(
        self, target: _Target, container: labels.AnyContainer, probe: core_v1.Probe, started_at: float
    ) -> None:
        period = float(probe.periodSeconds or 10)
        delay = probe.initialDelaySeconds - (self._clock.time() - started_at)
        if delay > 0:
            await self._clock.sleep(delay)
        streak, last = 0, None
        while True:
            if target.kind == "startup" or self.started(container, target.container_id):
                if target.kind == "startup" and self._results.get(target) is actions.Verdict.SUCCESS:
                    return
                outcome = await self._try(target, container, probe, started_at)
                verdict = actions.Verdict.SUCCESS if outcome.success else actions.Verdict.FAILURE
                streak = streak + 1 if verdict is last else 1
                last = verdict
                needed = (probe.successThreshold if outcome.success else probe.failureThreshold) or 1
                if streak >= needed and self._results.get(target) is not verdict:
                    self._results[target] = verdict
                    self._changed()
                if streak >= needed and verdict is actions.Verdict.FAILURE and target.kind != "readiness":
                    # It is about to be killed; its successor has its own task.
                    return
                await self._clock.sleep(period)
            else:
                # Waiting for the startup probe: look again soon, a success must not cost a whole period.
                await self._clock.sleep(min(period, 1.0))

    async def _try(
        self, target: _Target, container: labels.AnyContainer, probe: core_v1.Probe, started_at: float
    ) -> handlers.Outcome:
        title = target.kind.capitalize()
        if self._answer is not None and probe.exec is None and self._pod is not None:
            outcome = handlers.Outcome(self._answer(self._pod, container, target.kind, self._clock.time() - started_at))
            if not outcome.success:
                self._say(container, "Unhealthy", f"{title} probe failed: as its script says")
            return outcome
        outcome = handlers.Outcome(False)
        for _ in range(TRIES):
            try:
                outcome = await self._once(target, container, probe)
            except (protocol.Error, ValueError, OSError) as error:
                outcome = handlers.Outcome(False, str(error))
                self._say(container, "Unhealthy", f"{title} probe errored and resulted in failure state: {error}")
                return outcome
            if outcome.success:
                break
        if not outcome.success:
            self._say(container, "Unhealthy", f"{title} probe failed: {outcome.output}")
        elif outcome.warning:
            self._say(container, "ProbeWarning", f"{title} probe warning: {outcome.output}")
        return outcome

    async def _once(self, target: _Target, container: labels.AnyContainer, probe: core_v1.Probe) -> handlers.Outcome:
        timeout = float(probe.timeoutSeconds or 1)
        if probe.exec is not None:
            return await handlers.run_command(self._runtime, target.container_id, probe.exec.command, timeout=timeout)
        if (http := probe.httpGet) is not None:
            port = handlers.port_number(http.port, container)
            return await handlers.get_http(http, self._ip, port, timeout=timeout, agent=AGENT)
        if (tcp := probe.tcpSocket) is not None:
            port = handlers.port_number(tcp.port, container)
            return await handlers.open_tcp(tcp.host or self._ip, port, timeout=timeout, clock=self._clock)
        if (grpc := probe.grpc) is not None:
            return await handlers.check_grpc(self._ip, grpc.port, grpc.service or "", timeout=timeout)
        raise ValueError("missing probe handler")

    def _say(self, container: labels.AnyContainer, reason: str, message: str) -> None:
        if self._pod is not None:
            self._recorder.event(reference(self._pod, container), "Warning", reason, message)


def _probed(pod: core_v1.Pod) -> list[labels.AnyContainer]:
    return [*(c for c in pod.spec.initContainers if restarts.is_sidecar(c)), *pod.spec.containers]


def reference(pod: core_v1.Pod, container: labels.AnyContainer) -> core_v1.ObjectReference:
    """The pod, pointing at one of its containers: what container events are about."""
    name = container.name
    if any(found.name == name for found in pod.spec.initContainers):
        path = f"spec.initContainers{{{name}}}"
    elif any(found.name == name for found in pod.spec.ephemeralContainers):
        path = f"spec.ephemeralContainers{{{name}}}"
    else:
        path = f"spec.containers{{{name}}}"
    return core_v1.ObjectReference(
        apiVersion="v1",
        kind="Pod",
        name=pod.metadata.name,
        namespace=pod.metadata.namespace,
        uid=pod.metadata.uid,
        resourceVersion=pod.metadata.resourceVersion,
        fieldPath=path,
    )
