"""Completion indexes of Indexed Jobs, and their text form `0-2,5`."""

from __future__ import annotations

from collections.abc import Iterable

from pybernetes.api.types import core_v1

ANNOTATION = "batch.kubernetes.io/job-completion-index"
VARIABLE = "JOB_COMPLETION_INDEX"


def index_of(pod: core_v1.Pod) -> int | None:
    text = pod.metadata.annotations.get(ANNOTATION, "")
    return int(text) if text.isascii() and text.isdigit() else None


def parse(text: str, completions: int) -> set[int]:
    """The indexes that a text lists; those beyond the completions are dropped (the Job was made smaller)."""
    found: set[int] = set()
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        found.update(range(int(first), int(last or first) + 1))
    return {index for index in found if index < completions}


def text_of(indexes: Iterable[int]) -> str:
    parts: list[str] = []
    run: list[int] = []
    for index in [*sorted(indexes), None]:
        if run and (index is None or index != run[-1] + 1):
            joint = "," if len(run) == 2 else "-"
            parts.append(str(run[0]) if len(run) == 1 else f"{run[0]}{joint}{run[-1]}")
            run = []
        if index is not None:
            run.append(index)
    return ",".join(parts)


def missing(taken: set[int], count: int, completions: int) -> list[int]:
    """The lowest free indexes, at most `count`."""
    return [index for index in range(completions) if index not in taken][:count]


def mark(pod: core_v1.Pod, index: int, job: str) -> None:
    """Make a fresh pod the one of that index, in place."""
    pod.metadata.annotations[ANNOTATION] = str(index)
    pod.metadata.labels[ANNOTATION] = str(index)
    pod.metadata.generateName = f"{job}-{index}-"
    pod.spec.hostname = f"{job}-{index}"
    source = core_v1.EnvVarSource(fieldRef=core_v1.ObjectFieldSelector(fieldPath=f"metadata.labels['{ANNOTATION}']"))
    for container in (*pod.spec.initContainers, *pod.spec.containers):
        if all(variable.name != VARIABLE for variable in container.env):
            container.env.append(core_v1.EnvVar(name=VARIABLE, valueFrom=source))
