"""For parts of the server that keep up with what is stored: a call for every change of a collection."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pybernetes.apiserver.storage import collection as collections
from pybernetes.apiserver.storage import item as items
from pybernetes.apiserver.storage import selection, watchers

# The event's type, and the object as it is after it; of a deletion as it was last.
Changed = Callable[[str, items.Item], None]


def follow(collection: collections.Collection, changed: Changed) -> None:
    """Call from now on. The collection does not keep its objects decoded for it."""
    collection.watchers.add(watchers.GroupKey(selection.EVERYTHING, _unencoded), _Follower(changed), ())


class _Follower:
    def __init__(self, changed: Changed) -> None:
        self._changed = changed

    def events(self, events: Sequence[tuple[str, items.Item]], frames: Sequence[bytes]) -> None:
        for event, item in events:
            self._changed(event, item)

    def initial_events_end(self, revision: int) -> None:
        """Not asked for."""

    def bookmark(self, revision: int) -> None:
        """Nothing has changed."""

    def end(self) -> None:
        """What is not served any more does not change any more."""


def _unencoded(event: str, item: items.Item) -> bytes:
    return b""
