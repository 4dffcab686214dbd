"""The times in audit events, of which there are many in every second."""

from __future__ import annotations

from pybernetes.api import times
from pybernetes.kits import clock as clocks

MICROS = 1_000_000


class Stamps:
    """Times as `times.to_micro_time` writes them, but that what is less than a microsecond is left out, as Go does."""

    def __init__(self, clock: clocks.Clock) -> None:
        self._time = clock.time
        # The second that was last asked for, in microseconds, and what its times begin with.
        self._since = -MICROS
        self._begun = b""

    def now(self) -> bytes:
        past = int(self._time() * 1e6) - self._since
        if not 0 <= past < MICROS:
            micro = self._since + past
            past = micro % MICROS
            self._since = micro - past
            self._begun = times.to_micro_time(self._since / 1e6)[: -len("000000Z")].encode()
        return b"%b%06dZ" % (self._begun, past)
