"""A cluster's whole state at one moment, and how another cluster, or the same one later, comes to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pybernetes import store as stores

# What is the server's own bookkeeping, not anybody's object.
EVERYTHING = "/"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All objects' bytes by store key, and the time (epoch seconds) it was taken. Values are shared, never copied."""

    objects: Mapping[str, bytes]
    time: float

    def __len__(self) -> int:
        return len(self.objects)


async def take(store: stores.Store, *, time: float) -> Snapshot:
    page = await store.range(EVERYTHING)
    return Snapshot({entry.key: entry.value for entry in page.entries}, time)


async def put_back(store: stores.Store, snapshot: Snapshot) -> int:
    """Write what differs, as new revisions: watchers see the way back as changes. Returns how many there were."""
    page = await store.range(EVERYTHING)
    current = {entry.key: entry for entry in page.entries}
    changed = 0
    for key, entry in current.items():
        if key not in snapshot.objects:
            await store.delete(key, expected=entry.modified)
            changed += 1
    for key, value in snapshot.objects.items():
        known = current.get(key)
        if known is None or known.value != value:
            await store.put(key, value, expected=known.modified if known is not None else 0)
            changed += 1
    return changed
