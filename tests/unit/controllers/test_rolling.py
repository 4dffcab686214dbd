"""The arithmetic of rolling updates: goldens, and the promise that no step breaks."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pybernetes.api.types import apps_v1, core_v1, meta_v1
from pybernetes.controllers.deployment import rolling, templates

Amount = int | str


def deployment(replicas: int, surge: Amount = "25%", unavailable: Amount = "25%") -> apps_v1.Deployment:
    return apps_v1.Deployment(
        metadata=meta_v1.ObjectMeta(name="web"),
        spec=apps_v1.DeploymentSpec(
            replicas=replicas,
            strategy=apps_v1.DeploymentStrategy(
                type="RollingUpdate",
                rollingUpdate=apps_v1.RollingUpdateDeployment(maxSurge=surge, maxUnavailable=unavailable),
            ),
        ),
    )


def replica_set(
    name: str, replicas: int, available: int | None = None, most: int | None = None, age: int = 0
) -> apps_v1.ReplicaSet:
    one = apps_v1.ReplicaSet(
        metadata=meta_v1.ObjectMeta(name=name, uid=name, creationTimestamp=f"2026-01-01T00:00:{age:02}Z"),
        spec=apps_v1.ReplicaSetSpec(replicas=replicas, template=core_v1.PodTemplateSpec()),
        status=apps_v1.ReplicaSetStatus(
            replicas=replicas, availableReplicas=replicas if available is None else available
        ),
    )
    if most is not None:
        templates.annotate_sizes(one, most, most)
    return one


@pytest.mark.parametrize(
    ("replicas", "surge", "unavailable", "resolved"),
    [
        (2, 0, "1%", (0, 1)),
        (1, 0, "1%", (0, 1)),
        (2, "1%", "25%", (1, 0)),
        (1, "1%", "25%", (1, 0)),
        (10, "25%", "25%", (3, 2)),
        (3, "100%", 0, (3, 0)),
        (0, "25%", "25%", (0, 0)),
    ],
)
def test_fenceposts(replicas: int, surge: Amount, unavailable: Amount, resolved: tuple[int, int]) -> None:
    one = deployment(replicas, surge, unavailable)
    assert (rolling.max_surge(one), rolling.max_unavailable(one)) == resolved


def test_crashing_new_pods_stop_the_rollout() -> None:
    one = deployment(10, 3, 2)
    old, new = replica_set("old", 8), replica_set("new", 5, available=0)
    assert rolling.grow_new(one, [old, new], new) is None
    assert rolling.shrink_old(one, [old], new) == []


def test_pods_that_a_set_is_about_to_lose_do_not_count() -> None:
    """A set that was shrunk says what it had until its controller has seen it: its status lags behind its size."""
    one = deployment(3, 2, 0)
    old, new = replica_set("old", 2, available=3), replica_set("new", 3, available=2)
    assert [(resize.set.metadata.name, resize.replicas) for resize in rolling.shrink_old(one, [old], new)] == [
        ("old", 1)
    ]


def test_unhealthy_old_pods_go_first() -> None:
    one = deployment(10, 3, 2)
    sick, well = replica_set("sick", 8, available=2, age=2), replica_set("well", 2, age=1)
    new = replica_set("new", 0)
    resizes = rolling.shrink_old(one, [sick, well], new)
    assert [(resize.set.metadata.name, resize.replicas) for resize in resizes] == [("sick", 6)]


@pytest.mark.parametrize(
    ("wanted", "before", "after"),
    [
        (20, {"a": 8, "b": 5}, {"a": 14, "b": 9}),
        (5, {"a": 8, "b": 5}, {"a": 5, "b": 3}),
        (0, {"a": 8, "b": 5}, {"a": 0, "b": 0}),
        (10, {"a": 8, "b": 5}, {"a": 8, "b": 5}),
    ],
)
def test_scaling_in_the_middle_of_a_rollout_is_proportional(
    wanted: int, before: dict[str, int], after: dict[str, int]
) -> None:
    one = deployment(wanted, 3, 2)
    sets = [replica_set(name, size, most=13) for name, size in before.items()]
    resizes = rolling.scale(one, sets[0], sets[1:])
    assert {resize.set.metadata.name: resize.replicas for resize in resizes} == after


def test_a_single_set_takes_the_whole_change() -> None:
    only = replica_set("only", 3)
    assert rolling.scale(deployment(7), only, [replica_set("gone", 0)]) == [rolling.Resize(only, 7)]


def test_old_sets_go_when_the_new_one_is_saturated() -> None:
    new, old = replica_set("new", 3, most=3), replica_set("old", 2)
    assert rolling.scale(deployment(3), new, [old]) == [rolling.Resize(old, 0)]


amounts = st.one_of(st.integers(0, 12), st.integers(0, 100).map(lambda n: f"{n}%"))


@settings(max_examples=150, deadline=None)
@given(
    replicas=st.integers(1, 30),
    surge=amounts,
    unavailable=amounts,
    olds=st.integers(1, 3),
    data=st.data(),
)
def test_every_rollout_keeps_its_promises_and_ends(
    replicas: int, surge: Amount, unavailable: Amount, olds: int, data: st.DataObject
) -> None:
    """From all available, under any order of pods becoming ready."""
    one = deployment(replicas, surge, unavailable)
    most = replicas + rolling.max_surge(one)
    least = replicas - rolling.max_unavailable(one)
    share, rest = divmod(replicas, olds)
    sets = [replica_set(f"old{n}", share + (n < rest), age=n) for n in range(olds)]
    new = replica_set("new", 0, age=50)
    for _ in range(400):
        everything = [*sets, new]
        total = sum(map(rolling.size, everything))
        assert total <= max(most, replicas)
        assert sum(min(s.status.availableReplicas, rolling.size(s)) for s in everything) >= least
        grow = rolling.grow_new(one, everything, new)
        resizes = [grow] if grow is not None else rolling.shrink_old(one, sets, new)
        for resize in resizes:
            resize.set.spec.replicas = resize.replicas
            resize.set.status.availableReplicas = min(resize.set.status.availableReplicas, resize.replicas)
        waiting = rolling.size(new) - new.status.availableReplicas
        if waiting:
            new.status.availableReplicas += data.draw(st.integers(0 if resizes else 1, waiting))
        elif not resizes:
            break
    assert (rolling.size(new), sum(map(rolling.size, sets))) == (replicas, 0)
