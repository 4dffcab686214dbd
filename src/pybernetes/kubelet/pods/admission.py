"""Whether a pod that was bound to this node has a place here. Pure.

The scheduler has looked already; but pods may be bound by somebody else, or while the node changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pybernetes.api import host_ports, node_selection, quantity, quotas, tolerations
from pybernetes.api.types import core_v1

SYSTEM = "linux"
PODS = "pods"
# Looked at first and in this order; only the first reason is told.
_FIRST = ("cpu", "memory", "ephemeral-storage")


class Refusal(NamedTuple):
    """`reason` becomes that of the pod's status and of the event about it."""

    reason: str
    message: str

    @property
    def shown(self) -> tuple[str, str]:
        """Reason and message of the status."""
        return self.reason, f"Pod was rejected: {self.message}"


def refusal(pod: core_v1.Pod, node: core_v1.Node, others: Sequence[core_v1.Pod]) -> Refusal | None:
    """Why the node does not take the pod besides the `others` that it has; None if it does."""
    spec = pod.spec
    if spec.os is not None and spec.os.name != SYSTEM:
        return Refusal("PodOSNotSupported", "Failed to admit pod as the OS field doesn't match node OS")
    lacking = _lacking(pod, node, others)
    if lacking is not None:
        return lacking
    if not node_selection.matches(spec, node):
        return _failed("NodeAffinity", "node(s) didn't match Pod's node affinity/selector")
    taken = [port for other in others for port in host_ports.of(other.spec)]
    if any(port.clashes(used) for port in host_ports.of(spec) for used in taken):
        return _failed("NodePorts", "node(s) didn't have free ports for the requested pod ports")
    for taint in node.spec.taints:
        if taint.effect == tolerations.NO_EXECUTE and not tolerations.tolerated(
            spec.tolerations, taint.key, taint.value, taint.effect
        ):
            return _failed("TaintToleration", "node(s) had taints that the pod didn't tolerate")
    return None


def _failed(predicate: str, why: str) -> Refusal:
    return Refusal(predicate, f"Predicate {predicate} failed: {why}")


def _lacking(pod: core_v1.Pod, node: core_v1.Node, others: Sequence[core_v1.Pod]) -> Refusal | None:
    room = node.status.allocatable
    if PODS in room and len(others) + 1 > room[PODS].as_int():
        return _out_of(PODS, 1, len(others), room[PODS].as_int())
    wanted = quotas.pod_total(pod, "requests")
    names = [name for name in _FIRST if name in wanted]
    # What the node does not know of is somebody else's to give.
    names += sorted(name for name in wanted if name not in _FIRST and name in room)
    for name in names:
        asked, whole = _amount(name, wanted[name]), _amount(name, room.get(name, quotas.ZERO))
        if not asked:
            continue
        used = _used(name, others)
        if used + asked > whole:
            return _out_of(name, asked, used, whole)
    return None


def _used(name: str, others: Iterable[core_v1.Pod]) -> int:
    return sum(_amount(name, quotas.pod_total(other, "requests").get(name, quotas.ZERO)) for other in others)


def _amount(name: str, value: quantity.Quantity) -> int:
    return value.milli() if name == "cpu" else value.as_int()


def _out_of(name: str, asked: int, used: int, whole: int) -> Refusal:
    counts = f"requested: {asked}, used: {used}, capacity: {whole}"
    return Refusal(f"OutOf{name}", f"Node didn't have enough resource: {name}, {counts}")
