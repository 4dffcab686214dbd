"""Back-off per key between one failure and the next try, as upstream's flowcontrol.Backoff keeps it."""

from __future__ import annotations

from pybernetes.kits import clock as clocks


class Backoffs:
    """Delays that double from `first` to `cap` seconds, and are forgotten after twice the cap without a failure."""

    def __init__(self, *, first: float, cap: float, clock: clocks.Clock) -> None:
        self._first, self._cap, self._clock = first, cap, clock
        self._entries: dict[str, tuple[float, float]] = {}

    def _delay(self, key: str, event: float) -> float:
        delay, updated = self._entries.get(key, (0.0, 0.0))
        return 0.0 if event - updated > 2 * self._cap else delay

    def remaining(self, key: str, event: float) -> float:
        """Seconds to wait still after a failure at that time (epoch seconds); 0 when it may be tried."""
        delay = self._delay(key, event)
        return max(0.0, event + delay - self._clock.time())

    def delay(self, key: str) -> float:
        """The whole current delay."""
        return self._entries.get(key, (0.0, 0.0))[0]

    def next(self, key: str, event: float) -> None:
        """Note a try after a failure at that time: the next failure waits longer."""
        delay = self._delay(key, event)
        self._entries[key] = (min(delay * 2, self._cap) if delay else self._first, self._clock.time())

    def forget(self, prefix: str) -> None:
        """Drop the keys that start so."""
        for key in [key for key in self._entries if key.startswith(prefix)]:
            del self._entries[key]
