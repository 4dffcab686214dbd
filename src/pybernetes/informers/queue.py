"""Work queue: each key waits at most once, and is never handled by two workers at a time.

A key added while it is being handled waits until that is `done`, then comes again, so that no change is missed; after
a pause, so that a key with much behind it (a set of a thousand pods, each of which changes) is not handled anew for
every few of these changes.
Retries of one key back off exponentially on their own, without holding up others (upstream's per-item limiter).
"""

from __future__ import annotations

import asyncio
import collections
from typing import Any

from pybernetes.kits import causes, prometheus
from pybernetes.kits.chance import Chance
from pybernetes.kits.clock import Clock, Timer

_TIME: tuple[str, Any] = ("", None)
# The pause of a key that has changed meanwhile is so many times what handling it took, if that was not next to nothing,
# and never so long that somebody would notice; in seconds.
PAUSES = 3
NOTHING, LONGEST_PAUSE = 0.001, 0.05
# Of how long keys wait and are worked on, in seconds.
BOUNDS = prometheus.exponential(10e-9, 10, 10)


class Closed(Exception):
    """The queue takes and gives nothing any more."""


class Queue:
    """Keys to work on. `first` and `cap` bound the back-off of `retry`, in seconds."""

    def __init__(
        self, name: str, *, clock: Clock, chance: Chance | None = None, first: float = 0.005, cap: float = 1000.0
    ) -> None:
        self.name = name
        self._clock, self._chance = clock, chance
        self._first, self._cap = first, cap
        self._ready: collections.deque[str] = collections.deque()
        # Since when each key waits, or is handled.
        self._dirty: dict[str, float] = {}
        self._processing: dict[str, float] = {}
        self._because: dict[str, tuple[str, Any]] = {}
        self._failures: dict[str, int] = {}
        self._timers: dict[str, tuple[float, Timer]] = {}
        self._pauses: dict[str, Timer] = {}
        self._getters: collections.deque[asyncio.Future[None]] = collections.deque()
        self._closed = False
        self.adds = 0
        self.retries = 0
        self.waited, self.worked = prometheus.Histogram(BOUNDS), prometheus.Histogram(BOUNDS)

    def running(self) -> list[float]:
        """How long each key that is being handled has been so far, in seconds."""
        now = self._clock.monotonic()
        return [now - began for began in self._processing.values()]

    def add(self, key: str, because: str = "") -> None:
        """Have the key handled, once, after whatever is being done with it now. `because` is for those who ask why."""
        if self._closed:
            return
        self._note(key, because)
        if key in self._dirty:
            return
        self.adds += 1
        self._dirty[key] = self._clock.monotonic()
        if key not in self._processing and key not in self._pauses:
            self._offer(key)

    def add_after(self, key: str, seconds: float, because: str = "") -> None:
        """Add when the time has passed; of several waits for one key the earliest counts."""
        if self._closed:
            return
        self._note(key, because)
        if seconds <= 0:
            self.add(key)
            return
        due = self._clock.monotonic() + seconds
        waiting = self._timers.get(key)
        if waiting is not None:
            if waiting[0] <= due:
                return
            waiting[1].cancel()
        self._timers[key] = due, self._clock.call_later(seconds, lambda: self._due(key))

    def retry(self, key: str) -> None:
        """Add after the key's back-off, which doubles with each retry until `forget`."""
        self.retries += 1
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        delay = min(self._first * 2.0 ** min(failures, 60), self._cap)
        self.add_after(key, delay if self._chance is None else self._chance.jitter(delay, 0.1))

    def forget(self, key: str) -> None:
        self._failures.pop(key, None)

    def failures(self, key: str) -> int:
        """How often the key was retried since it was last forgotten."""
        return self._failures.get(key, 0)

    async def get(self) -> str:
        """The next key; the caller must call `done` with it. Raises Closed."""
        while not self._ready:
            if self._closed:
                raise Closed(self.name)
            getter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._getters.append(getter)
            try:
                await getter
            except asyncio.CancelledError:
                if getter in self._getters:
                    self._getters.remove(getter)
                elif self._ready:
                    # It had been woken for a key that someone else must take now.
                    self._wake()
                raise
        key = self._ready.popleft()
        now = self._processing[key] = self._clock.monotonic()
        self.waited.observe(now - self._dirty.pop(key))
        return key

    def because(self, key: str) -> tuple[str, Any]:
        """What last set the key in motion, and the object whose change that was (None if it was time); told once."""
        return self._because.pop(key, _TIME)

    def done(self, key: str) -> None:
        began = self._processing.pop(key, None)
        took = 0.0
        if began is not None:
            took = self._clock.monotonic() - began
            self.worked.observe(took)
        if key not in self._dirty:
            return
        if took <= NOTHING:
            self._offer(key)
        else:
            pause = min(took * PAUSES, LONGEST_PAUSE)
            self._pauses[key] = self._clock.put_off(pause, lambda: self._end_pause(key))

    def close(self) -> None:
        self._closed = True
        for _, timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        for timer in self._pauses.values():
            timer.cancel()
        self._pauses.clear()
        self._ready.clear()
        while self._getters:
            self._wake()

    def __len__(self) -> int:
        return len(self._ready)

    def _note(self, key: str, because: str) -> None:
        cause = causes.arriving()
        if cause is not None or because:
            self._because[key] = because, cause

    def _due(self, key: str) -> None:
        self._timers.pop(key, None)
        self.add(key)

    def _end_pause(self, key: str) -> None:
        del self._pauses[key]
        self._offer(key)

    def _offer(self, key: str) -> None:
        self._ready.append(key)
        self._wake()

    def _wake(self) -> None:
        while self._getters:
            getter = self._getters.popleft()
            if not getter.done():
                getter.set_result(None)
                return
