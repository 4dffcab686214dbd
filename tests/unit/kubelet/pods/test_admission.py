from __future__ import annotations

import pathlib
from typing import Any

import pytest

from pybernetes.api.quantity import Quantity
from pybernetes.api.types import core_v1, meta_v1
from pybernetes.kubelet.pods import admission
from tests.fakes import node as nodes


def machine(*taints: core_v1.Taint, **allocatable: str) -> core_v1.Node:
    room = {"cpu": "2", "memory": "1Gi", "ephemeral-storage": "10Gi", "pods": "3"} | allocatable
    return core_v1.Node(
        metadata=meta_v1.ObjectMeta(name="n1", labels={"disk": "ssd"}),
        spec=core_v1.NodeSpec(taints=list(taints)),
        status=core_v1.NodeStatus(allocatable={name: Quantity(amount) for name, amount in room.items()}),
    )


def asking(name: str = "web", *, host_port: int = 0, host_ip: str = "", **requests: str) -> core_v1.Pod:
    wanted = {key.replace("__", "/"): Quantity(amount) for key, amount in requests.items()}
    ports = [core_v1.ContainerPort(containerPort=80, hostPort=host_port, hostIP=host_ip)] if host_port else []
    container = nodes.container(resources=core_v1.ResourceRequirements(requests=wanted), ports=ports)
    return nodes.pod(name, container)


def tainted(effect: str) -> core_v1.Node:
    return machine(core_v1.Taint(key="k", value="v", effect=effect))


def test_what_fits() -> None:
    others = [asking("a", cpu="1500m", host_port=80, host_ip="10.0.0.1"), asking("b", memory="1Gi")]
    assert admission.refusal(asking(cpu="500m", host_port=80, host_ip="10.0.0.2"), machine(), others) is None
    assert admission.refusal(asking(), tainted("NoSchedule"), []) is None
    # Devices that the node does not know of are given out by others.
    assert admission.refusal(asking(example__gpu="9"), machine(), []) is None


@pytest.mark.parametrize(
    ("pod", "node", "others", "reason", "message"),
    [
        (asking(cpu="600m"), machine(), [asking("a", cpu="1500m")], "OutOfcpu",
         "Node didn't have enough resource: cpu, requested: 600, used: 1500, capacity: 2000"),
        (asking(memory="2Gi", cpu="1"), machine(), [], "OutOfmemory",
         f"Node didn't have enough resource: memory, requested: {2 << 30}, used: 0, capacity: {1 << 30}"),
        (asking(), machine(), [asking("a"), asking("b"), asking("c")], "OutOfpods",
         "Node didn't have enough resource: pods, requested: 1, used: 3, capacity: 3"),
        (asking(example__gpu="2"), machine(**{"example/gpu": "1"}), [], "OutOfexample/gpu",
         "Node didn't have enough resource: example/gpu, requested: 2, used: 0, capacity: 1"),
        (asking(host_port=80), machine(), [asking("a", host_port=80, host_ip="10.0.0.1")], "NodePorts",
         "Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports"),
        (nodes.pod(nodeSelector={"disk": "hdd"}), machine(), [], "NodeAffinity",
         "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector"),
        (asking(), tainted("NoExecute"), [], "TaintToleration",
         "Predicate TaintToleration failed: node(s) had taints that the pod didn't tolerate"),
        (nodes.pod(os=core_v1.PodOS(name="windows")), machine(), [], "PodOSNotSupported",
         "Failed to admit pod as the OS field doesn't match node OS"),
    ],
)  # fmt: skip
def test_what_does_not(
    pod: core_v1.Pod, node: core_v1.Node, others: list[core_v1.Pod], reason: str, message: str
) -> None:
    assert admission.refusal(pod, node, others) == (reason, message)


async def test_a_pod_without_a_place_fails_and_the_next_may_have_it(tmp_path: pathlib.Path) -> None:
    async with nodes.running(tmp_path) as node:
        for name in ("one", "two"):
            await node.client.create(asking(name, host_port=80))
        await node.until(lambda: {node.phase("one"), node.phase("two")} == {"Running", "Failed"})
        loser = "one" if node.phase("one") == "Failed" else "two"
        status: Any = node.pod(loser).status  # type: ignore[union-attr]
        message = "Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports"
        assert (status.reason, status.message) == ("NodePorts", f"Pod was rejected: {message}")
        await node.until(lambda: ("NodePorts", message) in node.events(loser))
        assert not [reason for reason, _ in node.events(loser) if reason in ("Pulled", "Created", "Started")]
        winner = {"one": "two", "two": "one"}[loser]
        await node.client.delete(core_v1.Pod, winner, "default")
        await node.until(lambda: node.pod(winner) is None, seconds=60.0)
        await node.client.create(asking("three", host_port=80))
        await node.until(lambda: node.phase("three") == "Running")


async def test_what_is_known_of_the_node_may_be_old(tmp_path: pathlib.Path) -> None:
    async with nodes.running(tmp_path) as node:
        known = node.api.find(core_v1.Node, nodes.NODE)
        node.api.change(known, lambda copy: copy.metadata.labels.update(disk="ssd"))
        await node.client.create(nodes.pod(nodeSelector={"disk": "ssd"}))
        await node.until(lambda: node.phase("web") == "Running")
