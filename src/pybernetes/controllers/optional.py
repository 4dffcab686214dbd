"""Controllers of kinds that are off by default: where these are not served, nothing of them is made."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from pybernetes.client import discovery
from pybernetes.controllers.context import Context, Controller


class Optional:
    """Asks once whether the kind is served, as upstream does at its start, and rests where it is not."""

    def __init__(self, context: Context, kind: type, make: Callable[[Context], Controller]) -> None:
        self._context, self._kind, self._make = context, kind, make

    async def run(self) -> None:
        if await discovery.is_served(self._context.client, self._kind):
            await self._make(self._context).run()
        await asyncio.Event().wait()


def where_served(kind: type, make: Callable[[Context], Controller]) -> Callable[[Context], Controller]:
    """For the table of controllers."""
    return lambda context: Optional(context, kind, make)
