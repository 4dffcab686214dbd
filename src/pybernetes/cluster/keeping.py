"""Keeps a component of this process running: one that fails is logged and started again, a little later each time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from pybernetes.cluster import processes
from pybernetes.kits import backoff
from pybernetes.kits import clock as clocks

log = logging.getLogger(__name__)

STEADY_SECONDS = 60.0


class Kept:
    """`start` makes a fresh component and runs it until it fails; `problem` says what is wrong with it now.

    `failed` is set once it has failed for the first time.
    """

    def __init__(self, name: str, start: Callable[[], Awaitable[None]], clock: clocks.Clock) -> None:
        self.name = name
        self._start = start
        self._clock = clock
        self.problem: str | None = "not started"
        self.failed = asyncio.Event()

    async def run(self) -> None:
        """Until cancelled."""
        pauses = backoff.Backoff(first=0.5, cap=30.0)
        while True:
            began = self._clock.monotonic()
            self.problem = None
            try:
                await self._start()
                self.problem = "ended"
            except processes.CannotStart as error:
                self.problem = str(error)
                log.error("%s cannot start and is tried again: %s", self.name, error)
            except Exception as error:
                self.problem = str(error) or type(error).__name__
                log.exception("%s failed and is started again", self.name)
            self.failed.set()
            if self._clock.monotonic() - began > STEADY_SECONDS:
                pauses.reset()
            await self._clock.sleep(pauses.next())
