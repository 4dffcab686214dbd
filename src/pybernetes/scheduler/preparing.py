"""Pods that have a node, while plugins do what must be done before the binding; until that is done they can be stopped.

A more important pod that takes their room needs nobody deleted then: they go back to those that wait for a node.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator


class Stopped(Exception):
    """The pod is not to be bound, and why."""


class _Pod:
    """`scope` ends the work when told to; `why` is "" until then."""

    __slots__ = ("scope", "why")

    def __init__(self, scope: asyncio.Timeout) -> None:
        self.scope, self.why = scope, ""


class Preparing:
    """All of them, by uid."""

    def __init__(self) -> None:
        self._pods: dict[str, _Pod] = {}

    @contextlib.asynccontextmanager
    async def of(self, uid: str) -> AsyncIterator[None]:
        """Around the work for a pod. Raises Stopped where somebody wanted that before the work was done."""
        # Ends the body only when it is told to: without a time of its own.
        one = _Pod(asyncio.timeout(None))
        try:
            async with one.scope:
                self._pods[uid] = one
                yield
        except TimeoutError:
            if not one.why:
                raise
        finally:
            self._pods.pop(uid, None)
        if one.why:
            raise Stopped(one.why)

    def stop(self, uid: str, why: str) -> bool:
        """Whether there was such a pod; it is not bound then."""
        found = self._pods.get(uid)
        if found is None:
            return False
        if not found.why:
            found.why = why
            found.scope.reschedule(asyncio.get_running_loop().time())
        return True
