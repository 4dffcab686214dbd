"""Why a write happens: carried along the call by a context variable, from the event to the write it leads to."""

from __future__ import annotations

from contextvars import ContextVar
from typing import NamedTuple


class Cause(NamedTuple):
    """Who acts, on which work item, set in motion by which change."""

    actor: str
    item: str = ""
    event: str = ""


current: ContextVar[Cause | None] = ContextVar("cause", default=None)
