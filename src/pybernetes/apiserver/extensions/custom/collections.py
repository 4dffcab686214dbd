"""The objects of a custom resource in one of its versions: a watch cache of its own over what all versions store.

What is stored may be of any version that has been the storage version, and older than the schema; it is converted,
pruned and defaulted when it is read. A converter that has to be waited for makes the cache lag behind the store; then
`ready` waits until it has caught up, and is what a request does first.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any

from pybernetes import store as stores
from pybernetes.api import codecs, custom, errors
from pybernetes.apiserver.extensions.custom import conversion
from pybernetes.apiserver.storage import changes as changed
from pybernetes.apiserver.storage import collection as collections
from pybernetes.apiserver.storage import item as items
from pybernetes.apiserver.storage import selection as selections
from pybernetes.apiserver.storage import watchers
from pybernetes.kits import tasks as tasks_

# Objects that are read anew between two turns of the event loop.
SLICE = 64


class Version(collections.Collection):
    """`carrier` is the type of the version, `stored` that of the storage version, `types` those of all versions."""

    def __init__(
        self,
        store: stores.Store,
        *,
        prefix: str,
        selectable: selections.Selectable,
        carrier: type[custom.Object],
        stored: type[custom.Object],
        types: conversion.Types,
        converter: conversion.Converter,
        tasks: tasks_.Tasks,
    ) -> None:
        super().__init__(store, prefix=prefix, selectable=selectable)
        self.carrier = carrier
        self._storage = stored
        self._types = types
        self._converter = converter
        self._tasks = tasks
        self._opening: asyncio.Task[None] | None = None
        self._closed = False
        # What has been converted already, for the step that takes it in: (key, revision) -> item.
        self._converted: dict[tuple[str, int], items.Item] = {}
        self._behind: deque[Sequence[stores.Change]] = deque()
        self._working: asyncio.Task[None] | None = None
        self._problem: errors.StatusError | None = None
        self._own_head, self._stored_head = _head(carrier), _head(stored)
        # The keys of what is kept in another version than that of now, or in another form (`_is_aged`).
        self._aged: set[str] = set()

    # -- being there

    async def ready(self) -> None:
        """Load what exists at first use; wait for conversions under way. Raises StatusError where one fails."""
        if self._subscription is None and not self._closed:
            if self._opening is None:
                self._opening = self._tasks.spawn(self._open(), name=f"open {self.prefix}")
            await asyncio.shield(self._opening)
            self._raise_problem()
        while self._working is not None:
            await asyncio.wait([self._working])
        self._raise_problem()

    def _raise_problem(self) -> None:
        problem, self._problem = self._problem, None
        if problem is not None:
            raise problem

    async def open(self) -> None:
        await self.ready()

    async def _open(self) -> None:
        try:
            page = await self._store.range(self.prefix)
            found = await self._all_of(page.entries)
        except errors.StatusError as error:
            self._problem = error
            return
        finally:
            self._opening = None
        if self._closed:
            return
        self._items = {item.key: item for item in found}
        self._aged = {item.key for item, entry in zip(found, page.entries, strict=True) if self._is_aged(entry, item)}
        self._keys = sorted(self._items)
        self._window.clear()
        self._window_from = page.revision
        self._subscription = await self._store.watch(self.prefix, after=page.revision, sink=self._arrived)

    def close(self) -> None:
        self._closed = True
        super().close()

    async def current(self) -> None:
        await super().current()
        await self.ready()

    async def reach(self, revision: int) -> None:
        await super().reach(revision)
        await self.ready()

    def is_stale(self, item: items.Item) -> bool:
        return item.key in self._aged or super().is_stale(item)

    # -- reading what is stored

    def _item(self, key: str, value: bytes, modified: int) -> items.Item:
        found = self._converted.pop((key, modified), None)
        if found is not None:
            return found
        obj = self._read(value)
        if type(obj) is not self.carrier:
            obj = self._converter.convert(obj, self.carrier)
        return self._made(key, obj, modified)

    def _read(self, value: bytes) -> custom.Object:
        """A stored object, in the version that it is stored in."""
        tree = codecs.decode_tree(value)
        obj = codecs.from_tree(self._types.get(tree.get("apiVersion"), self._storage), tree)
        obj.metadata.generation = obj.metadata.generation or 1
        return obj

    def _made(self, key: str, obj: custom.Object, modified: int) -> items.Item:
        obj.apiVersion, obj.kind = self.carrier.DECLARED
        obj.metadata.resourceVersion = ""
        return items.Item(key, items.served(codecs.encode(obj), modified), modified)

    async def _all_of(self, entries: Sequence[stores.Entry]) -> list[items.Item]:
        """Entries as items, in slices that leave others their turn."""
        result: list[items.Item] = []
        for at in range(0, len(entries), SLICE):
            part = entries[at : at + SLICE]
            result += await self._convert([(entry.key, entry.value, entry.modified) for entry in part])
            if at + SLICE < len(entries):
                await asyncio.sleep(0)
        return result

    async def _convert(self, found: Sequence[tuple[str, bytes, int]]) -> list[items.Item]:
        objects = await self._converter.convert_all([self._read(value) for _, value, _ in found], self.carrier)
        return [self._made(key, obj, modified) for (key, _, modified), obj in zip(found, objects, strict=True)]

    # -- following the store

    def _arrived(self, batch: Sequence[stores.Change]) -> None:
        if self._working is None and (self._converter.immediate or not self._foreign(batch)):
            self._apply(batch)
            return
        self._behind.append(batch)
        if self._working is None:
            self._working = self._tasks.spawn(self._catch_up(), name=f"convert {self.prefix}")

    def _foreign(self, batch: Sequence[stores.Change]) -> list[tuple[str, bytes, int]]:
        """What the batch has stored in another version than this."""
        return [
            (change.key, change.value, change.revision)
            for change in batch
            if change.value is not None and not change.value.startswith(self._own_head)
        ]

    def _change(self, change: stores.Change) -> changed.Change:
        # Another API server may not have heard of the storage version of now.
        if change.value is not None and not change.value.startswith(self._stored_head):
            self._aged.add(change.key)
        elif self._aged:
            self._aged.discard(change.key)
        return super()._change(change)

    def _is_aged(self, entry: stores.Entry, item: items.Item) -> bool:
        """Whether writing the object as it is would change what is kept: its version, or what the schema has come to
        default or no longer knows, which shows only where nothing is converted."""
        if not entry.value.startswith(self._stored_head):
            return True
        return self.carrier is self._storage and item.data != items.served(entry.value, entry.modified)

    async def _catch_up(self) -> None:
        try:
            while self._behind:
                batch = self._behind[0]
                foreign = self._foreign(batch)
                for item in await self._convert(foreign):
                    self._converted[item.key, item.modified] = item
                self._behind.popleft()
                self._apply(batch)
        except errors.StatusError as error:
            # The cache has a hole from here on; who comes next loads it anew, and is told if that fails, too.
            self._problem = error
            self._behind.clear()
            self._converted.clear()
            super().close()
            self.watchers.end()
        finally:
            self._working = None

    # -- writing

    async def create(self, namespace: str, name: str, obj: Any) -> items.Item:
        return await super().create(namespace, name, await self._for_storage(obj))

    async def replace(self, item: items.Item, obj: Any) -> items.Item:
        return await super().replace(item, await self._for_storage(obj))

    async def remove(self, item: items.Item) -> items.Item:
        removed = await super().remove(item)
        await self.ready()
        return removed

    async def converted(self, obj: custom.Object) -> custom.Object:
        """An object of any version in this one. Raises StatusError where a webhook fails to convert it."""
        return (await self._converter.convert_all([obj], self.carrier))[0]

    async def _for_storage(self, obj: custom.Object) -> custom.Object:
        if type(obj) is self._storage:
            return obj
        fresh = codecs.copy(obj)
        fresh.metadata.resourceVersion = ""
        return (await self._converter.convert_all([fresh], self._storage))[0]

    async def _put(self, key: str, obj: Any, expected: int) -> items.Item:
        if type(obj) is self.carrier:
            return await super()._put(key, obj, expected)
        value = self._value(obj)
        try:
            revision = await self._store.put(key, value, expected=expected)
        except stores.Unavailable as error:
            raise collections.Unwritable(str(error)) from error
        self._note_cause(revision, key)
        await self.ready()
        item = self._items.get(key)
        if item is not None and item.modified == revision:
            return item
        return (await self._convert([(key, value, revision)]))[0]

    # -- history

    async def select_at(
        self, selection: selections.Selection, revision: int, *, after: str = "", limit: int = 0
    ) -> collections.Chunk:
        await self._prepare(revision)
        try:
            return await super().select_at(selection, revision, after=after, limit=limit)
        finally:
            self._converted.clear()

    async def watch_history(self, key: watchers.GroupKey, receiver: watchers.Receiver, *, after: int) -> None:
        if self._converter.immediate:
            await super().watch_history(key, receiver, after=after)
            return
        past: list[stores.Change] = []
        try:
            page = await self._store.range(self.prefix, revision=after)
            subscription = await self._store.watch(self.prefix, after=after, sink=past.extend)
        except stores.Compacted as error:
            raise collections.Gone(error.revision, error.oldest) from None
        subscription.close()
        state = {item.key: item for item in await self._all_of(page.entries)}
        found = {(item.key, item.modified): item for item in await self._convert(self._stored_in(past))}
        replay = collections.Replay(state, lambda key, _, modified: found[key, modified])
        replay(past)
        # What came while conversions were waited for is in the window.
        seen = past[-1].revision if past else page.revision
        await self.ready()
        self.watchers.add(key, receiver, [*replay.changes, *(c for c in self._window if c.revision > seen)])

    def _stored_in(self, past: Sequence[stores.Change]) -> list[tuple[str, bytes, int]]:
        return [(change.key, change.value, change.revision) for change in past if change.value is not None]

    async def _prepare(self, revision: int) -> None:
        """Have what was stored at a revision converted, where that has to be waited for."""
        if self._converter.immediate:
            return
        try:
            page = await self._store.range(self.prefix, revision=revision)
        except stores.Compacted:
            return
        for item in await self._all_of(page.entries):
            self._converted[item.key, item.modified] = item


def _head(version: type[custom.Object]) -> bytes:
    """What stored objects of a version begin with."""
    return b'{"apiVersion":%b,' % codecs.encode(version.DECLARED[0])
