"""Container statuses as the API shows them, from what the runtime says and what was shown before. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from pybernetes.api import times
from pybernetes.api.types import core_v1
from pybernetes.kubelet.containers import labels
from pybernetes.kubelet.pods import restarts, state
from pybernetes.runtime import protocol

STATUS_UNKNOWN = "ContainerStatusUnknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Why a container could not be started."""

    reason: str
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the statuses are made from besides the spec.

    `started` and `ready` answer for a running container's id, from its probes. `message` gives the termination
    message of a container that ended.
    """

    seen: state.PodState
    scheme: str = "containerd"
    before: Mapping[str, core_v1.ContainerStatus] = field(default_factory=dict)
    waiting: Mapping[str, Waiting] = field(default_factory=dict)
    started: Callable[[str], bool] = lambda _: True
    ready: Callable[[str], bool] = lambda _: True
    message: Callable[[protocol.ContainerStatus], str] = lambda found: found.message


def statuses(
    pod: core_v1.Pod, containers: Sequence[labels.AnyContainer], facts: Facts, *, init: bool = False
) -> list[core_v1.ContainerStatus]:
    """One status per container of the spec, in its order."""
    default = "PodInitializing" if pod.spec.initContainers else "ContainerCreating"
    return [_status(pod, container, facts, default=default, init=init) for container in containers]


def _status(
    pod: core_v1.Pod, container: labels.AnyContainer, facts: Facts, *, default: str, init: bool
) -> core_v1.ContainerStatus:
    attempts = [found for found in facts.seen.containers if found.name == container.name][:2]
    before = facts.before.get(container.name)
    if not attempts:
        status = _unseen(pod, container, before, default)
    else:
        status = _seen(container, attempts[0], facts, before, init=init)
        if len(attempts) > 1:
            status.lastState = _state(attempts[1], facts, before)
        elif before is not None and before.containerID == status.containerID:
            status.lastState = before.lastState
        elif before is not None and before.state.terminated is not None:
            status.lastState = before.state
        elif before is not None:
            status.lastState = before.lastState
    why = facts.waiting.get(container.name)
    latest = attempts[0] if attempts else None
    if why is not None and restarts.should_run(pod, container, latest):
        if status.state.terminated is not None:
            status.lastState = status.state
        status.state = core_v1.ContainerState(
            waiting=core_v1.ContainerStateWaiting(reason=why.reason, message=why.message)
        )
        status.started, status.ready = False, False
    status.volumeMounts = _volume_mounts(container)
    return status


def _unseen(
    pod: core_v1.Pod, container: labels.AnyContainer, before: core_v1.ContainerStatus | None, default: str
) -> core_v1.ContainerStatus:
    """The runtime knows nothing of it: not started yet, or removed behind our back."""
    status = core_v1.ContainerStatus(
        name=container.name,
        image=container.image,
        started=False,
        state=core_v1.ContainerState(waiting=core_v1.ContainerStateWaiting(reason=default)),
    )
    if before is None:
        return status
    if before.state.terminated is not None:
        status.state, status.lastState = before.state, before.lastState
        status.containerID, status.imageID, status.image = before.containerID, before.imageID, before.image
        status.restartCount, status.ready = before.restartCount, before.ready
        return status
    status.restartCount, status.lastState = before.restartCount, before.lastState
    if before.state.running is not None and before.lastState.terminated is None:
        lost = core_v1.ContainerStateTerminated(
            reason=STATUS_UNKNOWN,
            message="The container could not be located when the pod was deleted.  The container used to be Running",
            exitCode=137,
        )
        status.lastState = core_v1.ContainerState(terminated=lost)
        status.restartCount += not pod.metadata.deletionTimestamp
    return status


def _seen(
    container: labels.AnyContainer,
    found: protocol.ContainerStatus,
    facts: Facts,
    before: core_v1.ContainerStatus | None,
    *,
    init: bool,
) -> core_v1.ContainerStatus:
    running = found.state is protocol.ContainerState.RUNNING
    started = running and facts.started(found.id)
    ready = started and facts.ready(found.id)
    if init and not restarts.is_sidecar(container):
        ready = found.state is protocol.ContainerState.EXITED and found.exit_code == 0
    return core_v1.ContainerStatus(
        name=container.name,
        image=container.image if found.image.startswith("sha256:") or not found.image else found.image,
        imageID=found.image_ref,
        containerID=f"{facts.scheme}://{found.id}",
        restartCount=state.restart_count(found),
        state=_state(found, facts, before),
        started=started,
        ready=ready,
        allocatedResources=dict(container.resources.requests),
        resources=container.resources,
    )


def _state(
    found: protocol.ContainerStatus, facts: Facts, before: core_v1.ContainerStatus | None
) -> core_v1.ContainerState:
    match found.state:
        case protocol.ContainerState.RUNNING:
            running = core_v1.ContainerStateRunning(startedAt=times.to_time(found.started_at))
            return core_v1.ContainerState(running=running)
        case protocol.ContainerState.EXITED:
            if (known := _shown_before(f"{facts.scheme}://{found.id}", before)) is not None:
                return core_v1.ContainerState(terminated=known)
            terminated = core_v1.ContainerStateTerminated(
                exitCode=found.exit_code,
                reason=found.reason,
                message=facts.message(found),
                startedAt=times.to_time(found.started_at) if found.started_at else None,
                finishedAt=times.to_time(found.finished_at) if found.finished_at else None,
                containerID=f"{facts.scheme}://{found.id}",
            )
            return core_v1.ContainerState(terminated=terminated)
        case protocol.ContainerState.UNKNOWN if before is not None and before.state.running is not None:
            lost = core_v1.ContainerStateTerminated(
                reason=STATUS_UNKNOWN,
                message="The container could not be located when the pod was terminated",
                exitCode=137,
            )
            return core_v1.ContainerState(terminated=lost)
    return core_v1.ContainerState(waiting=core_v1.ContainerStateWaiting())


def _shown_before(container_id: str, before: core_v1.ContainerStatus | None) -> core_v1.ContainerStateTerminated | None:
    """An end that was shown once does not change, even when its message file is gone by now."""
    if before is None:
        return None
    for known in (before.state.terminated, before.lastState.terminated):
        if known is not None and known.containerID == container_id:
            return known
    return None


def _volume_mounts(container: labels.AnyContainer) -> list[core_v1.VolumeMountStatus]:
    return [
        core_v1.VolumeMountStatus(
            name=mount.name,
            mountPath=mount.mountPath,
            readOnly=mount.readOnly,
            recursiveReadOnly="Disabled" if mount.readOnly else None,
        )
        for mount in container.volumeMounts
    ]
