"""How long those that are sent away are asked to stay away: longer, the more of them there are."""

from __future__ import annotations

from collections import deque

LONGEST = 32


class Dropped:
    """Counts refusals by the second. `retry_after` doubles where there are many in so many seconds, and goes down by
    one where there are few."""

    def __init__(self) -> None:
        self.retry_after = 1
        self._counts: deque[tuple[int, int]] = deque(maxlen=LONGEST + 1)
        self._raised = 0

    def note(self, second: int) -> None:
        """One more was refused, in that second of time."""
        if self._counts and self._counts[-1][0] == second:
            self._counts[-1] = second, self._counts[-1][1] + 1
            return
        self._adjust(second)
        self._counts.append((second, 1))

    def _adjust(self, second: int) -> None:
        since = second - self.retry_after
        recent = sum(count for at, count in self._counts if since <= at < second)
        if recent >= 3 * self.retry_after and second - self._raised >= self.retry_after:
            self.retry_after = min(self.retry_after * 2, LONGEST)
            self._raised = second
        elif recent < self.retry_after:
            self.retry_after = max(self.retry_after - 1, 1)
