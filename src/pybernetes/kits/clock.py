"""Time, injected: the only module that reads a clock or sleeps.

Every component takes a `Clock`, so that a whole cluster can run in virtual time: `VirtualClock.advance("24h")` fires
a day's timers in order, in milliseconds. (trio's `MockClock` and `looptime` are prior art; they replace the event
loop's clock, which uvloop does not allow and which would also freeze sockets.)
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time as system
import weakref
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol


class Timer(Protocol):
    """A scheduled callback."""

    def cancel(self) -> None: ...


class Clock(Protocol):
    """Wall-clock time, monotonic time, and waiting."""

    def time(self) -> float:
        """Seconds since the Unix epoch."""
        ...

    def monotonic(self) -> float:
        """Seconds from an arbitrary start, never going back."""
        ...

    async def sleep(self, seconds: float) -> None: ...

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Timer: ...

    def put_off(self, seconds: float, callback: Callable[[], None]) -> Timer:
        """As `call_later`, for what could be done now: `settle` waits for it, unless time has to be told to pass."""
        ...

    def timeout(self, seconds: float | None) -> AbstractAsyncContextManager[None]:
        """Cancel the body after that many seconds and raise TimeoutError; None waits for ever."""
        ...


class SystemClock:
    """The machine's time."""

    # Asked several times by every request: not even a call of ours is in between.
    time = staticmethod(system.time)
    monotonic = staticmethod(system.monotonic)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Timer:
        return asyncio.get_running_loop().call_later(seconds, callback)

    def put_off(self, seconds: float, callback: Callable[[], None]) -> Timer:
        return _PutOff(seconds, callback)

    @asynccontextmanager
    async def timeout(self, seconds: float | None) -> AsyncIterator[None]:
        if asyncio.current_task() is None:
            # A coroutine that is driven by hand (the API server's first step of a request) gets its task by waiting.
            await asyncio.sleep(0)
        async with asyncio.timeout(seconds):
            yield


class _PutOff:
    """A timer of an event loop that is known to those who wait until nothing is left to do."""

    pending: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, set[_PutOff]] = weakref.WeakKeyDictionary()

    def __init__(self, seconds: float, callback: Callable[[], None]) -> None:
        loop = asyncio.get_running_loop()
        self._all = self.pending.setdefault(loop, set())
        self._all.add(self)
        self._callback = callback
        self._timer = loop.call_later(seconds, self._fire)
        self.over = loop.create_future()

    def cancel(self) -> None:
        self._timer.cancel()
        self._end()

    def _fire(self) -> None:
        self._end()
        self._callback()

    def _end(self) -> None:
        self._all.discard(self)
        if not self.over.done():
            self.over.set_result(None)


class VirtualClock:
    """Time that passes only when told to.

    `advance` fires due timers in order of time, and lets the event loop run until nothing is ready after each, so
    that what a timer sets in motion happens at that timer's time.
    """

    def __init__(self, start: float = 1_700_000_000.0) -> None:
        self._now = start
        self._start = start
        self._order = itertools.count()
        self._timers: list[tuple[float, int, _VirtualTimer]] = []

    def time(self) -> float:
        return self._now

    def monotonic(self) -> float:
        return self._now - self._start

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        done = asyncio.get_running_loop().create_future()
        timer = self.call_later(seconds, lambda: None if done.done() else done.set_result(None))
        try:
            await done
        finally:
            timer.cancel()

    def call_later(self, seconds: float, callback: Callable[[], object]) -> Timer:
        timer = _VirtualTimer(callback)
        heapq.heappush(self._timers, (self._now + max(seconds, 0.0), next(self._order), timer))
        return timer

    put_off = call_later

    @asynccontextmanager
    async def timeout(self, seconds: float | None) -> AsyncIterator[None]:
        if asyncio.current_task() is None:
            # As in `SystemClock.timeout`.
            await asyncio.sleep(0)
        async with asyncio.timeout(None) as scope:
            loop = asyncio.get_running_loop()
            timer = None if seconds is None else self.call_later(seconds, lambda: scope.reschedule(loop.time()))
            try:
                yield
            finally:
                if timer is not None:
                    timer.cancel()

    async def advance(self, seconds: float) -> None:
        """Let that much time pass, firing what falls due on the way."""
        end = self._now + seconds
        await settle()
        while self._timers and self._timers[0][0] <= end:
            due, _, timer = heapq.heappop(self._timers)
            if timer.callback is None:
                continue
            self._now = max(self._now, due)
            timer.fire()
            await settle()
        self._now = end


class _VirtualTimer:
    __slots__ = ("callback",)

    def __init__(self, callback: Callable[[], object]) -> None:
        self.callback: Callable[[], object] | None = callback

    def cancel(self) -> None:
        self.callback = None

    def fire(self) -> None:
        if self.callback is not None:
            self.callback()


# More rounds than any work takes that comes to an end.
RESTLESS = 2_000_000


async def settle() -> None:
    """Return once nothing is ready to run: what is left waits for a timer, a socket, or another thread. What somebody
    has put off is not left.

    Raises RuntimeError when that never comes: some tasks set each other in motion for ever.
    """
    loop = asyncio.get_running_loop()
    ready = getattr(loop, "_ready", None)
    put_off = _PutOff.pending.setdefault(loop, set())
    if ready is None:
        # uvloop does not show its queue; a chain of awaits advances one link per round.
        while True:
            for _ in range(500):
                await asyncio.sleep(0)
            if not put_off:
                return
            await next(iter(put_off)).over
    still = 0
    for _ in range(RESTLESS):
        await asyncio.sleep(0)
        # A timer of the loop itself that is due (a cancelled timeout) is not in the queue yet.
        timers = loop._scheduled  # type: ignore[attr-defined]
        due = bool(timers) and timers[0].when() <= loop.time()
        still = 0 if ready or due else still + 1
        if still == 2:
            if not put_off:
                return
            await next(iter(put_off)).over
            still = 0
    raise RuntimeError("nothing comes to rest: some tasks set each other in motion for ever")
