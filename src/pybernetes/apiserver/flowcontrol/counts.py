"""What has become of the requests of one schema in a level."""

from __future__ import annotations

from pybernetes.apiserver import durations
from pybernetes.kits import prometheus


class Count:
    """`number` have been let in, `executing` of them have seats: one each, and `more` of them all together.

    `waited` is how long those did who had to wait before that, `refused` those who waited for nothing; `executed` is
    how long they took then, `watched` how long watches took to begin.
    """

    __slots__ = ("executed", "executing", "more", "number", "refused", "waited", "watched")

    def __init__(self) -> None:
        self.number = self.executing = self.more = 0
        self.executed, self.watched = durations.histogram(), durations.histogram()
        self.waited, self.refused = (prometheus.Histogram(durations.FLOW) for _ in range(2))

    @property
    def seats(self) -> int:
        return self.executing + self.more

    def waits(self) -> prometheus.Histogram:
        """Of all who were let in: most did not have to wait."""
        found = self.waited.by(durations.FLOW)
        found.counts[0] += self.number - sum(self.waited.counts)
        return found
