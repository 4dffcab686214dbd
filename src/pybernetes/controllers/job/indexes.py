"""Completion indexes of Indexed Jobs: sets of them in their text form `0-2,5`, and what marks a pod with its own.

Sets are kept as runs, because a Job may have many millions of indexes.
"""

from __future__ import annotations

import bisect
import operator
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pybernetes.api.types import core_v1

ANNOTATION = "batch.kubernetes.io/job-completion-index"
FAILURES = "batch.kubernetes.io/job-index-failure-count"
IGNORED_FAILURES = "batch.kubernetes.io/job-index-ignored-failure-count"
VARIABLE = "JOB_COMPLETION_INDEX"
# What a server appends random letters to may be so long.
LONGEST_PREFIX = 58
LARGEST_COUNT = 2**31 - 1
_first, _last = operator.itemgetter(0), operator.itemgetter(1)


class Indexes:
    """An unchangeable set of indexes, as ordered runs (first, last) that do not touch."""

    __slots__ = ("_runs",)

    def __init__(self, runs: Iterable[tuple[int, int]] = ()) -> None:
        merged: list[tuple[int, int]] = []
        for first, last in sorted(runs):
            if merged and first <= merged[-1][1] + 1:
                merged[-1] = merged[-1][0], max(last, merged[-1][1])
            else:
                merged.append((first, last))
        self._runs = merged

    @property
    def runs(self) -> list[tuple[int, int]]:
        return self._runs

    def plus(self, others: Iterable[int]) -> Indexes:
        added = [(index, index) for index in others]
        return Indexes([*self._runs, *added]) if added else self

    def union(self, other: Indexes) -> Indexes:
        return Indexes([*self._runs, *other.runs])

    def common(self, other: Indexes) -> int:
        """How many indexes are in both."""
        count, mine, theirs = 0, 0, 0
        while mine < len(self._runs) and theirs < len(other.runs):
            (first, last), (start, end) = self._runs[mine], other.runs[theirs]
            count += max(min(last, end) - max(first, start) + 1, 0)
            mine, theirs = mine + (last <= end), theirs + (end <= last)
        return count

    def missing(self, count: int, completions: int) -> list[int]:
        """The lowest indexes that are not in it, at most `count`."""
        found: list[int] = []
        start = 0
        for first, last in (*self._runs, (completions, completions)):
            found.extend(range(start, min(first, completions, start + count - len(found))))
            start = last + 1
            if len(found) >= count:
                break
        return found

    def __contains__(self, index: int) -> bool:
        at = bisect.bisect_left(self._runs, index, key=_last)
        return at < len(self._runs) and _first(self._runs[at]) <= index

    def __len__(self) -> int:
        return sum(last - first + 1 for first, last in self._runs)

    def __iter__(self) -> Iterator[int]:
        for first, last in self._runs:
            yield from range(first, last + 1)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Indexes) and self._runs == other.runs

    def __str__(self) -> str:
        parts = []
        for first, last in self._runs:
            joint = "," if last == first + 1 else "-"
            parts.append(str(first) if first == last else f"{first}{joint}{last}")
        return ",".join(parts)

    __hash__ = None  # type: ignore[assignment]


def parse(text: str, completions: int) -> Indexes:
    """The indexes that a text lists. Those beyond the completions are dropped (the Job was made smaller), and so are
    parts that are no numbers."""
    runs = []
    for part in text.split(","):
        first, dash, last = part.partition("-")
        if not _is_number(first) or (dash and not _is_number(last)):
            continue
        if int(first) < completions:
            runs.append((int(first), min(int(last or first), completions - 1)))
    return Indexes(runs)


def index_of(pod: core_v1.Pod, completions: int) -> int | None:
    """The pod's index; None where it has none that is below the completions."""
    text = pod.metadata.annotations.get(ANNOTATION, "")
    return int(text) if _is_number(text) and int(text) < completions else None


def of_pods(pods: Iterable[core_v1.Pod], completions: int) -> list[int]:
    return [index for pod in pods if (index := index_of(pod, completions)) is not None]


def failures_of(pod: core_v1.Pod) -> int:
    """How often the pod's index had failed before the pod, without failures that a policy ignored."""
    return _count(pod, FAILURES)


def ignored_failures_of(pod: core_v1.Pod) -> int:
    return _count(pod, IGNORED_FAILURES)


@dataclass(frozen=True, slots=True)
class Mark:
    """What a fresh pod of an Indexed Job carries. `failures` is None where they are not limited by index."""

    index: int
    failures: int | None = None
    ignored: int = 0


def mark(pod: core_v1.Pod, what: Mark, job: str) -> None:
    """Make a fresh pod the one of that index, in place."""
    meta = pod.metadata
    meta.annotations[ANNOTATION] = meta.labels[ANNOTATION] = str(what.index)
    if what.failures is not None:
        meta.annotations[FAILURES] = str(what.failures)
    if what.ignored:
        meta.annotations[IGNORED_FAILURES] = str(what.ignored)
    ending = f"-{what.index}-"
    meta.generateName = job[: LONGEST_PREFIX - len(ending)] + ending
    pod.spec.hostname = f"{job}-{what.index}"
    source = core_v1.EnvVarSource(fieldRef=core_v1.ObjectFieldSelector(fieldPath=f"metadata.labels['{ANNOTATION}']"))
    for container in (*pod.spec.initContainers, *pod.spec.containers):
        if all(variable.name != VARIABLE for variable in container.env):
            container.env.append(core_v1.EnvVar(name=VARIABLE, valueFrom=source))


def _count(pod: core_v1.Pod, annotation: str) -> int:
    text = pod.metadata.annotations.get(annotation, "")
    # Anybody may have written it.
    return int(text) if _is_number(text) and int(text) <= LARGEST_COUNT else 0


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 10
