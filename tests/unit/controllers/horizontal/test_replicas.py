"""How many replicas a metric asks for. The numbers are upstream's cases: pods of two containers, in thousandths."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybernetes.api import times
from pybernetes.api.quantity import Quantity
from pybernetes.api.types import core_v1, meta_v1
from pybernetes.controllers.horizontal import replicas

NOW = times.parse("2026-01-01T12:00:00Z")
COOL, HOT = NOW - 3600, NOW - 10


def pod(
    number: int,
    *,
    ready: str = "True",
    phase: str = "Running",
    started: float = COOL,
    going: bool = False,
    request: str = "1",
) -> core_v1.Pod:
    resources = core_v1.ResourceRequirements(requests={"cpu": Quantity.parse(request)} if request else {})
    return core_v1.Pod(
        metadata=meta_v1.ObjectMeta(
            name=f"pod-{number}", namespace="ns", deletionTimestamp="2026-01-01T12:00:00Z" if going else None
        ),
        spec=core_v1.PodSpec(containers=[core_v1.Container(name=f"c{n}", resources=resources) for n in (1, 2)]),
        status=core_v1.PodStatus(
            phase=phase,
            startTime=times.to_time(started),
            conditions=[
                core_v1.PodCondition(type="Ready", status=ready, lastTransitionTime=times.to_time(started + 1))
            ],
        ),
    )


def scene(count: int, *pods: core_v1.Pod, **more: Any) -> replicas.Scene:
    everyone = list(pods) or [pod(number) for number in range(count)]
    there = more.pop("there", count)
    options = {"cpu_initialization": 120.0, "initial_readiness": 10.0} | more
    return replicas.Scene(pods=everyone, replicas=count, there=there, now=NOW, **options)


def samples(*levels: int, each: int = 1) -> dict[str, replicas.Sample]:
    return {f"pod-{number}": replicas.Sample(level * each, NOW, 60.0) for number, level in enumerate(levels)}


@pytest.mark.parametrize(
    ("current", "pods", "levels", "target", "wanted", "percent", "average"),
    [
        (3, [{}] * 3, (300, 500, 700), 30, 5, 50, 1000),
        (3, [{"ready": "False"}, {}, {}], (300, 500, 700), 30, 4, 60, 1200),
        (3, [{"started": HOT}, {}, {}], (300, 500, 700), 30, 4, 60, 1200),
        (3, [{}, {"ready": "False"}, {"ready": "False"}], (400, 500, 700), 30, 3, 40, 800),
        (3, [{}, *[{"ready": "False", "started": HOT}] * 2], (400, 500, 700), 30, 3, 40, 800),
        (2, [{}, {}, {"phase": "Failed"}, {"phase": "Failed"}], (500, 700), 30, 4, 60, 1200),
        (2, [{}, {}, {"going": True}, {"going": True}], (500, 700), 30, 4, 60, 1200),
        (5, [{}] * 5, (100, 300, 500, 250, 250), 50, 3, 28, 560),
        (5, [{}, {}, {}, {"ready": "False"}, {"ready": "False"}], (100, 300, 500, 250, 250), 50, 2, 30, 600),
        (5, [{}, *[{"phase": "Pending", "ready": "False"}] * 4], (100,), 50, 1, 10, 200),
        (5, [{}, {}, {}, {"started": HOT}, {"started": HOT}], (100, 300, 500, 250, 250), 50, 2, 30, 600),
        (3, [{}] * 3, (1010, 1030, 1020), 100, 3, 102, 2040),
        (4, [{}] * 4, (4000, 9500, 3000, 7000, 3200, 2000), 100, 24, 587, 11750),
        (4, [{}] * 4, (400, 95), 100, 3, 24, 495),
        (2, [{}] * 2, (1000,), 100, 2, 100, 2000),
        (2, [{}] * 2, (1900,), 100, 2, 190, 3800),
        (2, [{}] * 2, (600,), 100, 2, 60, 1200),
        (3, [{"ready": "False"}, {}, {}], (100, 450), 50, 3, 45, 900),
        (3, [{"started": HOT, "ready": "False"}, {}, {}], (100, 2000), 50, 4, 200, 4000),
        (4, [{}, {}, {}, {"ready": "False"}], (100, 100, 100), 50, 3, 10, 200),
        (4, [{}] * 4, (200, 100, 100), 300, 2, 6, 266),
    ],
)  # fmt: skip
def test_utilization(
    current: int,
    pods: list[dict[str, Any]],
    levels: tuple[int, ...],
    target: int,
    wanted: int,
    percent: int,
    average: int,
) -> None:
    # A pod that is not ready in upstream's cases never was: it became unready as it started.
    everyone = [pod(number, **options) for number, options in enumerate(pods)]
    if current == 4 and target == 300:
        # Its requests are twice as high.
        everyone = [pod(number, request="2") for number in range(4)]
    found = replicas.by_utilization(scene(current, *everyone), samples(*levels, each=2), target, "cpu")
    assert found == (wanted, percent, average)


def test_single_containers() -> None:
    found = replicas.by_utilization(scene(3), samples(300, 500, 700), 30, "cpu", "c2")
    assert found == (5, 50, 500)
    with pytest.raises(replicas.Incalculable, match="container c9 not found in Pod pod-0"):
        replicas.by_utilization(scene(3), samples(300, 500, 700), 30, "cpu", "c9")


@pytest.mark.parametrize(
    ("pods", "levels", "why"),
    [
        ([pod(1)], (100,), "no metrics returned matched known pods"),
        ([pod(0, request="")], (100,), "missing request for cpu in container c1 of Pod pod-0"),
        ([pod(0, ready="False")], (100,), r"did not receive metrics for targeted pods \(pods might be unready\)"),
    ],
)
def test_what_cannot_be_calculated(pods: list[core_v1.Pod], levels: tuple[int, ...], why: str) -> None:
    with pytest.raises(replicas.Incalculable, match=why):
        replicas.by_utilization(scene(1, *pods), samples(*levels), 100, "cpu")


def test_without_pods_nothing_is_calculated() -> None:
    nobody = replicas.Scene(pods=[], replicas=1, there=1, now=NOW)
    with pytest.raises(replicas.Incalculable, match="no pods returned by selector while calculating replica count"):
        replicas.by_average(nobody, samples(1), 1)


def test_requests_of_the_pod_as_a_whole_come_first() -> None:
    whole = pod(0)
    whole.spec.resources = core_v1.ResourceRequirements(requests={"cpu": Quantity.parse("5")})
    assert replicas.requested(whole, "cpu") == 5000
    assert replicas.requested(whole, "cpu", "c1") == 1000
    with pytest.raises(replicas.Incalculable, match="missing pod-level request for memory in Pod pod-0"):
        replicas.requested(whole, "memory")


@pytest.mark.parametrize(
    ("current", "pods", "levels", "target", "wanted", "average"),
    [
        (3, [{}] * 3, (20000, 10000, 30000), 15000, 4, 20000),
        (3, [{}, {}, {"ready": "False", "started": HOT}], (50000, 10000, 30000), 15000, 6, 30000),
        (3, [{"ready": "False"}, {}, {"ready": "False"}], (50000, 15000, 30000), 15000, 7, 31666),
        (5, [{}] * 5, (12000,) * 5, 20000, 3, 12000),
        (3, [{}] * 3, (20000, 21000, 21000), 20000, 3, 20666),
        (5, [{}] * 5, (20000, 19000, 21000), 20000, 5, 20000),
    ],
)
def test_averages(
    current: int, pods: list[dict[str, Any]], levels: tuple[int, ...], target: int, wanted: int, average: int
) -> None:
    everyone = [pod(number, **options) for number, options in enumerate(pods)]
    assert replicas.by_average(scene(current, *everyone), samples(*levels), target) == (wanted, average)


@pytest.mark.parametrize(
    ("current", "unready", "amount", "target", "wanted"),
    [
        (3, 0, 20000, 15000, 4),
        (3, 2, 50000, 10000, 5),
        (3, 2, 8600, 4400, 2),
        (5, 0, 12000, 20000, 3),
        (5, 0, 8600, 14334, 3),
        (3, 0, 20666, 20000, 3),
        (3, 0, 8600, 8888, 3),
        (3, 0, 2**63 - 1, 1, 2**31 - 1),
    ],
)
def test_values(current: int, unready: int, amount: int, target: int, wanted: int) -> None:
    everyone = [pod(number, ready="False" if number < unready else "True") for number in range(current)]
    assert replicas.by_value(scene(current, *everyone), amount, target) == wanted


@pytest.mark.parametrize(
    ("there", "amount", "target", "wanted", "each"),
    [
        (3, 20000, 5000, 4, 6667),
        (3, 8600, 2150, 4, 2867),
        (5, 6000, 2000, 3, 1200),
        (5, 8600, 2867, 3, 1720),
        (4, 20166, 5000, 4, 5042),
        (3, 8600, 2900, 3, 2867),
        (1, 2**63 - 1, 1, 2**31 - 1, 2**63 - 1),
        (1, 2**63 - 1, 2**63 - 1, 1, 2**63 - 1),
    ],
)
def test_values_for_each_pod(there: int, amount: int, target: int, wanted: int, each: int) -> None:
    assert replicas.by_value_per_pod(scene(there), amount, target) == (wanted, each)


@pytest.mark.parametrize(
    ("levels", "down", "up", "wanted"),
    [
        ((909, 1010, 1111), 0.0, 0.0, 4),
        ((1890, 1910, 1900), 0.1, 2.0, 3),
        ((1100, 1080, 1090), 0.36, 0.08, 4),
        ((660, 640, 650), 0.36, 0.1, 3),
        ((660, 640, 650), 0.34, 0.1, 2),
    ],
)
def test_tolerances(levels: tuple[int, ...], down: float, up: float, wanted: int) -> None:
    found = scene(3, tolerance=replicas.Tolerance(down, up))
    assert replicas.by_utilization(found, samples(*levels, each=2), 100, "cpu")[0] == wanted


PODS = st.builds(
    pod,
    st.integers(0, 6),
    ready=st.sampled_from(["True", "False"]),
    phase=st.sampled_from(["Running", "Pending"]),
    started=st.sampled_from([COOL, HOT]),
)


@given(
    st.lists(PODS, min_size=1, max_size=7, unique_by=lambda one: one.metadata.name),
    st.dictionaries(st.integers(0, 6), st.integers(0, 5000), max_size=7),
    st.integers(1, 300),
)
def test_never_the_wrong_way(pods: list[core_v1.Pod], levels: dict[int, int], target: int) -> None:
    """Whatever is starting or not measured: above the target there are never fewer pods, below it never more."""
    known = {f"pod-{number}": replicas.Sample(level, NOW, 60.0) for number, level in levels.items()}
    try:
        wanted, percent, _ = replicas.by_utilization(scene(len(pods), *pods), known, target, "cpu")
    except replicas.Incalculable:
        return
    assert 0 <= wanted <= replicas.LARGEST_COUNT
    assert wanted >= len(pods) or percent < target
    assert wanted <= len(pods) or percent > target
