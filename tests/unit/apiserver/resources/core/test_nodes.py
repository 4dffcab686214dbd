from __future__ import annotations

from typing import Any

from pybernetes.api import codecs
from pybernetes.api.types import core_v1
from pybernetes.apiserver.resources.core import events, namespaces, nodes

NOW = 1_767_225_660.0
START = "2026-01-01T00:00:00Z"


def node(spec: Any = None, status: Any = None, **meta: Any) -> core_v1.Node:
    tree = {"metadata": {"name": "n", "creationTimestamp": START, **meta}, "spec": spec or {}, "status": status or {}}
    return codecs.from_tree(core_v1.Node, tree)


def test_row() -> None:
    info = {
        "kubeletVersion": "v1.36.2",
        "osImage": "Debian",
        "kernelVersion": "6.1",
        "architecture": "amd64",
        "containerRuntimeVersion": "containerd://1.6.20",
    }
    status = {
        "nodeInfo": info,
        "conditions": [{"type": "Ready", "status": "True"}],
        "addresses": [{"type": "InternalIP", "address": "10.0.0.1"}],
    }
    labels = {"node-role.kubernetes.io/control-plane": "", "kubernetes.io/role": "worker"}
    assert nodes.row(node({"unschedulable": True}, status, labels=labels), NOW) == (
        "n",
        "Ready,SchedulingDisabled",
        "control-plane,worker",
        "60s",
        "v1.36.2",
        "10.0.0.1",
        "<none>",
        "Debian",
        "6.1 (amd64)",
        "containerd://1.6.20",
    )
    assert list(nodes.row(node(), NOW))[1:3] == ["Unknown", "<none>"]
    lost = node(status={"conditions": [{"type": "Ready", "status": "Unknown"}]})
    assert list(nodes.row(lost, NOW))[1] == "NotReady"


def test_pod_ranges_are_given_once() -> None:
    old, new = node({"podCIDR": "10.1.0.0/24"}), node({"podCIDR": "10.2.0.0/24"})
    nodes.prepare_update(new, old)
    nodes.prepare_update(old, old)
    assert new.spec.podCIDRs == ["10.2.0.0/24"]
    (problem,) = nodes.validate_update(new, old)
    assert str(problem) == 'spec.podCIDRs: Forbidden: node updates may not change podCIDR except from "" to valid'
    assert nodes.validate_update(new, node()) == []


def test_taints_are_unique() -> None:
    taint = {"key": "a", "effect": "NoSchedule"}
    (problem,) = nodes.validate(node({"taints": [taint, taint]}))
    assert "taints must be unique by key and effect pair" in str(problem)


def test_namespaces() -> None:
    made = core_v1.Namespace()
    made.metadata.name = "x"
    namespaces.default(made)
    namespaces.prepare_create(made)
    assert made.spec.finalizers == ["kubernetes"]
    assert made.metadata.labels == {"kubernetes.io/metadata.name": "x"}
    assert made.status.phase == "Active"
    made.metadata.deletionTimestamp = START
    assert "may only be 'Terminating'" in str(namespaces.validate_status(made, made)[0])


def test_event_row() -> None:
    event = core_v1.Event(
        type="Warning",
        reason="Failed",
        message=" no \n",
        lastTimestamp=START,
        count=3,
        involvedObject=core_v1.ObjectReference(kind="Pod", name="web"),
        source=core_v1.EventSource(component="kubelet", host="n"),
    )
    assert list(events.row(event, NOW))[:7] == ["60s", "Warning", "Failed", "pod/web", "", "kubelet, n", "no"]
