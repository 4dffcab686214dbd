"""One pod's life on a simulated node, played by its script: pod and time in, status and next time out. No I/O.

The kubelet's own planner decides what starts and what is killed, and its own status code says how it looks; here
the runtime is a list of containers that change when the clock says so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from pybernetes.api import times
from pybernetes.api.types import core_v1
from pybernetes.kits import chance as chances
from pybernetes.kubelet import backoffs
from pybernetes.kubelet.containers import labels
from pybernetes.kubelet.fleet import probing
from pybernetes.kubelet.pods import actions, killing, state
from pybernetes.kubelet.status import containers as container_statuses
from pybernetes.kubelet.status import phase as phases
from pybernetes.kubelet.status import pods as pod_statuses
from pybernetes.runtime import protocol
from pybernetes.runtime.simulated import scripts

SCHEME = "simulated"
RUNNING, EXITED = protocol.ContainerState.RUNNING, protocol.ContainerState.EXITED
DEADLINE = ("DeadlineExceeded", "Pod was active on the node longer than the specified deadline")
TERMINATED, KILLED = 143, 137
# From the failure to pull an image until the pod shows that it waits before the next try.
PULL_SHOWN = 1.0
# A pod that goes through more than this at one moment has a script that never rests.
STEPS = 50

Say = Callable[[core_v1.Pod | core_v1.ObjectReference, str, str, str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What plays share. `say` takes an event: about whom, type, reason, message."""

    images: scripts.Images
    chance: chances.Chance
    restarts: backoffs.Backoffs
    pulls: backoffs.Backoffs
    say: Say
    take_address: Callable[[str], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """How the pod looks now; `wake` is when to look again (None: when something happens); `over` is for good."""

    status: core_v1.PodStatus
    wake: float | None
    over: bool


class Play:
    """`pod` is the object as last seen; call `act` whenever it or the time has changed."""

    def __init__(self, pod: core_v1.Pod, stage: Stage, *, host_ip: str, now: float) -> None:
        self.pod = pod
        self.seen = seen_in(pod.status)
        self._stage, self._host_ip = stage, host_ip
        self._shown = pod.status
        self._since = now
        self._ending: float | None = None
        self._failed: tuple[str, str] | None = None
        self._waiting: dict[str, container_statuses.Waiting] = {}
        self._scripts: dict[str, scripts.Script] = {}
        self._pull_failed: dict[str, float] = {}
        self._wake: float | None = None

    @property
    def shown(self) -> core_v1.PodStatus:
        """The status that the last look came to."""
        return self._shown

    def act(self, now: float) -> Scene:
        """Let what is due at that time happen."""
        self._wake = None
        ended = phases.is_terminal(self._shown.phase)
        if not (self.pod.metadata.deletionTimestamp or ended or self._failed):
            self._run(now)
            status = self._status(now)
            if not (phases.is_terminal(status.phase) or self._over_deadline(now)):
                return Scene(status=status, wake=self._wake, over=False)
        return self._end(now)

    def _end(self, now: float) -> Scene:
        if self._ending is None:
            self._ending = now
        grace = killing.pod_grace(self.pod)
        still = []
        for found in self.seen.running():
            script = self._script(found.name)
            until = self._ending + min(script.stop, grace)
            if until > now:
                self._wake_at(until)
                still.append(found)
            else:
                self._exit(found, now, KILLED if script.stop > grace else TERMINATED)
        if still:
            return Scene(status=self._status(now), wake=self._wake, over=False)
        self._waiting.clear()
        self.seen = state.PodState(
            sandboxes=[replace(box, ready=False) for box in self.seen.sandboxes], containers=self.seen.containers
        )
        return Scene(status=self._status(now, terminal=True), wake=None, over=True)

    # Running

    def _run(self, now: float) -> None:
        for _ in range(STEPS):
            self._exits(now)
            plan = actions.compute(self.pod, self.seen, self._verdicts(now))
            if not self._perform(plan, now):
                break
        self._plan_wake(now)

    def _perform(self, plan: actions.Actions, now: float) -> bool:
        """Carry the plan out; whether anything changed."""
        changed = False
        if plan.kill_pod:
            for found in self.seen.running():
                self._exit(found, now, TERMINATED)
                changed = True
            if not plan.create_sandbox:
                return changed
        by_id = {found.id: found for found in self.seen.containers}
        for kill in plan.kill:
            about = reference(self.pod, kill.name)
            self._stage.say(about, "Normal", "Killing", kill.why)
            self._exit(by_id[kill.id], now, TERMINATED)
            changed = True
        if plan.create_sandbox:
            self._new_sandbox(plan.attempt, now)
            changed = True
        waiting: dict[str, container_statuses.Waiting] = {}
        for container in _to_start(self.pod, plan):
            why = self._start(container, now)
            if why is None:
                changed = True
            elif why.reason:
                waiting[container.name] = why
        self._waiting = waiting
        return changed

    def _new_sandbox(self, attempt: int, now: float) -> None:
        ip = self._host_ip if self.pod.spec.hostNetwork else self._stage.take_address(self.pod.spec.nodeName)
        box = state.SandboxView(
            id=self._stage.chance.token(32).hex(), attempt=attempt, ready=True, created_at=now, ips=[ip]
        )
        kept = [found for found in self.seen.containers if not _is_init(self.pod, found.name)]
        self.seen = state.PodState(sandboxes=[box], containers=kept)

    def _start(self, container: labels.AnyContainer, now: float) -> container_statuses.Waiting | None:
        """Start it; why it cannot be now, with no reason where it is only on its way."""
        before = self.seen.latest(container.name)
        script = self._script(container.name)
        if before is not None and before.state is EXITED:
            why = self._back_off(container, before)
            if why is not None:
                return why
        if script.unpullable:
            return self._pull(container, now)
        if before is None and script.start > 0 and now < self._since + script.start:
            self._wake_at(self._since + script.start)
            return container_statuses.Waiting(reason="")
        attempt = 0 if before is None else before.attempt + 1
        made = protocol.ContainerStatus(
            id=self._stage.chance.token(32).hex(),
            name=container.name,
            attempt=attempt,
            state=RUNNING,
            created_at=now,
            started_at=now,
            image=container.image,
            image_ref=container.image,
            annotations={labels.HASH: labels.container_hash(container)},
        )
        older = [found for found in self.seen.containers if found.name != container.name or found is before]
        self.seen = state.PodState(sandboxes=self.seen.sandboxes, containers=[made, *older])
        self._stage.say(reference(self.pod, container.name), "Normal", "Started", "Container started")
        return None

    def _back_off(
        self, container: labels.AnyContainer, before: protocol.ContainerStatus
    ) -> container_statuses.Waiting | None:
        key = f"{self.pod.metadata.uid}_{container.name}_{labels.container_hash(container)}"
        wait = self._stage.restarts.remaining(key, before.finished_at)
        if wait <= 0:
            self._stage.restarts.next(key, before.finished_at)
            return None
        where = labels.shown(self.pod)
        if container.name not in self._waiting:
            message = f"Back-off restarting failed container {container.name} in pod {where}"
            self._stage.say(reference(self.pod, container.name), "Warning", "BackOff", message)
        self._wake_at(before.finished_at + self._stage.restarts.delay(key))
        delay = times.go_duration(self._stage.restarts.delay(key))
        message = f"back-off {delay} restarting failed container={container.name} pod={where}"
        return container_statuses.Waiting(reason="CrashLoopBackOff", message=message)

    def _pull(self, container: labels.AnyContainer, now: float) -> container_statuses.Waiting:
        """An image that cannot be had."""
        name = container.image
        said = f'failed to pull and unpack image "{name}": {name}: not found'
        key = f"{self.pod.metadata.uid}_{name}"
        failed = self._pull_failed.get(key)
        about = reference(self.pod, container.name)
        if failed is not None and (wait := self._stage.pulls.remaining(key, failed)) > 0:
            self._wake_at(now + wait if now >= failed + PULL_SHOWN else failed + PULL_SHOWN)
            if now < failed + PULL_SHOWN:
                return container_statuses.Waiting(reason="ErrImagePull", message=said)
            message = f'Back-off pulling image "{name}"'
            before = self._waiting.get(container.name)
            if before is None or before.reason != "ImagePullBackOff":
                self._stage.say(about, "Normal", "BackOff", message)
                self._stage.say(about, "Warning", "Failed", "Error: ImagePullBackOff")
            return container_statuses.Waiting(reason="ImagePullBackOff", message=f"{message}: ErrImagePull: {said}")
        self._stage.say(about, "Warning", "Failed", f'Failed to pull image "{name}": {said}')
        self._stage.say(about, "Warning", "Failed", "Error: ErrImagePull")
        self._stage.pulls.next(key, now)
        self._pull_failed[key] = now
        self._wake_at(now + PULL_SHOWN)
        return container_statuses.Waiting(reason="ErrImagePull", message=said)

    # Time

    def _exits(self, now: float) -> None:
        for found in self.seen.running():
            script = self._script(found.name)
            if script.run is not None and found.started_at + script.run <= now:
                self._exit(found, found.started_at + script.run, script.exit_code(found.attempt))

    def _exit(self, found: protocol.ContainerStatus, at: float, code: int) -> None:
        ended = replace(
            found, state=EXITED, finished_at=at, exit_code=code, reason="Completed" if code == 0 else "Error"
        )
        self.seen = state.PodState(
            sandboxes=self.seen.sandboxes,
            containers=[ended if other is found else other for other in self.seen.containers],
        )

    def _plan_wake(self, now: float) -> None:
        for found in self.seen.running():
            script, container = self._script(found.name), killing.spec_of(self.pod, found.name)
            if script.run is not None:
                self._wake_at(found.started_at + script.run)
            if container is not None:
                for at in probing.changes(container, script, now - found.started_at):
                    self._wake_at(found.started_at + at)
        limit = self.pod.spec.activeDeadlineSeconds
        if limit is not None:
            self._wake_at((times.parse(self._shown.startTime) if self._shown.startTime else now) + limit)

    def _wake_at(self, at: float) -> None:
        self._wake = at if self._wake is None else min(self._wake, at)

    def _over_deadline(self, now: float) -> bool:
        limit = self.pod.spec.activeDeadlineSeconds
        if limit is None or not self._shown.startTime or now < times.parse(self._shown.startTime) + limit:
            return False
        self._failed = DEADLINE
        self._stage.say(self.pod, "Normal", *DEADLINE)
        return True

    # Looks

    def _script(self, name: str) -> scripts.Script:
        found = self._scripts.get(name)
        if found is None:
            container = killing.spec_of(self.pod, name)
            found = scripts.FOREVER
            if container is not None:
                found = scripts.script_of(
                    [*container.command, *container.args],
                    image=container.image,
                    annotations=self.pod.metadata.annotations,
                    container=name,
                    images=self._stage.images,
                )
            self._scripts[name] = found
        return found

    def changed(self, pod: core_v1.Pod) -> None:
        """Take over a newer object; its annotations may script it anew."""
        if pod.metadata.annotations != self.pod.metadata.annotations or pod.spec is not self.pod.spec:
            self._scripts.clear()
        self.pod = pod

    def _verdicts(self, now: float) -> actions.Verdicts:
        liveness: dict[str, actions.Verdict] = {}
        startup: dict[str, actions.Verdict] = {}
        for found in self.seen.running():
            container, script = killing.spec_of(self.pod, found.name), self._script(found.name)
            if container is None or (container.startupProbe is None and container.livenessProbe is None):
                continue
            seconds = now - found.started_at
            if probing.is_started(container, script, seconds):
                startup[found.id] = actions.Verdict.SUCCESS
            killed = probing.killed_by(container, script)
            if killed is not None and seconds >= killed[1]:
                (startup if killed[0] == "startup" else liveness)[found.id] = actions.Verdict.FAILURE
        return actions.Verdicts(liveness=liveness, startup=startup)

    def _status(self, now: float, *, terminal: bool = False) -> core_v1.PodStatus:
        before = self._shown
        by_id = {found.id: found for found in self.seen.running()}

        def asked(question: Callable[[labels.AnyContainer, scripts.Script, float], bool], container_id: str) -> bool:
            found = by_id[container_id]
            container = killing.spec_of(self.pod, found.name)
            return container is None or question(container, self._script(found.name), now - found.started_at)

        known = [*before.initContainerStatuses, *before.containerStatuses, *before.ephemeralContainerStatuses]
        facts = container_statuses.Facts(
            seen=self.seen,
            scheme=SCHEME,
            before={status.name: status for status in known},
            waiting=self._waiting,
            started=lambda container_id: asked(probing.is_started, container_id),
            ready=lambda container_id: asked(probing.is_ready, container_id),
        )
        self._shown = pod_statuses.of(
            self.pod,
            facts,
            before=before,
            host_ips=[self._host_ip],
            now=times.to_time(now),
            terminal=terminal,
            failed=self._failed,
        )
        return self._shown


def reference(pod: core_v1.Pod, container: str) -> core_v1.ObjectReference:
    """The pod, pointing at one of its containers."""
    field = "initContainers" if _is_init(pod, container) else "containers"
    return core_v1.ObjectReference(
        apiVersion="v1",
        kind="Pod",
        name=pod.metadata.name,
        namespace=pod.metadata.namespace,
        uid=pod.metadata.uid,
        resourceVersion=pod.metadata.resourceVersion,
        fieldPath=f"spec.{field}{{{container}}}",
    )


def seen_in(status: core_v1.PodStatus) -> state.PodState:
    """What runs, as the status tells it: a pod goes on where an earlier process, or another cluster, left it."""
    found: list[protocol.ContainerStatus] = []
    for shown in [*status.containerStatuses, *status.initContainerStatuses, *status.ephemeralContainerStatuses]:
        for current in (shown.state, shown.lastState):
            made = _container(shown, current)
            if made is not None:
                found.append(made)
                break
    boxes = []
    if status.podIPs and not phases.is_terminal(status.phase):
        ips: Sequence[str] = [entry.ip for entry in status.podIPs]
        boxes = [state.SandboxView(id="restored", attempt=0, ready=True, created_at=0.0, ips=ips)]
    return state.PodState(sandboxes=boxes, containers=found)


def _container(shown: core_v1.ContainerStatus, current: core_v1.ContainerState) -> protocol.ContainerStatus | None:
    running, terminated = current.running, current.terminated
    prefix = f"{SCHEME}://"
    if running is not None:
        return protocol.ContainerStatus(
            id=shown.containerID.removeprefix(prefix),
            name=shown.name,
            attempt=shown.restartCount,
            state=RUNNING,
            created_at=_seconds(running.startedAt),
            started_at=_seconds(running.startedAt),
            image=shown.image,
            image_ref=shown.imageID,
        )
    if terminated is not None:
        return protocol.ContainerStatus(
            id=terminated.containerID.removeprefix(prefix),
            name=shown.name,
            attempt=shown.restartCount,
            state=EXITED,
            created_at=_seconds(terminated.startedAt),
            started_at=_seconds(terminated.startedAt),
            finished_at=_seconds(terminated.finishedAt),
            exit_code=terminated.exitCode,
            reason=terminated.reason,
            image=shown.image,
            image_ref=shown.imageID,
        )
    return None


def _seconds(stamp: str | None) -> float:
    return times.parse(stamp) if stamp else 0.0


def _is_init(pod: core_v1.Pod, name: str) -> bool:
    return any(container.name == name for container in pod.spec.initContainers)


def _to_start(pod: core_v1.Pod, plan: actions.Actions) -> list[labels.AnyContainer]:
    return [
        *(pod.spec.ephemeralContainers[at] for at in plan.start_ephemeral),
        *(pod.spec.initContainers[at] for at in plan.start_init),
        *(pod.spec.containers[at] for at in plan.start),
    ]
