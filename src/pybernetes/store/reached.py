"""Those who wait until the sinks have been called with all up to some revision; shared by all stores."""

from __future__ import annotations

import asyncio
import heapq
import itertools


class Reached:
    """`revision` only grows."""

    def __init__(self, revision: int) -> None:
        self.revision = revision
        self._order = itertools.count()
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []

    def advance(self, revision: int) -> None:
        self.revision = revision
        while self._waiting and self._waiting[0][0] <= revision:
            future = heapq.heappop(self._waiting)[2]
            if not future.done():
                future.set_result(None)

    async def wait(self, revision: int) -> None:
        if self.revision < revision:
            future = asyncio.get_running_loop().create_future()
            heapq.heappush(self._waiting, (revision, next(self._order), future))
            await future
