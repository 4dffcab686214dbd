"""What to do next about a pod: spec and runtime state in, actions out. Pure, so tested without a runtime.

Follows upstream's computePodActions: a sandbox that is missing, not ready or on the wrong network is replaced, and
all containers with it; init containers run one after the other, sidecars among them stay; regular containers start
together once those are through; whatever fails its liveness or startup probe, or whose definition changed, is
killed, and started again where its restart policy allows.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from pybernetes.api.types import core_v1
from pybernetes.kubelet.containers import labels
from pybernetes.kubelet.pods import restarts, state
from pybernetes.runtime import protocol

RUNNING, EXITED = protocol.ContainerState.RUNNING, protocol.ContainerState.EXITED


class Verdict(enum.Enum):
    """What probes say about a container."""

    SUCCESS = "Success"
    FAILURE = "Failure"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdicts:
    """Probe results by container id; what has not been probed is absent."""

    liveness: Mapping[str, Verdict] = field(default_factory=dict)
    startup: Mapping[str, Verdict] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """End one container. `why` is the Killing event's message, `probe` the kind of probe that asked for it."""

    id: str
    name: str
    why: str
    probe: str = ""


@dataclass(slots=True, kw_only=True)
class Actions:
    """To carry out in the order of the fields."""

    kill_pod: bool = False
    kill: list[Kill] = field(default_factory=list)
    create_sandbox: bool = False
    sandbox_id: str = ""
    attempt: int = 0
    start_ephemeral: list[int] = field(default_factory=list)
    start_init: list[int] = field(default_factory=list)
    start: list[int] = field(default_factory=list)


def sandbox_changed(pod: core_v1.Pod, seen: state.PodState) -> tuple[bool, int, str]:
    """(a new sandbox is needed, its attempt, the id of the newest one)."""
    if not seen.sandboxes:
        return True, 0, ""
    newest = seen.sandboxes[0]
    usable = newest.ready and sum(1 for box in seen.sandboxes if box.ready) == 1
    if usable and (newest.ips or pod.spec.hostNetwork):
        return False, newest.attempt, newest.id
    return True, newest.attempt + 1, newest.id


def compute(pod: core_v1.Pod, seen: state.PodState, verdicts: Verdicts) -> Actions:
    """The actions for a pod that is meant to run."""
    create, attempt, sandbox_id = sandbox_changed(pod, seen)
    actions = Actions(kill_pod=create, create_sandbox=create, sandbox_id=sandbox_id, attempt=attempt)
    if create:
        _with_new_sandbox(pod, seen, actions)
        return actions
    for at, ephemeral in enumerate(pod.spec.ephemeralContainers):
        if seen.latest(ephemeral.name) is None:
            actions.start_ephemeral.append(at)
    initialized = _init_containers(pod, seen, verdicts, actions)
    if actions.kill_pod or not initialized:
        return actions
    _regular_containers(pod, seen, verdicts, actions)
    return actions


def _with_new_sandbox(pod: core_v1.Pod, seen: state.PodState, actions: Actions) -> None:
    if pod.spec.restartPolicy == restarts.NEVER and actions.attempt != 0 and seen.containers:
        # Everything ran once, and must not run again.
        actions.create_sandbox = False
        return
    wanted = []
    for at, container in enumerate(pod.spec.containers):
        found = seen.latest(container.name)
        succeeded = found is not None and found.state is EXITED and found.exit_code == 0
        if not (restarts.policy_of(pod.spec, container) == restarts.ON_FAILURE and succeeded):
            wanted.append(at)
    if not wanted and restarts.any_regular_created(pod, seen):
        actions.create_sandbox = False
    elif pod.spec.initContainers:
        actions.start_init = [0]
    else:
        actions.start = wanted


def _failed_probe(found: protocol.ContainerStatus, verdicts: Verdicts) -> str:
    if verdicts.liveness.get(found.id) is Verdict.FAILURE:
        return "liveness"
    if verdicts.startup.get(found.id) is Verdict.FAILURE:
        return "startup"
    return ""


def _init_containers(pod: core_v1.Pod, seen: state.PodState, verdicts: Verdicts, actions: Actions) -> bool:
    """Plan the init containers, last to first; whether the regular ones may run."""
    containers = pod.spec.initContainers
    if not containers:
        return True
    # Containers that ended may be of an earlier sandbox, before a reboot: they prove nothing.
    initialized = any(
        (found := seen.latest(regular.name)) is not None and found.state in (RUNNING, protocol.ContainerState.CREATED)
        for regular in pod.spec.containers
    )
    reached = initialized
    start: list[int] = []
    last = len(containers) - 1
    through = initialized

    def proceed(at: int) -> None:
        nonlocal through
        if at == last:
            through = True
        else:
            start.append(at + 1)

    for at in range(last, -1, -1):
        container = containers[at]
        sidecar = restarts.is_sidecar(container)
        if through and not sidecar:
            continue
        found = seen.latest(container.name)
        if found is None:
            if reached and sidecar:
                start.append(at)
            continue
        frontier, reached = not reached, True
        if found.state is RUNNING:
            if not sidecar:
                break
            probe = _failed_probe(found, verdicts)
            if probe:
                why = f"Init container {container.name} failed {probe} probe, will be restarted"
                actions.kill.append(Kill(id=found.id, name=container.name, why=why, probe=probe))
                start.append(at)
            elif frontier and (container.startupProbe is None or found.id in verdicts.startup):
                proceed(at)
        elif found.state is EXITED and not sidecar:
            if found.exit_code == 0:
                if frontier:
                    proceed(at)
            elif restarts.after_exit(pod.spec, container, found.exit_code):
                start.append(at)
            else:
                actions.kill_pod = True
                return False
        else:
            start.append(at)
        if frontier and not sidecar and not through:
            break
    if not reached:
        start.append(0)
    actions.start_init = sorted(set(start))
    return through


def _regular_containers(pod: core_v1.Pod, seen: state.PodState, verdicts: Verdicts, actions: Actions) -> None:
    kept = 0
    for at, container in enumerate(pod.spec.containers):
        found = seen.latest(container.name)
        if found is None or found.state is not RUNNING:
            if restarts.should_run(pod, container, found):
                actions.start.append(at)
                if found is not None and found.state is protocol.ContainerState.UNKNOWN:
                    why = 'Container is in "unknown" state, try killing it before restart'
                    actions.kill.append(Kill(id=found.id, name=container.name, why=why))
            continue
        restart = restarts.policy_of(pod.spec, container) != restarts.NEVER
        probe = _failed_probe(found, verdicts)
        if found.annotations.get(labels.HASH, "") not in ("", labels.container_hash(container)):
            why, restart, probe = f"Container {container.name} definition changed", True, ""
        elif probe:
            why = f"Container {container.name} failed {probe} probe"
        else:
            kept += 1
            continue
        if restart:
            why += ", will be restarted"
            actions.start.append(at)
        actions.kill.append(Kill(id=found.id, name=container.name, why=why, probe=probe))
    if kept == 0 and not actions.start:
        actions.kill_pod = True
        actions.start_init = []
