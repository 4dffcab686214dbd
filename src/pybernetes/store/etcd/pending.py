"""Writes under way, and what the watch has shown of them.

A write whose answer was lost may have happened. etcd's answer to the repeated write cannot tell it from a write by
somebody else; the watch can, because it shows every write: one of these bytes on top of that revision was this one.
"""

from __future__ import annotations

from pybernetes.store import protocol


class Pending:
    """One write: `value` None deletes. `applied` is the revision the watch has shown it at, 0 if it has not."""

    __slots__ = ("applied", "doubtful", "expected", "key", "value")

    def __init__(self, key: str, value: bytes | None, expected: int) -> None:
        self.key = key
        self.value = value
        self.expected = expected
        self.applied = 0
        self.doubtful = False

    def doubt(self) -> None:
        """Its answer has been lost."""
        self.doubtful = True


class Writes:
    """All that are under way."""

    def __init__(self) -> None:
        self._by_key: dict[str, list[Pending]] = {}

    def add(self, pending: Pending) -> None:
        self._by_key.setdefault(pending.key, []).append(pending)

    def remove(self, pending: Pending) -> None:
        group = self._by_key[pending.key]
        group.remove(pending)
        if not group:
            del self._by_key[pending.key]

    def seen(self, change: protocol.Change, before: int) -> protocol.Change:
        """Note whose write the change is, the key having been at revision `before` (0: absent).

        The change then carries the writer's own bytes, which whoever has made them recognises.
        """
        for pending in self._by_key.get(change.key, ()):
            if pending.expected == before and pending.value == change.value:
                pending.applied = change.revision
                return change._replace(value=pending.value)
        return change
