"""How the scheduler says that a pod fits nowhere, in upstream's words."""

from __future__ import annotations

from collections.abc import Mapping

NO_NODES = "no nodes available to schedule pods"
NOT_HELPFUL = "Preemption is not helpful for scheduling"
NO_VICTIMS = "No preemption victims found for incoming pod"
# What an event's text may hold.
EVENT_LIMIT = 1024


def fit_error(nodes: int, reasons: Mapping[str, int], afterword: str = "", message: str = "") -> str:
    """`0/3 nodes are available: 1 Insufficient cpu, 2 node(s) were unschedulable. preemption: ...`

    `message` stands in the place of the reasons where one thing keeps the pod off all nodes.
    """
    text = f"0/{nodes} nodes are available:"
    counted = [message] if message else sorted(f"{count} {reason}" for reason, count in reasons.items())
    if counted:
        text += f" {', '.join(counted)}."
    return f"{text} {afterword}" if afterword else text


def refused(reason: str) -> str:
    """Why a pod that had its node may not be bound there."""
    return fit_error(1, {reason: 1})


def not_helpful(nodes: int, resolvable: int, reasons: Mapping[str, int]) -> str:
    """Why removing others does not help: `reasons` speak for the `resolvable` nodes."""
    counted = dict(reasons)
    if nodes - resolvable:
        counted[NOT_HELPFUL] = nodes - resolvable
    return fit_error(nodes, counted)


def for_event(message: str) -> str:
    return message if len(message) <= EVENT_LIMIT else f"{message[: EVENT_LIMIT - 4]} ..."
