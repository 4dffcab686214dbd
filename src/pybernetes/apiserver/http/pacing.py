"""When watchers are written to: at once while little happens, in batches while much does.

A write to a connection costs an encryption and a system call here and a wake-up there, however little it carries. So
after all that wait have been written to, there is a pause that grows with what that took, and a burst of events reaches
each watcher in few writes. The first event after a quiet time does not wait.
"""

from __future__ import annotations

import asyncio
import itertools
from typing import Protocol

from pybernetes.kits import clock as clocks

# Seconds between two rounds, and how often the time of a round goes into the pause after it: one part of the time in
# twenty is spent on writing to watchers, and none of them waits for long.
SHORTEST, LONGEST = 0.002, 0.02
SHARE = 20
# How many watchers are written to before others get their turn on the event loop.
SLICE = 200


class Paced(Protocol):
    """Somebody with something to write."""

    def flush(self) -> None: ...


class Pacer:
    """Calls `flush` of those that asked for it, in the order they asked."""

    def __init__(self, clock: clocks.Clock) -> None:
        self._clock = clock
        self._waiting: dict[Paced, None] = {}
        self._is_set = False
        self._spent = 0.0
        self._next = 0.0

    def add(self, paced: Paced) -> None:
        """Have it flushed soon; asking again before that changes nothing."""
        self._waiting[paced] = None
        if self._is_set:
            return
        self._is_set = True
        left = self._next - self._clock.monotonic()
        if left > 0:
            self._clock.call_later(left, self._flush)
        else:
            asyncio.get_running_loop().call_soon(self._flush)

    def discard(self, paced: Paced) -> None:
        self._waiting.pop(paced, None)

    def _flush(self) -> None:
        started = self._clock.monotonic()
        for paced in list(itertools.islice(self._waiting, SLICE)):
            self.discard(paced)
            paced.flush()
        now = self._clock.monotonic()
        self._spent += now - started
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._flush)
            return
        self._next = now + min(max(SHARE * self._spent, SHORTEST), LONGEST)
        self._spent = 0.0
        self._is_set = False
