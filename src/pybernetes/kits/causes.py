"""Why a write happens: carried along from the change of an object, over a work item, to the write it leads to."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any, NamedTuple


class Cause(NamedTuple):
    """Who acts, on which work item, set in motion by what (in words), by the change of which object as it was handed
    out (None: time)."""

    actor: str
    item: str = ""
    event: str = ""
    obj: Any = None


current: ContextVar[Cause | None] = ContextVar("cause", default=None)

# The object whose change is being told to handlers right now. A plain variable: handlers run to their end at once.
_arriving: list[Any] = [None]


def arrive(obj: Any) -> None:
    """What happens from here on is because of this object's change; None ends it."""
    _arriving[0] = obj


def arriving() -> Any:
    return _arriving[0]
