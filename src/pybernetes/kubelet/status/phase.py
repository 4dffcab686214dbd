"""A pod's phase from its containers' statuses. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from pybernetes.api.types import core_v1
from pybernetes.kubelet.pods import restarts

PENDING, RUNNING, SUCCEEDED, FAILED = "Pending", "Running", "Succeeded", "Failed"


def is_terminal(phase: str) -> bool:
    return phase in (SUCCEEDED, FAILED)


def _ended(status: core_v1.ContainerStatus) -> core_v1.ContainerStateTerminated | None:
    """How it ended last, where it is not running now."""
    if status.state.terminated is not None:
        return status.state.terminated
    return status.lastState.terminated if status.state.waiting is not None else None


def of(
    spec: core_v1.PodSpec,
    statuses: Mapping[str, core_v1.ContainerStatus],
    *,
    terminal: bool,
    initialized: bool,
) -> str:
    """`terminal` says that no container will run again; `initialized` that a regular one was created before."""
    pending_init, pending_sidecars, failed_init = 0, 0, 0
    counts: Counter[str] = Counter()
    for container in spec.initContainers:
        status = statuses.get(container.name)
        if restarts.is_sidecar(container):
            if status is None:
                counts["unknown"] += 1
            elif status.state.running is not None:
                counts["running"] += 1
                pending_sidecars += not status.started
            elif _ended(status) is None:
                counts["waiting"] += 1
                pending_sidecars += 1
            continue
        ended = None if status is None else _ended(status)
        if ended is None:
            pending_init += 1
        elif ended.exitCode != 0 and not restarts.after_exit(spec, container, ended.exitCode):
            failed_init += 1
    for regular in spec.containers:
        status = statuses.get(regular.name)
        if status is None:
            counts["unknown"] += 1
        elif status.state.running is not None:
            counts["running"] += 1
        elif (ended := _ended(status)) is None:
            counts["waiting"] += 1
        else:
            counts["stopped"] += 1
            counts["final"] += not restarts.after_exit(spec, regular, ended.exitCode)
            counts["succeeded"] += status.state.terminated is not None and ended.exitCode == 0
    if failed_init:
        return FAILED
    if pending_init or (pending_sidecars and not initialized) or counts["waiting"]:
        return PENDING
    if counts["unknown"]:
        return PENDING
    if counts["running"]:
        return RUNNING
    if not counts["stopped"]:
        return PENDING
    if not terminal and counts["stopped"] != counts["final"]:
        return RUNNING
    return SUCCEEDED if counts["stopped"] == counts["succeeded"] else FAILED
