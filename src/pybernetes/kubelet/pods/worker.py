"""One pod's life on this node: a task that brings what runs in line with what is wanted, until nothing is left.

    SYNCING -----> TERMINATING -----> TERMINATED -----> FINISHED
      ^  |  deletion, end of all       |   ^   the pod object is gone
      +--+  containers, deadline       +---+   (until then it only waits)

`update`, `gone` and `wake` may be called at any time; a deletion interrupts a sync, and a shorter grace period
interrupts a termination. Every step can be repeated: it looks at the runtime first.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
import logging
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from pybernetes.api import times
from pybernetes.api.errors import StatusError
from pybernetes.api.types import core_v1
from pybernetes.client import Client
from pybernetes.informers import Recorder
from pybernetes.kits import backoff
from pybernetes.kits import chance as chances
from pybernetes.kits import clock as clocks
from pybernetes.kubelet import cgroups, objects
from pybernetes.kubelet import settings as kubelet_settings
from pybernetes.kubelet import tokens as kubelet_tokens
from pybernetes.kubelet.containers import downward, labels, sandbox
from pybernetes.kubelet.pods import actions, admission, killing, launcher, messages, removal, state
from pybernetes.kubelet.probes import prober
from pybernetes.kubelet.status import containers as container_statuses
from pybernetes.kubelet.status import phase as phases
from pybernetes.kubelet.status import pods as pod_statuses
from pybernetes.kubelet.status import writer
from pybernetes.kubelet.volumes import place as places
from pybernetes.kubelet.volumes import volumes as pod_volumes
from pybernetes.runtime import protocol

log = logging.getLogger(__name__)

DEADLINE = ("DeadlineExceeded", "Pod was active on the node longer than the specified deadline")
# Ended containers kept of each name, for their logs and last state.
KEPT = 1


class Stage(enum.Enum):
    SYNCING = "syncing"
    TERMINATING = "terminating"
    TERMINATED = "terminated"
    FINISHED = "finished"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What the workers of a kubelet share."""

    settings: kubelet_settings.Settings
    client: Client
    runtime: protocol.Runtime
    launcher: launcher.Launcher
    killer: killing.Killer
    statuses: writer.StatusWriter
    volumes: pod_volumes.Volumes
    objects: objects.Objects
    tokens: kubelet_tokens.Tokens
    recorder: Recorder
    services: Callable[[], Iterable[core_v1.Service]]
    node: Callable[[], core_v1.Node | None]
    admitted: Callable[[], Sequence[core_v1.Pod]]
    host_ips: Sequence[str]
    clock: clocks.Clock
    chance: chances.Chance


class Worker:
    """Run `run` as a task; it returns when the pod has left the node."""

    def __init__(self, pod: core_v1.Pod, tools: Tools) -> None:
        self.pod = pod
        self.stage = Stage.TERMINATING if phases.is_terminal(pod.status.phase) else Stage.SYNCING
        self.seen = state.EMPTY
        self._tools = tools
        self._wanted = asyncio.Event()
        self._wanted.set()
        self._step: asyncio.Task[Stage] | None = None
        self._watchers: set[asyncio.Event] = set()
        self._interrupted = False
        self._gone = False
        self._deleted = False
        self._volumes_due = True
        self._volume_paths: dict[str, str] = {}
        self._waiting: dict[str, container_statuses.Waiting] = {}
        self._failed: tuple[str, str] | None = None
        # What has begun here had its place already before this kubelet started.
        self._admitted = bool(pod.status.startTime)
        self._timer: clocks.Timer | None = None
        self._timer_at = 0.0
        self._renewal: clocks.Timer | None = None
        self._grace = killing.DEFAULT_GRACE
        self._retry = backoff.Backoff(first=0.5, cap=120.0)
        self._prober = prober.Prober(
            tools.runtime,
            tools.recorder,
            clock=tools.clock,
            chance=tools.chance,
            changed=self.wake,
            answer=tools.settings.probe_answer,
        )

    # What happens to it

    def update(self, pod: core_v1.Pod) -> None:
        """The pod object changed."""
        self.pod = pod
        self._volumes_due = True
        ending = bool(pod.metadata.deletionTimestamp)
        if (ending and self.stage is Stage.SYNCING) or (
            self.stage is Stage.TERMINATING and killing.pod_grace(pod) < self._grace
        ):
            self._interrupt()
        self.wake()

    def gone(self) -> None:
        """The pod object is no more: end at once what still runs."""
        self._gone = True
        if self.stage is Stage.SYNCING or (self.stage is Stage.TERMINATING and self._grace > 1):
            self._interrupt()
        self.wake()

    def wake(self) -> None:
        """Look again."""
        self._wanted.set()

    def refresh_volumes(self) -> None:
        """Content of the pod's volumes changed."""
        self._volumes_due = True
        self.wake()

    @contextlib.contextmanager
    def watched(self, changed: asyncio.Event) -> Iterator[None]:
        """While the body runs, set the event whenever the runtime has been looked at."""
        self._watchers.add(changed)
        try:
            yield
        finally:
            self._watchers.discard(changed)

    def is_running(self, container_id: str) -> bool:
        return self.stage is not Stage.FINISHED and any(found.id == container_id for found in self.seen.running())

    @property
    def takes_room(self) -> bool:
        """Whether it has a place on the node that no other pod can have."""
        return self._admitted and not self._gone and self.stage in (Stage.SYNCING, Stage.TERMINATING)

    def waiting_reason(self, container: str) -> str:
        """Why it has not started yet."""
        why = self._waiting.get(container)
        if why is not None:
            return why.reason
        return "PodInitializing" if self.pod.spec.initContainers else "ContainerCreating"

    def _interrupt(self) -> None:
        if self._step is not None and not self._step.done():
            self._interrupted = True
            self._step.cancel()

    # What it does

    async def run(self) -> None:
        try:
            while self.stage is not Stage.FINISHED:
                await self._wanted.wait()
                self._wanted.clear()
                await self._attempt()
        finally:
            for changed in self._watchers:
                changed.set()
            self._cancel_timer()
            if self._renewal is not None:
                self._renewal.cancel()
            if self._step is not None:
                self._step.cancel()
            await self._prober.close()

    async def _attempt(self) -> None:
        """One step, as a task of its own so that it can be interrupted; what fails is tried again later."""
        steps = {
            Stage.SYNCING: self._sync,
            Stage.TERMINATING: self._terminate,
            Stage.TERMINATED: self._clean_up,
        }
        name = f"{self.stage.value} {self.pod.metadata.namespace}/{self.pod.metadata.name}"
        self._interrupted = False
        self._step = asyncio.get_running_loop().create_task(steps[self.stage](), name=name)
        try:
            after = await self._step
        except asyncio.CancelledError:
            if not self._interrupted:
                raise
            if self.stage is Stage.SYNCING:
                self._to(Stage.TERMINATING)
            self.wake()
        except (places.VolumeError, protocol.Error, StatusError, ConnectionError, OSError, TimeoutError) as error:
            log.warning("%s: %s", name, error)
            self._wake_in(self._retry.next())
        else:
            self._retry.reset()
            if after is not self.stage:
                self._to(after)
                self.wake()

    def _to(self, stage: Stage) -> None:
        self.stage = stage

    def _wake_in(self, seconds: float) -> None:
        """Wake then, or earlier if that was planned."""
        at = self._tools.clock.monotonic() + seconds
        if self._timer is not None and self._timer_at <= at:
            return
        self._cancel_timer()
        self._timer_at = at
        self._timer = self._tools.clock.call_later(seconds, self._timer_fired)

    def _timer_fired(self) -> None:
        self._timer = None
        self.wake()

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def _observe(self) -> state.PodState:
        self.seen = await state.observe(self._tools.runtime, self.pod.metadata.uid)
        for changed in self._watchers:
            changed.set()
        return self.seen

    def _ip(self) -> str:
        if self.pod.spec.hostNetwork:
            return self._tools.host_ips[0] if self._tools.host_ips else ""
        ips = self.seen.ips()
        return ips[0] if ips else ""

    def _show(self, *, terminal: bool = False) -> core_v1.PodStatus:
        """Work the status out, and send it on its way."""
        tools, pod = self._tools, self.pod
        before = tools.statuses.shown(pod)
        known = [*before.initContainerStatuses, *before.containerStatuses, *before.ephemeralContainerStatuses]
        by_id = {found.id: killing.spec_of(pod, found.name) for found in self.seen.containers}
        facts = container_statuses.Facts(
            seen=self.seen,
            scheme=tools.settings.runtime_scheme,
            before={status.name: status for status in known},
            waiting={} if terminal else self._waiting,
            started=lambda found: self._prober.started(by_id.get(found), found),
            ready=lambda found: self._prober.ready(by_id.get(found), found),
            message=messages.of,
        )
        status = pod_statuses.of(
            pod,
            facts,
            before=before,
            host_ips=tools.host_ips,
            now=times.to_time(tools.clock.time()),
            terminal=terminal,
            failed=self._failed,
        )
        tools.statuses.put(pod, status)
        return status

    def _over_deadline(self, status: core_v1.PodStatus) -> bool:
        """Whether activeDeadlineSeconds have passed; otherwise wakes us when they will have."""
        limit = self.pod.spec.activeDeadlineSeconds
        if limit is None or not status.startTime:
            return False
        left = times.parse(status.startTime) + limit - self._tools.clock.time()
        if left > 0:
            self._wake_in(left)
        return left <= 0

    async def _sync(self) -> Stage:
        """Bring the runtime in line with the pod, until there is nothing to do."""
        if self._gone or self.pod.metadata.deletionTimestamp:
            return Stage.TERMINATING
        if not self._admitted and (why := await self._refusal()) is not None:
            self._failed = why.shown
            self._tools.recorder.event(self.pod, "Warning", *why)
            self._show(terminal=True)
            return Stage.TERMINATING
        await self._tools.objects.follow(self.pod)
        while True:
            seen = await self._observe()
            self._prober.follow(self.pod, seen, self._ip())
            plan = actions.compute(self.pod, seen, self._prober.verdicts())
            self._settle_waiting(plan)
            status = self._show()
            if self._over_deadline(status):
                self._failed = DEADLINE
                self._tools.recorder.event(self.pod, "Normal", *DEADLINE)
                return Stage.TERMINATING
            if phases.is_terminal(status.phase):
                return Stage.TERMINATING
            await self._prepare_volumes()
            if not await self._perform(plan, seen):
                break
        await self._collect(seen)
        return Stage.SYNCING

    async def _refusal(self) -> admission.Refusal | None:
        """Why it may not be here; from when it may, it takes its place."""
        node = self._tools.node()
        why = None if node is None else admission.refusal(self.pod, node, self._tools.admitted())
        if why is not None and node is not None:
            # What is known of the node may be old: its labels, taints and devices are others' to change.
            node = await self._tools.client.get(core_v1.Node, node.metadata.name)
            why = admission.refusal(self.pod, node, self._tools.admitted())
        self._admitted = why is None
        return why

    def _settle_waiting(self, plan: actions.Actions) -> None:
        """Forget why containers waited that need not be started any more."""
        spec = self.pod.spec
        wanted = {spec.initContainers[at].name for at in plan.start_init}
        wanted |= {spec.containers[at].name for at in plan.start}
        wanted |= {spec.ephemeralContainers[at].name for at in plan.start_ephemeral}
        self._waiting = {name: why for name, why in self._waiting.items() if name in wanted}

    def _facts(self) -> downward.Facts:
        node = self._tools.node()
        ips = tuple(self._tools.host_ips) if self.pod.spec.hostNetwork else tuple(self.seen.ips())
        return downward.Facts(
            pod_ips=ips,
            host_ips=tuple(self._tools.host_ips),
            allocatable={} if node is None else node.status.allocatable,
        )

    async def _prepare_volumes(self) -> None:
        if not self._volumes_due:
            return
        self._volumes_due = False
        try:
            self._volume_paths = await self._tools.volumes.set_up(self.pod, self._facts())
        except places.VolumeError as error:
            self._volumes_due = True
            self._tools.recorder.event(self.pod, "Warning", "FailedMount", str(error))
            raise
        renew_at = self._tools.tokens.next_renewal(self.pod.metadata.uid)
        if renew_at is not None:
            if self._renewal is not None:
                self._renewal.cancel()
            wait = max(renew_at - self._tools.clock.time(), 1.0)
            self._renewal = self._tools.clock.call_later(wait, self.refresh_volumes)

    async def _perform(self, plan: actions.Actions, seen: state.PodState) -> bool:
        """Carry the plan out; whether anything changed, so that it is worth looking again."""
        tools, pod = self._tools, self.pod
        changed = False
        if plan.kill_pod and (seen.running() or any(box.ready for box in seen.sandboxes)):
            if plan.create_sandbox and seen.sandboxes:
                about = "Pod sandbox changed, it will be killed and re-created."
                tools.recorder.event(pod, "Normal", "SandboxChanged", about)
            await tools.killer.pod(pod, seen, grace=killing.pod_grace(pod), ip=self._ip())
            changed = True
        if plan.kill_pod and not plan.create_sandbox:
            return changed
        by_id = {found.id: found for found in seen.containers}
        for kill in plan.kill:
            container = killing.spec_of(pod, kill.name)
            grace = killing.probe_grace(pod, container, kill.probe)
            await tools.killer.container(pod, by_id[kill.id], why=kill.why, grace=grace, ip=self._ip())
            changed = True
        settled = await tools.launcher.sandbox_config(pod, plan.attempt)
        sandbox_id = plan.sandbox_id
        facts = self._facts()
        if plan.create_sandbox:
            await self._forget_init_containers(seen)
            sandbox_id, ips = await tools.launcher.sandbox(pod, settled)
            changed = True
            if not pod.spec.hostNetwork:
                facts = downward.Facts(pod_ips=tuple(ips), host_ips=facts.host_ips, allocatable=facts.allocatable)
        for container in _to_start(pod, plan):
            try:
                await tools.launcher.container(
                    pod,
                    container,
                    before=seen.latest(container.name),
                    sandbox_id=sandbox_id,
                    sandbox_config=settled,
                    volume_paths=self._volume_paths,
                    services=tools.services(),
                    facts=facts,
                )
                self._waiting.pop(container.name, None)
                changed = True
            except launcher.StartFailed as error:
                why = container_statuses.Waiting(reason=error.reason, message=str(error))
                changed |= self._waiting.get(container.name) != why and error.reason == "RunContainerError"
                self._waiting[container.name] = why
                self._wake_in(max(error.wait or tools.settings.restart_backoff, 0.1))
        if self._waiting and not changed:
            self._show()
        return changed

    async def _forget_init_containers(self, seen: state.PodState) -> None:
        """A new sandbox is initialized anew."""
        names = {container.name for container in self.pod.spec.initContainers}
        for found in seen.containers:
            if found.name in names:
                await self._tools.runtime.remove_container(found.id)

    async def _collect(self, seen: state.PodState) -> None:
        """Remove ended containers and sandboxes that nobody will look at again."""
        kept: dict[str, int] = {}
        for found in seen.containers[:]:
            if found.state is protocol.ContainerState.EXITED:
                latest = seen.latest(found.name) is found
                kept[found.name] = kept.get(found.name, 0) + (not latest)
                if not latest and kept[found.name] > KEPT:
                    await self._tools.runtime.remove_container(found.id)
        used = {seen.sandboxes[0].id} if seen.sandboxes else set()
        for box in seen.sandboxes:
            if box.id not in used and not box.ready:
                await self._remove_old_sandbox(box.id)

    async def _remove_old_sandbox(self, sandbox_id: str) -> None:
        """Only when it holds no container any more: removing a sandbox removes its containers."""
        if not await self._tools.runtime.list_containers(sandbox_id=sandbox_id):
            await self._tools.runtime.stop_sandbox(sandbox_id)
            await self._tools.runtime.remove_sandbox(sandbox_id)

    async def _terminate(self) -> Stage:
        """End all containers within the grace period."""
        tools = self._tools
        self._prober.stop_except_readiness()
        seen = await self._observe()
        self._show()
        self._grace = 1.0 if self._gone else killing.pod_grace(self.pod)
        await tools.killer.pod(self.pod, seen, grace=self._grace, ip=self._ip())
        seen = await self._observe()
        if seen.running():
            raise protocol.Error("containers still run after they were stopped")
        self._prober.follow(self.pod, seen, "")
        self._show(terminal=True)
        return Stage.TERMINATED

    async def _clean_up(self) -> Stage:
        """Give everything back; once the pod is deleted, tell the API server that it may go."""
        tools, uid = self._tools, self.pod.metadata.uid
        await tools.volumes.take_down(uid)
        await asyncio.to_thread(cgroups.remove, sandbox.cgroup_parent(tools.settings, uid))
        await tools.objects.unfollow(uid)
        tools.tokens.forget(uid)
        if self.pod.metadata.deletionTimestamp and not self._deleted and not self._gone:
            await tools.statuses.flush(uid)
            await removal.remove(tools.client, self.pod)
            self._deleted = True
        if not (self._deleted or self._gone):
            return Stage.TERMINATED
        await self._remove()
        return Stage.FINISHED if self._gone else Stage.TERMINATED

    async def _remove(self) -> None:
        """Leave nothing in the runtime, and no log."""
        tools = self._tools
        for found in (await self._observe()).containers:
            await tools.runtime.remove_container(found.id)
        for box in self.seen.sandboxes:
            await tools.runtime.stop_sandbox(box.id)
            await tools.runtime.remove_sandbox(box.id)
        await asyncio.to_thread(shutil.rmtree, sandbox.log_directory(tools.settings, self.pod), ignore_errors=True)
        tools.launcher.forget(self.pod.metadata.uid)
        tools.statuses.forget(self.pod.metadata.uid)


def _to_start(pod: core_v1.Pod, plan: actions.Actions) -> list[labels.AnyContainer]:
    return [
        *(pod.spec.ephemeralContainers[at] for at in plan.start_ephemeral),
        *(pod.spec.initContainers[at] for at in plan.start_init),
        *(pod.spec.containers[at] for at in plan.start),
    ]
