from __future__ import annotations

import pytest

from pybernetes.api import codecs
from pybernetes.api.quantity import Quantity
from pybernetes.api.types import core_v1
from pybernetes.kubelet.fleet import nodes

NOW = "2026-01-01T00:00:00Z"


def test_nodes_are_dealt_out_to_zones() -> None:
    made = list(nodes.specs(["a", "b", "c"], zones=["x", "y"], labels={"pool": "p"}))
    assert [spec.labels[nodes.ZONE] for spec in made] == ["x", "y", "x"]
    assert made[0].labels["pool"] == "p"


def test_a_node_is_ready_and_as_large_as_told() -> None:
    spec = nodes.Spec(name="a", capacity={"cpu": "8", "example.com/gpu": "2"}, taints=[("k", "v", "NoSchedule")])
    node = nodes.wanted(spec, address="127.0.0.1", port=10250, now=NOW)
    assert nodes.is_simulated(node)
    assert nodes.is_complete(node)
    assert node.status.allocatable["cpu"] == Quantity("8")
    assert node.status.capacity["example.com/gpu"] == Quantity("2")
    assert node.metadata.labels[nodes.HOSTNAME] == "a"
    assert [(t.key, t.value, t.effect) for t in node.spec.taints] == [("k", "v", "NoSchedule")]


@pytest.mark.parametrize(
    ("annotations", "status", "cpu"),
    [
        ({nodes.ANNOTATION: "true"}, {}, "32"),
        ({nodes.ANNOTATION: "true", nodes.CAPACITY: "cpu=2"}, {}, "2"),
        ({nodes.KWOK: "fake"}, {"capacity": {"cpu": "4"}, "allocatable": {"cpu": "3"}}, "3"),
        ({nodes.KWOK: "fake"}, {"allocatable": {"cpu": "3"}}, "3"),
        ({nodes.ANNOTATION: "true", nodes.CAPACITY: "cpu=lots"}, {}, "32"),
    ],
)
def test_a_node_of_somebody_else_keeps_its_size(annotations: dict[str, str], status: object, cpu: str) -> None:
    tree = {"metadata": {"name": "a", "annotations": annotations}, "status": status}
    node = codecs.from_tree(core_v1.Node, tree)
    assert not nodes.is_complete(node)
    node.status = nodes.adopted(node, address="127.0.0.1", port=10250, now=NOW)
    assert nodes.is_complete(node)
    assert str(node.status.allocatable["cpu"]) == cpu


def test_capacities_are_read() -> None:
    assert nodes.parse_capacity("cpu=8, memory=64Gi") == {"cpu": "8", "memory": "64Gi"}
    with pytest.raises(ValueError, match="RESOURCE=QUANTITY"):
        nodes.parse_capacity("cpu")
    with pytest.raises(ValueError, match="quantit"):
        nodes.parse_capacity("cpu=many")
