"""How far replicas may move at a time: windows, policies, limits. The numbers are upstream's cases."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybernetes.api import codecs
from pybernetes.api.types import autoscaling_v2
from pybernetes.controllers.horizontal import behavior

Spec = autoscaling_v2.HorizontalPodAutoscalerSpec


def spec(low: int = 1, high: int = 1000, *, up: Any = None, down: Any = None, plain: bool = False) -> Spec:
    tree: dict[str, Any] = {"minReplicas": low, "maxReplicas": high}
    if not plain:
        tree["behavior"] = {}
        if up is not None:
            tree["behavior"]["scaleUp"] = up
        if down is not None:
            tree["behavior"]["scaleDown"] = down
    return codecs.from_tree(Spec, tree)


def rules(*policies: tuple[str, int, int], select: str = "Max", window: int = 0) -> dict[str, Any]:
    listed = [{"type": kind, "value": value, "periodSeconds": period} for kind, value, period in policies]
    return {"policies": listed, "selectPolicy": select, "stabilizationWindowSeconds": window}


def move(of: Spec, history: behavior.History, current: int, desired: int, now: float = 1000.0) -> behavior.Move:
    return behavior.move(of, history, current, desired, downscale_window=300.0, now=now)


@pytest.mark.parametrize(
    ("current", "desired", "low", "high", "replicas", "reason"),
    [
        (3, 5, 1, 10, 5, "DesiredWithinRange"),
        (3, 9, 1, 10, 6, "ScaleUpLimit"),
        (1, 9, 1, 10, 4, "ScaleUpLimit"),
        (8, 20, 1, 10, 10, "TooManyReplicas"),
        (8, 1, 2, 10, 2, "TooFewReplicas"),
    ],
)
def test_without_a_behavior(current: int, desired: int, low: int, high: int, replicas: int, reason: str) -> None:
    moved = move(spec(low, high, plain=True), behavior.History(), current, desired)
    assert (moved.replicas, moved.limited[1]) == (replicas, reason)
    assert moved.limited[0] == ("False" if reason == "DesiredWithinRange" else "True")


def test_fewer_only_when_that_has_been_recommended_for_long() -> None:
    history, plain = behavior.History(), spec(plain=True)
    history.begin(10, 0.0)
    moved = move(plain, history, 10, 4, now=299.0)
    assert (moved.replicas, moved.able[1]) == (10, "ScaleDownStabilized")
    moved = move(plain, history, 10, 5, now=301.0)
    assert (moved.replicas, moved.able[1]) == (5, "ReadyForNewScale")


@pytest.mark.parametrize(
    ("current", "ups", "downs", "policies", "limit"),
    [
        (100, [], [], [("Pods", 4, 60), ("Percent", 100, 60)], 200),
        (1, [], [], [("Percent", 1, 60)], 2),
        (0, [], [], [("Percent", 100, 60)], 0),
        (10, [(5, 970.0)], [], [("Pods", 10, 60)], 15),
        (10, [(5, 900.0)], [], [("Pods", 10, 60)], 20),
        (10, [], [(5, 970.0)], [("Pods", 10, 60)], 25),
        (30, [(20, 990.0)], [], [("Pods", 4, 60)], 30),
    ],
)
def test_how_many_more(current: int, ups: Any, downs: Any, policies: Any, limit: int) -> None:
    history = behavior.History(ups=ups, downs=downs)
    assert move(spec(up=rules(*policies)), history, current, 999).replicas == max(limit, current)


@pytest.mark.parametrize(("select", "replicas"), [("Max", 200), ("Min", 104), ("Disabled", 100)])
def test_which_policy_for_more(select: str, replicas: int) -> None:
    up = rules(("Pods", 4, 60), ("Percent", 100, 60), select=select)
    moved = move(spec(up=up), behavior.History(), 100, 999)
    assert (moved.replicas, moved.limited[1]) == (replicas, "ScaleUpLimit")


@pytest.mark.parametrize(
    ("select", "replicas", "reason"),
    [("Max", 50, "ScaleDownLimit"), ("Min", 96, "ScaleDownLimit"), ("Disabled", 100, "ScaleDownLimit")],
)
def test_which_policy_for_fewer(select: str, replicas: int, reason: str) -> None:
    down = rules(("Pods", 4, 60), ("Percent", 50, 60), select=select)
    moved = move(spec(down=down), behavior.History(), 100, 1)
    assert (moved.replicas, moved.limited[1]) == (replicas, reason)


def test_percentages_of_fewer_are_of_where_the_period_began() -> None:
    history = behavior.History(downs=[(40, 980.0)])
    assert move(spec(down=rules(("Percent", 50, 60))), history, 60, 1).replicas == 50


def test_more_only_when_that_has_been_recommended_for_long() -> None:
    history = behavior.History(recommended=[(5, 950.0), (7, 990.0)])
    moved = move(spec(up=rules(("Pods", 100, 60), window=60)), history, 5, 20)
    assert (moved.replicas, moved.able[1]) == (5, "ScaleUpStabilized")
    moved = move(
        spec(up=rules(("Pods", 100, 60), window=20)), behavior.History(recommended=[(5, 950.0), (7, 990.0)]), 5, 20
    )
    assert (moved.replicas, moved.able[1]) == (7, "ScaleUpStabilized")


def test_windows_in_both_directions_hold_what_is_there() -> None:
    history = behavior.History(recommended=[(3, 990.0), (9, 995.0)])
    up, down = rules(("Pods", 100, 60), window=60), rules(("Pods", 100, 60), window=60)
    assert move(spec(up=up, down=down), history, 6, 12).replicas == 6


def test_the_window_of_the_flag_is_for_those_without_one() -> None:
    history = behavior.History(recommended=[(8, 800.0)])
    down = rules(("Pods", 100, 60))
    del down["stabilizationWindowSeconds"]
    assert move(spec(down=down), history, 8, 2).replicas == 8
    assert move(spec(down=rules(("Pods", 100, 60))), behavior.History(recommended=[(8, 800.0)]), 8, 2).replicas == 2


def test_changes_are_remembered_as_long_as_policies_look_back() -> None:
    of, history = spec(up=rules(("Pods", 1, 60), ("Pods", 1, 30))).behavior, behavior.History()
    history.changed(1, 3, 0.0, of)
    history.changed(3, 4, 50.0, of)
    history.changed(4, 5, 70.0, of)
    history.changed(5, 2, 70.0, of)
    assert (history.ups, history.downs) == ([(1, 50.0), (1, 70.0)], [(3, 70.0)])
    plain = behavior.History()
    plain.changed(1, 3, 0.0, None)
    assert plain == behavior.History()


POLICIES = st.lists(
    st.tuples(st.sampled_from(["Pods", "Percent"]), st.integers(1, 100), st.integers(1, 120)), min_size=1, max_size=3
)
RULES = st.builds(
    lambda policies, select, window: rules(*policies, select=select, window=window),
    POLICIES,
    st.sampled_from(["Max", "Min", "Disabled"]),
    st.integers(0, 120),
)


@given(
    st.integers(1, 5),
    st.integers(0, 60),
    RULES,
    RULES,
    st.lists(st.tuples(st.integers(0, 100), st.integers(1, 40)), min_size=1, max_size=25),
)
def test_never_outside_the_range_nor_faster_than_the_policies(
    low: int, room: int, up: dict[str, Any], down: dict[str, Any], wishes: list[tuple[int, int]]
) -> None:
    of, history, current, now = spec(low, low + room, up=up, down=down), behavior.History(), low, 0.0
    history.begin(current, now)
    past = [(now, current)]
    for desired, wait in wishes:
        now += wait
        moved = move(of, history, current, desired, now)
        assert low <= moved.replicas <= low + room
        assert moved.replicas <= max(_ceiling(past, up, current, now), current)
        assert moved.replicas >= min(_floor(past, down, current, now), current)
        if moved.replicas != current:
            history.changed(current, moved.replicas, now, of.behavior)
            current = moved.replicas
            past.append((now, current))


def _began(past: list[tuple[float, int]], since: float) -> int:
    """How many there were when a period began, by what has really been there; changes at that moment included."""
    return [count for at, count in past if at <= since or at == past[0][0]][-1]


def _ceiling(past: list[tuple[float, int]], of: dict[str, Any], current: int, now: float) -> float:
    if of["selectPolicy"] == "Disabled":
        return current
    tops = []
    for policy in of["policies"]:
        start = _began(past, now - policy["periodSeconds"])
        grown = start + policy["value"] if policy["type"] == "Pods" else start * (1 + policy["value"] / 100) + 1
        tops.append(grown)
    return min(tops) if of["selectPolicy"] == "Min" else max(tops)


def _floor(past: list[tuple[float, int]], of: dict[str, Any], current: int, now: float) -> float:
    if of["selectPolicy"] == "Disabled":
        return current
    bottoms = []
    for policy in of["policies"]:
        start = _began(past, now - policy["periodSeconds"])
        shrunk = start - policy["value"] if policy["type"] == "Pods" else start * (1 - policy["value"] / 100) - 1
        bottoms.append(shrunk)
    return max(bottoms) if of["selectPolicy"] == "Min" else min(bottoms)
