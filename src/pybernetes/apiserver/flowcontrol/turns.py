"""Who has the event loop next: all requests take time on the one there is, however many seats their levels have.

    passing --a turn's time is used up--> taking turns --nobody waits any more--> passing

While there is time enough, requests pass. When they have kept the loop for a whole turn, the rest of them waits, and
when the loop has been round, as many are let in as fill the next turn; what arrives in between is read, and whoever has
had less than its share passes at once. Levels share the time as they share seats, by start-time fair queueing (Goyal
et al., 1996): each level's `used` grows by the seconds its requests took, over its nominal seats, and the level that
has used least is next.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

# How long requests may keep the event loop before it goes round, in seconds.
TURN = 0.003
# A turn is begun anew when this much of it is gone, so that a quiet server hardly ever does.
RENEWED = TURN / 2


class Sharer(Protocol):
    """One level. `used` is the time it has taken, in seconds per seat of its `weight`."""

    used: float
    weight: int

    def admit(self) -> float | None:
        """Let in one of those that wait: what it will presumably take, in seconds. None if none can be let in."""
        ...


class Turns:
    """The event loop's time, in real seconds; one for all levels."""

    def __init__(self) -> None:
        self._waiting: list[Sharer] = []
        # What this turn has taken, and what of it has been let in beforehand.
        self._spent = self._planned = 0.0
        self._is_set = False
        # The `used` of the level that was let in last, below which nobody falls; and the largest there is.
        self._time = self._most = 0.0

    def lets(self, level: Sharer) -> bool:
        """Whether a request of the level may go on at once."""
        return (self._spent < TURN and not self._waiting) or level.used <= self._time

    def ask(self, level: Sharer) -> None:
        """Have `admit` called, as soon as it is the level's turn, until nobody there can be let in."""
        if level not in self._waiting:
            level.used = max(level.used, self._time)
            self._waiting.append(level)
        self._renew()

    def charge(self, level: Sharer, seconds: float, estimate: float) -> None:
        """A request of the level kept the loop for so long; `estimate` is what it has been charged for that before."""
        used = max(level.used, self._time) + (seconds - estimate) / level.weight
        level.used = used
        if used > self._most:
            self._most = used
        self._spent += seconds - estimate
        if self._spent > RENEWED and not self._is_set:
            self._renew()

    def _renew(self) -> None:
        if not self._is_set:
            self._is_set = True
            asyncio.get_running_loop().call_soon(self._next)

    def _next(self) -> None:
        """The loop has been round."""
        self._is_set = False
        # What came on top, requests that go on after a write above all, will come again; but somebody is let in always.
        extra = min(max(self._spent - self._planned, 0.0), TURN / 2)
        self._spent = self._planned = 0.0
        if not self._waiting:
            # Nobody has had to wait, so nothing is held against anybody.
            self._time = self._most
            return
        while self._waiting and self._planned < TURN - extra:
            level = min(self._waiting, key=_used)
            seconds = level.admit()
            if seconds is None:
                self._waiting.remove(level)
                continue
            self._time = max(self._time, level.used)
            level.used += seconds / level.weight
            self._most = max(self._most, level.used)
            self._planned += seconds
        self._spent = self._planned
        self._renew()


def _used(level: Sharer) -> float:
    return level.used
