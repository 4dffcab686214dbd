"""What happened to an object, and what that is to a watch that selects some objects only."""

from __future__ import annotations

from collections.abc import Callable

from pybernetes.apiserver.storage import item as items
from pybernetes.apiserver.storage import selection as selections

ADDED = "ADDED"
MODIFIED = "MODIFIED"
DELETED = "DELETED"
BOOKMARK = "BOOKMARK"

# (event type, object) -> what a watcher of some form is sent for it.
Encoder = Callable[[str, items.Item], bytes]


class Change:
    """One write: `new` is what is stored now (for a deletion: the last state, at the deletion's revision)."""

    __slots__ = ("deleted", "frames", "new", "old")

    def __init__(self, old: items.Item | None, new: items.Item, *, deleted: bool) -> None:
        self.old = old
        self.new = new
        self.deleted = deleted
        self.frames: dict[tuple[Encoder, str], bytes] = {}

    @property
    def revision(self) -> int:
        return self.new.modified

    def event(self, matches: selections.Predicate | None) -> tuple[str, items.Item] | None:
        """The event it is for a selection: objects enter and leave it; None if it is not concerned."""
        if matches is None:
            was, now = self.old is not None, not self.deleted
        else:
            was = self.old is not None and matches(self.old)
            now = not self.deleted and matches(self.new)
        if now:
            return (MODIFIED if was else ADDED), self.new
        return (DELETED, self.new) if was else None

    def frame(self, event: str, encode: Encoder) -> bytes:
        """Encoded once per form, however many selections watch."""
        found = self.frames.get((encode, event))
        if found is None:
            found = self.frames[encode, event] = encode(event, self.new)
        return found
