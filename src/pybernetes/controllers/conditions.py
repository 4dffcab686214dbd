"""Condition lists: every kind has its own condition type, all of one shape."""

from __future__ import annotations

from typing import Any, Protocol, TypeVar


class Condition(Protocol):
    """What all condition types have."""

    type: str


C = TypeVar("C", bound=Condition)


def find(conditions: list[C], kind: str) -> C | None:
    for condition in conditions:
        if condition.type == kind:
            return condition
    return None


def without(conditions: list[C], kind: str) -> list[C]:
    return [condition for condition in conditions if condition.type != kind]


def put(conditions: list[Any], condition: Any) -> list[Any]:
    """The list with the condition added or replaced.

    Unchanged where status and reason are as before; the transition time is kept where the status is.
    """
    known = find(conditions, condition.type)
    if known is not None and known.status == condition.status:
        if known.reason == condition.reason:
            return conditions
        condition.lastTransitionTime = known.lastTransitionTime
    return [*without(conditions, condition.type), condition]
