"""The conditions that a kubelet keeps on its pods. Pure; wording and order are upstream's."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from pybernetes.api.types import core_v1
from pybernetes.kubelet.pods import restarts
from pybernetes.kubelet.status import phase as phases

READY_TO_START = "PodReadyToStartContainers"
INITIALIZED = "Initialized"
READY = "Ready"
CONTAINERS_READY = "ContainersReady"
SCHEDULED = "PodScheduled"
OWNED = (READY_TO_START, INITIALIZED, READY, CONTAINERS_READY, SCHEDULED)

Statuses = Mapping[str, core_v1.ContainerStatus]


def _condition(kind: str, holds: bool, reason: str = "", message: str = "") -> core_v1.PodCondition:
    return core_v1.PodCondition(type=kind, status="True" if holds else "False", reason=reason, message=message)


def _listed(names: Sequence[str]) -> str:
    return "[" + " ".join(names) + "]"


def _messages(unknown: Sequence[str], lacking: Sequence[str], word: str) -> str:
    parts = []
    if unknown:
        parts.append(f"containers with unknown status: {_listed(unknown)}")
    if lacking:
        parts.append(f"containers with {word} status: {_listed(lacking)}")
    return ", ".join(parts)


def containers_ready(spec: core_v1.PodSpec, statuses: Statuses, phase: str) -> core_v1.PodCondition:
    lasting = [c.name for c in spec.initContainers if restarts.is_sidecar(c)] + [c.name for c in spec.containers]
    unknown = [name for name in lasting if name not in statuses]
    unready = [name for name in lasting if name in statuses and not statuses[name].ready]
    if phase == phases.SUCCEEDED and not unknown:
        return _condition(CONTAINERS_READY, False, "PodCompleted")
    if phase == phases.FAILED:
        return _condition(CONTAINERS_READY, False, "PodFailed")
    message = _messages(unknown, unready, "unready")
    if message:
        return _condition(CONTAINERS_READY, False, "ContainersNotReady", message)
    return _condition(CONTAINERS_READY, True)


def ready(
    spec: core_v1.PodSpec, containers: core_v1.PodCondition, existing: Sequence[core_v1.PodCondition]
) -> core_v1.PodCondition:
    """As ContainersReady, and every readiness gate's condition is True."""
    if containers.status != "True":
        return _condition(READY, False, containers.reason, containers.message)
    problems = []
    for gate in spec.readinessGates:
        quoted = json.dumps(gate.conditionType)
        found = next((c for c in existing if c.type == gate.conditionType), None)
        if found is None:
            problems.append(f"corresponding condition of pod readiness gate {quoted} does not exist.")
        elif found.status != "True":
            problems.append(f'the status of pod readiness gate {quoted} is not "True", but {found.status}')
    if problems:
        return _condition(READY, False, "ReadinessGatesNotReady", ", ".join(problems))
    return _condition(READY, True)


def initialized(spec: core_v1.PodSpec, statuses: Statuses, phase: str) -> core_v1.PodCondition:
    unknown, incomplete = [], []
    for container in spec.initContainers:
        status = statuses.get(container.name)
        if status is None:
            unknown.append(container.name)
        elif not (status.started if restarts.is_sidecar(container) else status.ready):
            incomplete.append(container.name)
    if phase == phases.SUCCEEDED and not unknown:
        return _condition(INITIALIZED, True, "PodCompleted")
    started = any(
        c.name in statuses
        and (statuses[c.name].started or statuses[c.name].state.terminated or statuses[c.name].lastState.terminated)
        for c in spec.containers
    )
    message = _messages(unknown, incomplete, "incomplete")
    if message and not started:
        return _condition(INITIALIZED, False, "ContainersNotInitialized", message)
    return _condition(INITIALIZED, True)


def of(pod: core_v1.Pod, statuses: Statuses, phase: str, *, sandbox_ready: bool) -> list[core_v1.PodCondition]:
    """All of them, without times."""
    containers = containers_ready(pod.spec, statuses, phase)
    return [
        _condition(READY_TO_START, sandbox_ready),
        initialized(pod.spec, statuses, phase),
        ready(pod.spec, containers, pod.status.conditions),
        containers,
        _condition(SCHEDULED, True),
    ]


def timed(
    fresh: Sequence[core_v1.PodCondition], before: Sequence[core_v1.PodCondition], *, now: str, generation: int
) -> list[core_v1.PodCondition]:
    """With the time of each one's last change of status, and the generation they speak of."""
    known = {condition.type: condition for condition in before}
    result = []
    for condition in fresh:
        old = known.get(condition.type)
        same = old is not None and old.status == condition.status
        result.append(
            core_v1.PodCondition(
                type=condition.type,
                status=condition.status,
                reason=condition.reason,
                message=condition.message,
                observedGeneration=generation,
                lastTransitionTime=old.lastTransitionTime if same and old is not None else now,
            )
        )
    return result
