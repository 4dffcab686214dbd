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
    """The store cannot serve now (disk full, connection lost, closed).

    A write that failed so has not happened, but in a shared store that said `request timed out`: it may have.
    """


class Subscription(Protocol):
    """A running watch."""

    def close(self) -> None: ...


class Store(Protocol):
    """Guarantees:

    - A write returns after it is durable (for stores that persist) and after every sink has been called with it.
    - Sinks are called on the event loop, in revision order, with no gap and no repetition; they must not block.
    - `range` and `get` without a revision see every write that has returned.
    - Conflict is raised after every sink has been called with what it conflicts with.
    - What `range` returns is no newer than what sinks have been called with.

    A `shared` store has other writers than this process: sinks may be behind writes that have returned to others, and
    `current` tells up to where. Its one exception to "no gap": when the connection was lost for longer than history is
    kept, sinks are called with the difference between what they have seen and what there is, and `unbroken` grows.
    """

    @property
    def shared(self) -> bool:
        """Whether anybody else writes."""
        ...

    @property
    def unbroken(self) -> int:
        """The revision since which sinks have been called with every single write; 0: since ever."""
        ...

    @property
    def problem(self) -> str | None:
        """Why it cannot serve at present; None if it can, as far as is known."""
        ...

    @property
    def revision(self) -> int:
        """The newest revision that is durable and that sinks have been called with."""
        ...

    async def current(self) -> int:
        """Sinks have been called with every write that had returned, to anybody, when this was called. Their revision.

        Raises Unavailable.
        """
        ...

    async def reach(self, revision: int) -> None:
        """Wait until sinks have been called with all up to the revision; the caller bounds the wait."""
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
