"""What a DeviceTaintRule says about what it does: the condition EvictionInProgress, in upstream's words."""

from __future__ import annotations

from typing import NamedTuple

from pybernetes.api import times, tolerations
from pybernetes.api.types import meta_v1
from pybernetes.controllers import conditions
from pybernetes.controllers.device_taints import decide

TYPE = "EvictionInProgress"
# The shortest time between two updates, in seconds.
PERIOD = 10.0


class Seen(NamedTuple):
    """What there is to count: pods that are to go, in how many namespaces, and, of a rule without an effect, devices
    that it is about: those that are published, and those that are given to somebody."""

    pods: int = 0
    namespaces: int = 0
    published: int = 0
    allocated: int = 0


def found(rule: decide.Rule) -> meta_v1.Condition | None:
    return conditions.find(rule.status.conditions, TYPE)


def wait(rule: decide.Rule, now: float) -> float:
    """In how many seconds the status may be written; 0: it may be now."""
    known = found(rule)
    if known is None or known.observedGeneration != rule.metadata.generation or not known.lastTransitionTime:
        return 0.0
    return max(PERIOD - (now - times.parse(known.lastTransitionTime)), 0.0)


def condition(rule: decide.Rule, seen: Seen, evicted: int, now: float) -> meta_v1.Condition:
    """`evicted`: how many pods went because of the rule since the controller began.

    Its time is when anything about it has changed, not only its status.
    """
    effect = rule.spec.taint.effect
    reason, message = "OtherEffect", "Eviction only happens for the NoExecute effect."
    if effect == tolerations.NO_EXECUTE:
        reason, message = "Completed" if evicted else "NotStarted", ""
        if seen.pods:
            reason = "PodsPendingEviction"
            message = f"{_count(seen.pods, 'pod needs', 'pods need')} to be evicted in {_namespaces(seen)}."
    elif effect == "None":
        reason = "NoEffect"
        message = (
            f"{_count(seen.published, 'published device', 'published devices')} selected. "
            f"{_count(seen.allocated, 'allocated device', 'allocated devices')} selected. "
            f"{_count(seen.pods, 'pod', 'pods')} would be evicted in {_namespaces(seen)} if the effect was NoExecute. "
            "This information will not be updated again. Recreate the DeviceTaintRule to trigger an update."
        )
    if evicted:
        message += f"{' ' if message else ''}{_count(evicted, 'pod', 'pods')} evicted since starting the controller."
    made = meta_v1.Condition(
        type=TYPE,
        status="True" if reason == "PodsPendingEviction" else "False",
        reason=reason,
        message=message,
        observedGeneration=rule.metadata.generation,
    )
    known = found(rule)
    made.lastTransitionTime = known.lastTransitionTime if known is not None else None
    if made != known:
        made.lastTransitionTime = times.to_time(now)
    return made


def _count(number: int, one: str, several: str) -> str:
    return f"{number} {one if number == 1 else several}"


def _namespaces(seen: Seen) -> str:
    return _count(seen.namespaces, "namespace", "different namespaces")
