"""What the store needs done now and then: old history compacted, old events deleted, watchers given bookmarks."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

from pybernetes import store as stores
from pybernetes.api import times
from pybernetes.api.types import core_v1
from pybernetes.apiserver.storage import collection as collections
from pybernetes.apiserver.storage import selection
from pybernetes.kits import clock as clocks
from pybernetes.kits import tasks

BOOKMARK_SECONDS = 60.0
EXPIRY_SECONDS = 60.0
SLICE = 100
# Upstream's key for the revision that its compaction has come to.
AGE_KEY = "compact_rev_key"


class Upkeep:
    """Compacts to where the store was one interval ago, never if the interval is 0; events live `event_ttl` seconds
    after their last change."""

    def __init__(
        self,
        store: stores.Store,
        events: collections.Collection,
        watched: Iterable[tuple[str, str, collections.Collection]],
        *,
        clock: clocks.Clock,
        event_ttl: float,
        interval: float,
    ) -> None:
        self._store = store
        self._events = events
        self._watched = watched
        self._clock = clock
        self._event_ttl = event_ttl
        self._interval = interval
        self._tasks = tasks.Tasks()

    def start(self) -> None:
        self._tasks.spawn(self._compact() if self._interval else self._expire(), name="compaction")
        self._tasks.spawn(self._bookmark(), name="bookmarks")

    async def close(self) -> None:
        await self._tasks.close()

    async def _compact(self) -> None:
        before = self._store.revision
        while True:
            await self._clock.sleep(self._interval)
            await self.expire_events()
            try:
                await self._store.compact(before)
            except stores.Unavailable:
                # Nothing is lost by compacting later.
                continue
            for _, _, collection in self._watched:
                collection.compacted = before
            if not self._store.shared:
                await self._age()
            before = self._store.revision

    async def _age(self) -> None:
        """Write something, so that reads and tokens of a store that nobody writes to grow old, as over etcd they do."""
        found = await self._store.get(AGE_KEY)
        with contextlib.suppress(stores.StoreError):
            await self._store.put(AGE_KEY, b"{}", expected=found.modified if found is not None else 0)

    async def _expire(self) -> None:
        """Without compaction."""
        while True:
            await self._clock.sleep(EXPIRY_SECONDS)
            await self.expire_events()

    async def _bookmark(self) -> None:
        while True:
            await self._clock.sleep(BOOKMARK_SECONDS)
            revision = self._store.revision
            for _, _, collection in self._watched:
                collection.watchers.bookmark(revision)

    async def expire_events(self) -> None:
        """Delete the events that have had their time, a few at a time."""
        limit = self._clock.time() - self._event_ttl
        old = []
        for item in self._events.select(selection.EVERYTHING).items:
            event = item.peek(core_v1.Event)
            last = event.lastTimestamp or event.eventTime or event.metadata.creationTimestamp
            if last is not None and times.parse(last) < limit:
                old.append(item)
        for index, item in enumerate(old):
            if index % SLICE == 0:
                await self._clock.sleep(0)
            try:
                await self._events.remove(item)
            except (collections.Modified, collections.Unwritable):
                continue
