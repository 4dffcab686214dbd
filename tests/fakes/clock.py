from __future__ import annotations

from pybernetes.kits.clock import VirtualClock


class BusyClock(VirtualClock):
    """Virtual time in which something else keeps the event loop for `turn` seconds between any two looks at it."""

    def __init__(self, turn: float) -> None:
        super().__init__()
        self.turn, self._kept = turn, 0.0

    def monotonic(self) -> float:
        self._kept += self.turn
        return super().monotonic() + self._kept
