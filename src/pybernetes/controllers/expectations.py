"""What a controller has asked for and not yet seen, so that a cache that lags does not make it ask twice.

Creations are counted, deletions tracked by key (a deletion may be seen twice: as a timestamp, then as the end).
Expectations that are not met within five minutes are given up: an event may have been lost.
"""

from __future__ import annotations

from collections.abc import Iterable

from pybernetes.kits.clock import Clock

TIMEOUT = 300.0


class _Expected:
    __slots__ = ("creations", "deletions", "since")

    def __init__(self, since: float) -> None:
        self.creations = 0
        self.deletions: set[str] = set()
        self.since = since


class Expectations:
    """By owner key."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._expected: dict[str, _Expected] = {}

    def expect_creations(self, owner: str, count: int) -> None:
        self._of(owner).creations += count

    def expect_deletions(self, owner: str, keys: Iterable[str]) -> None:
        self._of(owner).deletions.update(keys)

    def creation_observed(self, owner: str) -> None:
        """Also for a creation that failed, or was not attempted."""
        expected = self._expected.get(owner)
        if expected is not None and expected.creations > 0:
            expected.creations -= 1

    def deletion_observed(self, owner: str, key: str) -> None:
        expected = self._expected.get(owner)
        if expected is not None:
            expected.deletions.discard(key)

    def satisfied(self, owner: str) -> bool:
        """Whether the caches can be trusted to show all that was asked for."""
        expected = self._expected.get(owner)
        if expected is None or (not expected.creations and not expected.deletions):
            return True
        return self._clock.monotonic() - expected.since > TIMEOUT

    def forget(self, owner: str) -> None:
        self._expected.pop(owner, None)

    def _of(self, owner: str) -> _Expected:
        expected = self._expected.get(owner)
        if expected is None or self.satisfied(owner):
            expected = self._expected[owner] = _Expected(self._clock.monotonic())
        return expected
