"""Hints: which zones and nodes endpoints are for."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybernetes.api import codecs
from pybernetes.api.types import core_v1, discovery_v1
from pybernetes.controllers.endpointslice import topology
from tests.fakes.cluster import FakeCluster

KEY, FAMILY = "default/web", "IPv4"


def node(name: str, zone: str = "a", cpu: str = "4", *, ready: bool = True, **labels: str) -> core_v1.Node:
    tree = {
        "metadata": {"name": name, "labels": ({topology.ZONE: zone} if zone else {}) | labels},
        "status": {
            "allocatable": {"cpu": cpu},
            "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
        },
    }
    return codecs.from_tree(core_v1.Node, tree)


def endpoint(number: int, zone: str | None, *, ready: bool = True) -> discovery_v1.Endpoint:
    tree = {"addresses": [f"10.0.0.{number}"], "conditions": {"ready": ready}, "nodeName": f"n-{zone}"}
    return codecs.from_tree(discovery_v1.Endpoint, tree | ({"zone": zone} if zone is not None else {}))


def slice_of(*zones: str | None, name: str = "web-1") -> discovery_v1.EndpointSlice:
    one = codecs.from_tree(discovery_v1.EndpointSlice, {"metadata": {"name": name}, "addressType": FAMILY})
    one.endpoints = [endpoint(number, zone) for number, zone in enumerate(zones)]
    return one


def service(distribution: str | None = None, **annotations: str) -> core_v1.Service:
    keys = {"mode": topology.MODE, "old": topology.OLD_MODE}
    meta = {"name": "web", "namespace": "default", "annotations": {keys[key]: v for key, v in annotations.items()}}
    return codecs.from_tree(core_v1.Service, {"metadata": meta, "spec": {"trafficDistribution": distribution}})


def zones(*slices: discovery_v1.EndpointSlice) -> list[str]:
    """The zone that each endpoint is for."""
    return [
        "" if one.hints is None else ",".join(zone.name for zone in one.hints.forZones)
        for found in slices
        for one in found.endpoints
    ]


def spread(nodes: list[core_v1.Node], *slices: discovery_v1.EndpointSlice) -> topology.Changes:
    made = topology.Topology()
    made.learn(nodes)
    changes = topology.Changes(list(slices), [], [])
    made.spread(changes, KEY, FAMILY)
    return changes


@pytest.mark.parametrize(
    ("nodes", "wanted"),
    [
        ([node("1"), node("2", "b", "12")], {"a": 0.25, "b": 0.75}),
        ([node("1"), node("2", "b"), node("3", "c", ready=False)], {"a": 0.5, "b": 0.5}),
        ([node("1"), node("2", "b"), node("3", "", **{"node-role.kubernetes.io/master": ""})], {"a": 0.5, "b": 0.5}),
        ([node("1"), node("2")], {}),
        ([node("1"), node("2", "b"), node("3", "")], {}),
        ([node("1"), node("2", "b"), node("3", "c", "0")], {}),
        ([], {}),
    ],
)
def test_ratios(nodes: list[core_v1.Node], wanted: dict[str, float]) -> None:
    assert topology.ratios(nodes) == wanted


EVEN = [node("1"), node("2", "b")]


@pytest.mark.parametrize(
    ("held", "wanted"),
    [
        (["a", "b"], ["a", "b"]),
        (["a", "a", "b", "b"], ["a", "a", "b", "b"]),
        (["a", "a", "a", "b"], ["b", "a", "a", "b"]),
        (["a"] * 4, ["b", "b", "a", "a"]),
        (["a", "a", "b"], f"{topology.OVERLOADED} (3 endpoints, 2 zones)"),
        (["a"], "Insufficient number of endpoints (1 endpoints, 2 zones)"),
        (["a", "a", "b", None], "One or more endpoints do not have a zone specified"),
    ],
)  # fmt: skip
def test_endpoints_are_dealt_out_by_cpu(held: list[str | None], wanted: list[str] | str) -> None:
    changes = spread(EVEN, slice_of(*held))
    if isinstance(wanted, str):
        assert changes.events == [("Warning", "TopologyAwareHintsDisabled", f"{wanted}, addressType: IPv4")]
        assert set(zones(*changes.create)) == {""}
    else:
        assert zones(*changes.create) == wanted
        message = "Topology Aware Hints has been enabled, addressType: IPv4"
        assert changes.events == [("Normal", "TopologyAwareHintsEnabled", message)]


def test_what_is_right_stays_and_what_is_not_is_written() -> None:
    made = topology.Topology()
    made.learn(EVEN)
    right = spread(EVEN, slice_of("a", "b")).create[0]
    stale = slice_of("a", "b", name="web-2")
    changes = topology.Changes([], [], [right, stale])
    made.spread(changes, KEY, FAMILY)
    assert (changes.unchanged, [one.metadata.name for one in changes.update]) == ([right], ["web-2"])
    assert zones(stale) == ["", ""]
    assert zones(*changes.update) == ["a", "b"]


def test_nodes_that_go_have_services_looked_at_again() -> None:
    made = topology.Topology()
    assert made.learn(EVEN) == []
    made.spread(topology.Changes([slice_of("a", "b")], [], []), KEY, FAMILY)
    assert made.learn(EVEN) == []
    assert made.learn([*EVEN, node("3", "c")]) == [KEY]
    assert made.learn(EVEN[:1]) == [KEY]
    assert made.forget(KEY, FAMILY)
    assert not made.forget(KEY, FAMILY)
    assert made.learn(EVEN[:1]) == []


@pytest.mark.parametrize(
    ("asked", "auto", "close"),
    [
        (service(), False, False),
        (service("PreferClose"), False, True),
        (service("PreferSameNode"), False, True),
        (service("Other"), False, False),
        (service("PreferClose", mode="Auto"), True, False),
        (service(mode="auto"), True, False),
        (service(mode="Auto", old="Disabled"), False, False),
        (service(mode="Example"), False, False),
    ],
)
def test_what_services_ask_for(asked: core_v1.Service, auto: bool, close: bool) -> None:
    assert (topology.is_auto(asked), topology.is_close(asked)) == (auto, close)


def test_close_ones() -> None:
    changes = topology.Changes([slice_of("a", None)], [], [slice_of("b", name="web-2")])
    topology.close(changes, service("PreferClose"))
    assert zones(*changes.create, *changes.update) == ["a", "", "b"]
    assert changes.unchanged == []
    again = topology.Changes([], [], changes.written())
    topology.close(again, service("PreferSameZone"))
    assert again.update == []
    topology.close(again, service("PreferSameNode"))
    hints = [one.hints for found in again.update for one in found.endpoints]
    assert [[found.name for found in one.forNodes] for one in hints if one is not None] == [
        ["n-a"],
        ["n-None"],
        ["n-b"],
    ]
    topology.clear(again)
    assert zones(*again.update) == ["", "", ""]


CPU = st.integers(1, 64)


@given(
    st.lists(CPU, min_size=2, max_size=5),
    st.lists(st.lists(st.integers(0, 4), max_size=40), min_size=1, max_size=3),
)
def test_no_zone_is_overloaded_by_more_than_a_fifth(cpus: list[int], held: list[list[int]]) -> None:
    nodes = [node(str(number), f"z{number}", str(cpu)) for number, cpu in enumerate(cpus)]
    slices = [
        slice_of(*(f"z{number % len(cpus)}" for number in zones), name=f"web-{index}")
        for index, zones in enumerate(held)
    ]
    changes = spread(nodes, *slices)
    found = zones(*changes.create)
    total = len(found)
    if set(found) <= {""}:
        assert [reason for _, reason, _ in changes.events] == ["TopologyAwareHintsDisabled"]
        return
    for number, cpu in enumerate(cpus):
        share = total * cpu / sum(cpus)
        # Endpoints are whole: a zone can be short of one, as upstream's can.
        assert found.count(f"z{number}") + 1 >= math.ceil(share / 1.2)


async def test_hints_follow_pods_and_services() -> None:
    async with FakeCluster(only="endpointslice-controller", kubelet=False) as cluster:
        cluster.api.seed(*EVEN)
        for number, name in enumerate(("1", "1", "2", "2")):
            tree: dict[str, Any] = {
                "metadata": {"name": f"p{number}", "namespace": "default", "labels": {"app": "web"}},
                "spec": {"nodeName": name},
                "status": {
                    "phase": "Running", "podIP": f"10.0.0.{number}",
                    "conditions": [{"type": "Ready", "status": "True"}],
                },
            }  # fmt: skip
            cluster.api.seed(codecs.from_tree(core_v1.Pod, tree))
        made = service(mode="Auto")
        made.spec.selector, made.spec.clusterIP, made.spec.ipFamilies = {"app": "web"}, "10.96.0.9", ["IPv4"]
        cluster.api.seed(made)
        await cluster.settled()
        (one,) = cluster.api.all(discovery_v1.EndpointSlice)
        assert sorted(zones(one)) == ["a", "a", "b", "b"]
        writes = len(cluster.api.calls)
        cluster.api.change(made, lambda copy: copy.metadata.labels.update(team="shop"))
        await cluster.settled()
        # One write for the label, none for hints that are right.
        assert len([call for call in cluster.api.calls[writes:] if "endpointslices" in call.path]) == 1
        cluster.api.change(made, lambda copy: copy.metadata.annotations.clear())
        await cluster.settled()
        (one,) = cluster.api.all(discovery_v1.EndpointSlice)
        assert set(zones(one)) == {""}
        assert cluster.events() == [
            "Topology Aware Hints has been enabled, addressType: IPv4",
            "Topology Aware Hints has been disabled, addressType: IPv4",
        ]
