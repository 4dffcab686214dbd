"""How the scheduler says that a pod fits nowhere, in upstream's words."""

from __future__ import annotations

from collections.abc import Mapping

NO_NODES = "no nodes available to schedule pods"
NOT_HELPFUL = "Preemption is not helpful for scheduling"
NO_VICTIMS = "No preemption victims found for incoming pod"
# Claims on devices are not given away yet, so there are never any to take back.
NO_CLAIMS = "no new claims to deallocate"
NEVER = f"{NO_CLAIMS}, preemption: not eligible due to preemptionPolicy=Never."
# What an event's text may hold.
EVENT_LIMIT = 1024


def fit_error(nodes: int, reasons: Mapping[str, int], afterword: str = "") -> str:
    """`0/3 nodes are available: 1 Insufficient cpu, 2 node(s) were unschedulable. preemption: ...`"""
    counted = sorted(f"{count} {reason}" for reason, count in reasons.items())
    message = f"0/{nodes} nodes are available:"
    if counted:
        message += f" {', '.join(counted)}."
    return f"{message} {afterword}" if afterword else message


def preemption(nodes: int, resolvable: int) -> str:
    """The afterword where no pods are removed for this one; `resolvable` nodes could have been made to fit."""
    reasons = {}
    if nodes - resolvable:
        reasons[NOT_HELPFUL] = nodes - resolvable
    if resolvable:
        reasons[NO_VICTIMS] = resolvable
    return f"{NO_CLAIMS}, preemption: {fit_error(nodes, reasons)}"


def for_event(message: str) -> str:
    return message if len(message) <= EVENT_LIMIT else f"{message[: EVENT_LIMIT - 4]} ..."
