"""Exponential back-off: pure arithmetic; the caller waits."""

from __future__ import annotations

from pybernetes.kits.chance import Chance


class Backoff:
    """Delays that grow from `first` by `factor` up to `cap` seconds, each lengthened by up to `jitter` of itself."""

    def __init__(
        self, *, first: float, cap: float, factor: float = 2.0, jitter: float = 0.0, chance: Chance | None = None
    ) -> None:
        self._first, self._cap, self._factor, self._jitter = first, cap, factor, jitter
        self._chance = chance
        self._next = first

    def next(self) -> float:
        """The delay to wait now, in seconds; the following one is longer."""
        delay = self._next
        self._next = min(self._next * self._factor, self._cap)
        return delay if self._chance is None else self._chance.jitter(delay, self._jitter)

    def reset(self) -> None:
        self._next = self._first
