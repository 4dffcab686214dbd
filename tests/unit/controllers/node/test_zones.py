"""Zones that fail in part or as a whole, and how fast their nodes lose their pods."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybernetes.api import times
from pybernetes.api.types import core_v1, meta_v1
from pybernetes.controllers import Settings
from pybernetes.controllers.node import health, zones
from tests.fakes.cluster import FakeCluster


def node(name: str, zone: str = "", ready: str = "True", **labels: str) -> core_v1.Node:
    condition = core_v1.NodeCondition(type="Ready", status=ready, lastHeartbeatTime="2026-01-01T00:00:00Z")
    tags = ({zones.ZONE: zone} if zone else {}) | labels
    meta = meta_v1.ObjectMeta(name=name, labels=tags)
    return core_v1.Node(metadata=meta, status=core_v1.NodeStatus(conditions=[condition]))


@pytest.mark.parametrize(
    ("ready", "unready", "state"),
    [
        (0, 0, zones.State.NORMAL),
        (1, 0, zones.State.NORMAL),
        (0, 1, zones.State.FULL),
        (1, 2, zones.State.NORMAL),
        (1, 3, zones.State.PARTIAL),
        (9, 11, zones.State.PARTIAL),
        (10, 10, zones.State.NORMAL),
    ],
)
def test_states(ready: int, unready: int, state: zones.State) -> None:
    assert zones.state_of(ready, unready, 0.55) is state


@pytest.mark.parametrize(
    ("state", "size", "rate"),
    [
        (zones.State.NORMAL, 10, 0.1),
        (zones.State.FULL, 10, 0.1),
        (zones.State.PARTIAL, 50, 0.0),
        (zones.State.PARTIAL, 51, 0.01),
    ],
)
def test_rates(state: zones.State, size: int, rate: float) -> None:
    assert zones.rate_of(state, size, Settings()) == rate


def test_zones_of_different_regions_differ() -> None:
    labels = {zones.REGION: "eu"}
    here, there = node("a", "1", **labels), node("b", "1", **{zones.REGION: "us"})
    assert zones.key_of(here) != zones.key_of(there)
    assert zones.key_of(node("c")) == ""


def test_a_new_rate_lets_those_wait_who_had_to() -> None:
    limiter = zones.Limiter(0.1)
    assert limiter.wait(100.0) == 0.0
    limiter.take(100.0)
    assert limiter.wait(104.0) == 6.0
    limiter.set_rate(0.0, 104.0)
    assert limiter.wait(1000.0) is None
    limiter.set_rate(0.01, 1000.0)
    assert limiter.wait(1000.0) == 100.0
    limiter.set_rate(0.1, 1200.0)
    assert limiter.wait(1200.0) == 0.0


NODES = st.builds(
    node,
    st.sampled_from("abcdef"),
    st.sampled_from(["", "z1", "z2"]),
    st.sampled_from(["True", "False", "Unknown"]),
)


@given(st.lists(st.tuples(NODES, st.booleans()), max_size=30))
def test_counts_are_those_of_the_nodes_there_are(changes: list[tuple[core_v1.Node, bool]]) -> None:
    made, there = zones.Zones(Settings()), dict[str, core_v1.Node]()
    for one, goes in changes:
        name = one.metadata.name
        if goes:
            there.pop(name, None)
            made.remove(name, 0.0)
        else:
            there[name] = one
            made.place(one, 0.0)
            made.wait_in_line(name)
    for zone in {zones.key_of(one) for one in there.values()}:
        members = [one for one in there.values() if zones.key_of(one) == zone]
        ready = sum(health.ready(one) == "True" for one in members)
        assert (made[zone].ready, made[zone].unready) == (ready, len(members) - ready)
        assert set(made[zone].waiting) <= {one.metadata.name for one in members}
    ready = any(health.ready(one) == "True" for one in there.values())
    assert made.disrupted is (bool(there) and not ready)


def evicted(cluster: FakeCluster) -> set[str]:
    return {one.metadata.name for one in cluster.api.all(core_v1.Node) if health.is_evicting(one)}


def lose(cluster: FakeCluster, names: Iterable[str]) -> None:
    for name in names:
        found = cluster.api.find(core_v1.Node, name)
        cluster.api.change(found, lambda copy: setattr(copy.status.conditions[0], "status", "False"))


async def beat(cluster: FakeCluster, seconds: float) -> None:
    """Let time pass in which all nodes are heard of."""
    while seconds > 0:
        await cluster.clock.advance(min(seconds, 20))
        seconds -= 20
        stamp = times.to_time(cluster.clock.time())
        for one in cluster.api.all(core_v1.Node):
            cluster.api.change(
                one, lambda copy, stamp=stamp: setattr(copy.status.conditions[0], "lastHeartbeatTime", stamp)
            )
        await cluster.settled()


ONLY = "node-lifecycle-controller"


async def test_lost_nodes_of_a_healthy_zone_are_evicted_one_in_ten_seconds() -> None:
    async with FakeCluster(only=ONLY) as cluster:
        cluster.api.seed(*(node(f"n{number}", "a") for number in range(20)))
        await cluster.settled()
        lose(cluster, ["n1", "n2", "n3"])
        await beat(cluster, 1)
        assert evicted(cluster) == {"n1"}
        await beat(cluster, 10)
        assert evicted(cluster) == {"n1", "n2"}
        back = cluster.api.find(core_v1.Node, "n3")
        cluster.api.change(back, lambda copy: setattr(copy.status.conditions[0], "status", "True"))
        await beat(cluster, 60)
        assert evicted(cluster) == {"n1", "n2"}


async def test_small_zones_that_are_mostly_lost_are_left_alone_and_others_are_not() -> None:
    async with FakeCluster(only=ONLY) as cluster:
        cluster.api.seed(*(node(f"a{number}", "a") for number in range(5)))
        cluster.api.seed(*(node(f"b{number}", "b") for number in range(5)))
        await cluster.settled()
        lose(cluster, ["a0", "a1", "a2", "b0"])
        await beat(cluster, 100)
        assert evicted(cluster) == {"b0"}
        lose(cluster, ["a3", "a4"])
        await beat(cluster, 11)
        assert len(evicted(cluster) - {"b0"}) == 1
        await beat(cluster, 60)
        assert evicted(cluster) == {"a0", "a1", "a2", "a3", "a4", "b0"}


async def test_big_zones_that_are_mostly_lost_are_evicted_slowly() -> None:
    settings = dataclasses.replace(Settings(), large_cluster_size_threshold=4)
    async with FakeCluster(only=ONLY, settings=settings) as cluster:
        cluster.api.seed(*(node(f"n{number}") for number in range(6)))
        await cluster.settled()
        lose(cluster, [f"n{number}" for number in range(4)])
        await beat(cluster, 90)
        assert len(evicted(cluster)) == 1
        await beat(cluster, 100)
        assert len(evicted(cluster)) == 2


async def test_nothing_is_evicted_while_no_node_of_any_zone_is_ready() -> None:
    async with FakeCluster(only=ONLY) as cluster:
        cluster.api.seed(node("a0", "a"), node("a1", "a"), node("b0", "b"))
        await cluster.settled()
        lose(cluster, ["a0"])
        await beat(cluster, 5)
        assert evicted(cluster) == {"a0"}
        lose(cluster, ["a1", "b0"])
        await beat(cluster, 200)
        assert evicted(cluster) == set()
        back = cluster.api.find(core_v1.Node, "b0")
        cluster.api.change(back, lambda copy: setattr(copy.status.conditions[0], "status", "True"))
        await beat(cluster, 1)
        assert evicted(cluster) == set()
        await beat(cluster, 40)
        assert evicted(cluster) == {"a0", "a1"}


async def test_nothing_is_evicted_any_more_when_the_last_ready_node_is_removed() -> None:
    async with FakeCluster(only=ONLY) as cluster:
        cluster.api.seed(node("n0"), node("n1"))
        await cluster.settled()
        lose(cluster, ["n0"])
        await beat(cluster, 5)
        assert evicted(cluster) == {"n0"}
        cluster.api.remove(cluster.api.find(core_v1.Node, "n1"))
        await cluster.settled()
        assert evicted(cluster) == set()


async def test_the_reason_of_an_eviction_follows_the_node_at_once() -> None:
    async with FakeCluster(only=ONLY) as cluster:
        cluster.api.seed(*(node(f"n{number}") for number in range(5)))
        await cluster.settled()
        lose(cluster, ["n0"])
        await beat(cluster, 5)
        found = cluster.api.find(core_v1.Node, "n0")
        cluster.api.change(found, lambda copy: setattr(copy.status.conditions[0], "status", "Unknown"))
        await cluster.settled()
        keys = {taint.key for taint in cluster.api.find(core_v1.Node, "n0").spec.taints}
        assert keys == {health.UNREACHABLE}


async def test_excluded_nodes_say_nothing_about_their_zone() -> None:
    async with FakeCluster(only=ONLY) as cluster:
        excluded = node("n0", **{zones.EXCLUDED: "true"})
        cluster.api.seed(excluded, node("n1"))
        await cluster.settled()
        lose(cluster, ["n1"])
        await beat(cluster, 30)
        assert evicted(cluster) == set()
