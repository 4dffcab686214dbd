"""A node's conditions and taints: pure decisions of the node lifecycle controller."""

from __future__ import annotations

from pybernetes.api import times
from pybernetes.api.types import core_v1
from pybernetes.controllers import conditions

NOT_READY = "node.kubernetes.io/not-ready"
UNREACHABLE = "node.kubernetes.io/unreachable"
UNSCHEDULABLE = "node.kubernetes.io/unschedulable"
NO_SCHEDULE, NO_EXECUTE = "NoSchedule", "NoExecute"

# Condition and status -> the taint that keeps new pods away.
_TAINTS = {
    ("Ready", "False"): NOT_READY,
    ("Ready", "Unknown"): UNREACHABLE,
    ("MemoryPressure", "True"): "node.kubernetes.io/memory-pressure",
    ("DiskPressure", "True"): "node.kubernetes.io/disk-pressure",
    ("NetworkUnavailable", "True"): "node.kubernetes.io/network-unavailable",
    ("PIDPressure", "True"): "node.kubernetes.io/pid-pressure",
}
# Label -> the older one that must say the same.
_OLD_LABELS = {
    "kubernetes.io/os": "beta.kubernetes.io/os",
    "kubernetes.io/arch": "beta.kubernetes.io/arch",
}
_OURS = frozenset((*_TAINTS.values(), UNSCHEDULABLE))
_GO_UNKNOWN = ("Ready", "MemoryPressure", "DiskPressure", "PIDPressure")


def ready(node: core_v1.Node) -> str:
    """The status of the Ready condition; empty where it has none."""
    condition = conditions.find(node.status.conditions, "Ready")
    return condition.status if condition is not None else ""


def silent(node: core_v1.Node, now: float) -> list[core_v1.NodeCondition]:
    """The conditions of a node that has not been heard of for too long."""
    stamp = times.to_time(now)
    result = list(node.status.conditions)
    for kind in _GO_UNKNOWN:
        known = conditions.find(result, kind)
        if known is not None and known.status == "Unknown":
            continue
        fresh = core_v1.NodeCondition(type=kind, status="Unknown", lastTransitionTime=stamp)
        if known is None:
            fresh.reason, fresh.message = "NodeStatusNeverUpdated", "Kubelet never posted node status."
            fresh.lastHeartbeatTime = node.metadata.creationTimestamp
            result.append(fresh)
        else:
            fresh.reason, fresh.message = "NodeStatusUnknown", "Kubelet stopped posting node status."
            fresh.lastHeartbeatTime = known.lastHeartbeatTime
            result[result.index(known)] = fresh
    return result


def labels(node: core_v1.Node) -> dict[str, str]:
    """The labels that the node should have besides, or that should be otherwise; mostly none."""
    known = node.metadata.labels
    return {old: known[new] for new, old in _OLD_LABELS.items() if new in known and known.get(old) != known[new]}


def taints(node: core_v1.Node, *, evicting: bool, now: float) -> list[core_v1.Taint]:
    """The taints that the node should have; others' are kept.

    `evicting`: if it is not ready, its pods are to go.
    """
    wanted = {(UNSCHEDULABLE, NO_SCHEDULE)} if node.spec.unschedulable else set()
    for condition in node.status.conditions:
        key = _TAINTS.get((condition.type, condition.status))
        if key is not None:
            wanted.add((key, NO_SCHEDULE))
    reason = {"False": NOT_READY, "Unknown": UNREACHABLE}.get(ready(node))
    if reason is not None and evicting:
        wanted.add((reason, NO_EXECUTE))
    kept = [taint for taint in node.spec.taints if not _is_ours(taint) or (taint.key, taint.effect) in wanted]
    missing = wanted - {(taint.key, taint.effect) for taint in kept}
    stamp = times.to_time(now)
    return kept + [core_v1.Taint(key=key, effect=effect, timeAdded=stamp) for key, effect in sorted(missing)]


def is_evicting(node: core_v1.Node) -> bool:
    """Whether the node's pods have been told to go, for either reason."""
    return any(taint.effect == NO_EXECUTE and taint.key in (NOT_READY, UNREACHABLE) for taint in node.spec.taints)


def _is_ours(taint: core_v1.Taint) -> bool:
    if taint.effect == NO_SCHEDULE:
        return taint.key in _OURS
    return taint.effect == NO_EXECUTE and taint.key in (NOT_READY, UNREACHABLE)
