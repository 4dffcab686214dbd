"""The times in audit events, of which there are many in every millisecond."""

from __future__ import annotations

from pybernetes.api import times
from pybernetes.kits import clock as clocks

_LAST_DIGITS = [b"%03dZ" % number for number in range(1000)]


class Stamps:
    """Times as `times.to_micro_time` writes them, but that what is less than a microsecond is left out, as Go does."""

    def __init__(self, clock: clocks.Clock) -> None:
        self._time = clock.time
        # The millisecond that was last asked for, in microseconds, and what its times begin with.
        self._since = -1
        self._begun = b""

    def now(self) -> bytes:
        past = int(self._time() * 1e6) - self._since
        if not 0 <= past < 1000:
            micro = self._since + past
            past = micro % 1000
            self._since = micro - past
            self._begun = times.to_micro_time(self._since / 1e6)[:-4].encode()
        return self._begun + _LAST_DIGITS[past]
