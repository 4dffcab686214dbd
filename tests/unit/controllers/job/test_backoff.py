from __future__ import annotations

from typing import Any

import pytest

from pybernetes.api import times
from pybernetes.api.types import core_v1, meta_v1
from pybernetes.controllers.job import backoff, indexes

ZERO = times.parse("2026-01-01T00:00:00Z")


def at(seconds: float) -> str:
    return times.to_time(ZERO + seconds)


def status(name: str, finished: float | None) -> core_v1.ContainerStatus:
    state = core_v1.ContainerState()
    if finished is not None:
        state.terminated = core_v1.ContainerStateTerminated(finishedAt=at(finished))
    return core_v1.ContainerStatus(name=name, state=state)


def pod(*finished: float | None, **meta: Any) -> core_v1.Pod:
    statuses = [status(f"c{number}", when) for number, when in enumerate(finished)]
    return core_v1.Pod(
        metadata=meta_v1.ObjectMeta(creationTimestamp=at(1), **meta),
        status=core_v1.PodStatus(containerStatuses=statuses),
    )


def test_pods_finish_with_their_last_container() -> None:
    assert backoff.finished_at(pod(5, 9, 7)) == ZERO + 9
    beside = pod(5)
    beside.spec.initContainers = [core_v1.Container(name="s", restartPolicy="Always"), core_v1.Container(name="i")]
    beside.status.initContainerStatuses = [status("s", 30), status("i", None)]
    assert backoff.finished_at(beside) == ZERO + 30


def test_what_else_tells_when_a_pod_finished() -> None:
    unready = pod(5, None)
    unready.status.conditions = [core_v1.PodCondition(type="Ready", status="False", lastTransitionTime=at(20))]
    assert backoff.finished_at(unready) == ZERO + 20
    deleted = pod(deletionTimestamp=at(60), deletionGracePeriodSeconds=30)
    assert backoff.finished_at(deleted) == ZERO + 30
    assert backoff.finished_at(pod()) == ZERO + 1


@pytest.mark.parametrize(
    ("before", "succeeded", "failed", "after"),
    [
        ((0, 0.0), [], [], (0, 0.0)),
        ((2, 5.0), [], [], (2, 5.0)),
        ((2, 5.0), [], [9, 7], (4, 9.0)),
        ((2, 5.0), [8], [], (0, 0.0)),
        ((2, 5.0), [8], [7], (0, 0.0)),
        ((2, 5.0), [8], [10, 7, 9], (2, 10.0)),
        ((2, 5.0), [8], [8], (0, 0.0)),
    ],
)
def test_failures_in_a_row(
    before: tuple[int, float], succeeded: list[int], failed: list[int], after: tuple[int, float]
) -> None:
    def absolute(failures: int, last: float) -> backoff.Backoff:
        return backoff.Backoff(failures, last + ZERO if failures else 0.0)

    assert absolute(*before).after([pod(end) for end in succeeded], [pod(end) for end in failed]) == absolute(*after)


@pytest.mark.parametrize(("failures", "left"), [(0, 0), (1, 10), (2, 20), (6, 320), (7, 600), (5000, 600)])
def test_it_doubles_up_to_a_highest_value(failures: int, left: float) -> None:
    assert backoff.Backoff(failures, 100.0).left(100.0) == left
    assert backoff.Backoff(failures, 100.0).left(100.0 + left) == 0


def test_an_index_backs_off_by_its_own_failures() -> None:
    last = pod(5, annotations={indexes.FAILURES: "1", indexes.IGNORED_FAILURES: "2"})
    assert backoff.of_index(last) == backoff.Backoff(4, ZERO + 5)
    assert backoff.of_index(None) == backoff.Backoff()
