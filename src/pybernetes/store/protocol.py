"""The seam between the API server and what keeps its bytes: a revisioned key-value store, as etcd is one.

One global revision grows by one with every write; history is kept until `compact`, so that reads at an older revision
and watches from one are exact. Implementations: `memory`, `sqlite`, and etcd itself. All pass `tests/contract/store`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol


class Entry(NamedTuple):
    """A key's value; the revisions that created it and last wrote it."""

    key: str
    value: bytes
    created: int
    modified: int


class Page(NamedTuple):
    """Entries in key order, the revision they were read at, and how many more the range holds."""

    entries: list[Entry]
    revision: int
    remaining: int


class Change(NamedTuple):
    """One write. `value` is None for a deletion; a creation is one whose `created` is its own revision."""

    key: str
    value: bytes | None
    revision: int
    created: int


Sink = Callable[[Sequence[Change]], None]


class StoreError(Exception):
    """Base of what a store raises."""


class Conflict(StoreError):
    """The key is not at the expected revision; `current` is what it holds now, None if nothing."""

    def __init__(self, key: str, current: Entry | None) -> None:
        super().__init__(f"{key} is at revision {current.modified if current else 0}")
        self.key = key
        self.current = current


class Compacted(StoreError):
    """That revision's history is gone; `oldest` is the oldest one still readable."""

    def __init__(self, revision: int, oldest: int) -> None:
        super().__init__(f"revision {revision} has been compacted; the oldest is {oldest}")
        self.revision = revision
        self.oldest = oldest


class FutureRevision(StoreError):
    """A read at a revision not yet written."""

    def __init__(self, revision: int, newest: int) -> None:
        super().__init__(f"revision {revision} is newer than {newest}")
        self.revision = revision
        self.newest = newest


class Unavailable(StoreError):
    """The store cannot serve now (disk full, connection lost, closed). A failed write has not happened."""


class Subscription(Protocol):
    """A running watch."""

    def close(self) -> None: ...


class Store(Protocol):
    """Guarantees:

    - A write returns after it is durable (for stores that persist) and after every sink has been called with it.
    - Sinks are called on the event loop, in revision order, with no gap and no repetition; they must not block.
    - `range` and `get` without a revision see every write that has returned.
    """

    @property
    def revision(self) -> int:
        """The newest revision that is durable."""
        ...

    async def get(self, key: str, *, revision: int = 0) -> Entry | None:
        """The key's entry now, or as it was at a revision. Raises Compacted, FutureRevision."""
        ...

    async def range(self, prefix: str, *, after: str = "", limit: int = 0, revision: int = 0) -> Page:
        """Entries whose key starts with the prefix and is greater than `after`; 0 means no limit, newest revision."""
        ...

    async def put(self, key: str, value: bytes, *, expected: int) -> int:
        """Write if the key was last modified at `expected` (0: does not exist); the new revision. Raises Conflict."""
        ...

    async def delete(self, key: str, *, expected: int) -> int:
        """Delete if last modified at `expected`; the deletion's revision. Raises Conflict."""
        ...

    async def watch(self, prefix: str, *, after: int, sink: Sink) -> Subscription:
        """Call the sink with every change of the prefix later than revision `after`. Raises Compacted."""
        ...

    async def compact(self, revision: int) -> None:
        """Forget what was superseded or deleted at or before the revision."""
        ...

    async def close(self) -> None: ...
