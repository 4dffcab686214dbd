"""All objects of one resource: the watch cache over the store, and the writes that go through it.

Reads never touch the store: the cache has applied a write before the write returns. History (a list at an older
revision, a watch from before the window) is read from the store. A store that others write to is asked by `current`
up to where the cache must be.

    write -> encode -> Store.put ---(durable)---> sink -> items, window, watchers -> the write returns
"""

from __future__ import annotations

import bisect
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from pybernetes import store as stores
from pybernetes.api import codecs
from pybernetes.apiserver.storage import changes as changed
from pybernetes.apiserver.storage import encryption, keys, watchers
from pybernetes.apiserver.storage import item as items
from pybernetes.apiserver.storage import selection as selections
from pybernetes.kits import causes

WINDOW = 1024
SAMPLED = 8


class Exists(Exception):
    """A create found the name taken."""


class Modified(Exception):
    """A write found another revision than it was computed from; `current` is what is there, None if nothing."""

    def __init__(self, current: items.Item | None) -> None:
        super().__init__("modified")
        self.current = current


class Gone(Exception):
    """That revision's history has been compacted away."""

    def __init__(self, revision: int, oldest: int) -> None:
        super().__init__(f"{revision} is before {oldest}")
        self.revision = revision
        self.oldest = oldest


class Unwritable(Exception):
    """The store cannot serve now; the message says why. A write has not happened, but where the store is in doubt."""


class Chunk(NamedTuple):
    """Part of a list: items in key order, the revision read at, and how many follow."""

    items: Sequence[items.Item]
    revision: int
    remaining: int


class Collection:
    """`prefix` is where the store keeps it; `selectable` what selectors may ask. Call `open` first."""

    def __init__(self, store: stores.Store, *, prefix: str, selectable: selections.Selectable) -> None:
        self._store = store
        self.prefix = prefix
        self._selectable = selectable
        self._items: dict[str, items.Item] = {}
        self._keys: list[str] = []
        self._window: deque[changed.Change] = deque(maxlen=WINDOW)
        self._window_from = 0
        self.compacted = 0
        self._handed: dict[int, tuple[bytes, Any]] = {}
        self._subscription: stores.Subscription | None = None
        self.watchers = watchers.Watchers(prefix, selectable)
        self.causes: deque[tuple[int, str, causes.Cause]] = deque(maxlen=WINDOW)

    async def open(self) -> None:
        """Load what exists and follow the store from there."""
        page = await self._store.range(self.prefix)
        for entry in page.entries:
            try:
                self._items[entry.key] = self._item(entry.key, entry.value, entry.modified)
            except ValueError:
                raise Unwritable(f"{entry.key} is not kept as JSON (--storage-media-type=application/json)") from None
        self._keys = sorted(self._items)
        self._window_from = page.revision
        self._subscription = await self._store.watch(self.prefix, after=page.revision, sink=self._apply)

    def close(self) -> None:
        if self._subscription is not None:
            self._subscription.close()
            self._subscription = None

    def __len__(self) -> int:
        return len(self._items)

    def average_size(self) -> int:
        """Of an object as it is served, in bytes, by a look at a few."""
        step = len(self._keys) // SAMPLED + 1
        sizes = [len(self._items[key].data) for key in self._keys[::step]]
        return sum(sizes) // len(sizes) if sizes else 0

    @property
    def revision(self) -> int:
        """The revision that reads see."""
        return self._store.revision

    async def current(self) -> None:
        """Wait until reads see every write that has returned to anybody; only shared stores make one wait."""
        try:
            await self._store.current()
        except stores.Unavailable as error:
            raise Unwritable(str(error)) from error

    def is_stale(self, item: items.Item) -> bool:
        """Whether writing the item as it is would still change how it is kept."""
        return isinstance(self._store, encryption.SealedStore) and self._store.is_stale(item.key)

    async def confirm(self, item: items.Item) -> None:
        """For what is answered because of an item without writing: that it is still there. Raises Modified."""
        if self._store.shared:
            await self.current()
            found = self._items.get(item.key)
            if found is None or found.modified != item.modified:
                raise Modified(found)

    async def reach(self, revision: int) -> None:
        """Wait until reads see a revision, which may never come."""
        try:
            await self._store.reach(revision)
        except stores.Unavailable as error:
            raise Unwritable(str(error)) from error

    # -- reads

    def key(self, namespace: str, name: str) -> str:
        return keys.key(self.prefix, namespace, name)

    def at(self, key: str) -> items.Item | None:
        return self._items.get(key)

    def get(self, namespace: str, name: str) -> items.Item | None:
        return self._items.get(keys.key(self.prefix, namespace, name))

    def select(self, selection: selections.Selection, *, after: str = "", limit: int = 0) -> Chunk:
        """What the selection holds now, in key order, after a key."""
        matches = selections.predicate(selection, self._selectable)
        low, high = self._bounds(selection.namespace)
        if after:
            low = max(low, bisect.bisect_right(self._keys, after))
        found = self._items
        if matches is None and limit:
            # Pages of a long list cost what they show.
            end = min(low + limit, high)
            return Chunk([found[key] for key in self._keys[low:end]], self.revision, high - end)
        chosen = [found[key] for key in self._keys[low:high]] if low or high < len(self._keys) else self._all()
        if matches is not None:
            chosen = [item for item in chosen if matches(item)]
        remaining = max(len(chosen) - limit, 0) if limit else 0
        return Chunk(chosen[:limit] if remaining else chosen, self.revision, remaining)

    async def select_at(
        self, selection: selections.Selection, revision: int, *, after: str = "", limit: int = 0
    ) -> Chunk:
        """As `select`, at an older revision. Raises Gone before `compacted`, though what is here would often do."""
        if revision < self.compacted:
            raise Gone(revision, self.compacted)
        unchanged = not self._window or self._window[-1].revision <= revision
        if unchanged and revision >= self._window_from and revision >= self._store.unbroken:
            # Nothing of this resource has changed since, so what is there now is what was there then.
            return self.select(selection, after=after, limit=limit)._replace(revision=revision)
        namespace = selection.namespace
        prefix = f"{self.prefix}{namespace}/" if namespace else self.prefix
        try:
            page = await self._store.range(prefix, after=after, revision=revision)
        except stores.Compacted as error:
            raise Gone(error.revision, error.oldest) from None
        found = (self._item(e.key, e.value, e.modified) for e in page.entries)
        matches = selections.predicate(selection, self._selectable)
        chosen = [item for item in found if matches is None or matches(item)]
        remaining = max(len(chosen) - limit, 0) if limit else 0
        return Chunk(chosen[:limit] if remaining else chosen, revision, remaining)

    # -- writes

    async def create(self, namespace: str, name: str, obj: Any) -> items.Item:
        """Store a new object; it becomes shared, so the caller must not change it any more. Raises Exists."""
        key = keys.key(self.prefix, namespace, name)
        try:
            return await self._put(key, obj, 0)
        except stores.Conflict:
            raise Exists from None

    async def replace(self, item: items.Item, obj: Any) -> items.Item:
        """Store a new version of the item. Raises Modified."""
        try:
            return await self._put(item.key, obj, item.modified)
        except stores.Conflict:
            raise Modified(self._items.get(item.key)) from None

    async def remove(self, item: items.Item) -> items.Item:
        """Delete the item; its last state, at the deletion's revision. Raises Modified."""
        try:
            revision = await self._store.delete(item.key, expected=item.modified)
        except stores.Conflict:
            raise Modified(self._items.get(item.key)) from None
        except stores.Unavailable as error:
            raise Unwritable(str(error)) from error
        self._note_cause(revision, item.key)
        return items.Item(item.key, _at_revision(item.data, item.modified, revision), revision)

    # -- watches

    def watch(self, key: watchers.GroupKey, receiver: watchers.Receiver, *, after: int) -> bool:
        """Join the watchers from a revision on; False if the window does not reach back that far."""
        if after < self._window_from or after < self._store.unbroken:
            return False
        first = bisect.bisect_right(self._window, after, key=lambda change: change.revision)
        past = [self._window[index] for index in range(first, len(self._window))]
        self.watchers.add(key, receiver, past)
        return True

    async def watch_history(self, key: watchers.GroupKey, receiver: watchers.Receiver, *, after: int) -> None:
        """As `watch`, from before the window, by replaying the store. Raises Gone."""
        try:
            page = await self._store.range(self.prefix, revision=after)
            replay = Replay({e.key: self._item(e.key, e.value, e.modified) for e in page.entries}, self._item)
            subscription = await self._store.watch(self.prefix, after=after, sink=replay)
        except stores.Compacted as error:
            raise Gone(error.revision, error.oldest) from None
        # No await from here on: the replay has seen exactly what the cache has.
        subscription.close()
        self.watchers.add(key, receiver, replay.changes)

    # -- inside

    def _all(self) -> list[items.Item]:
        found = self._items
        return [found[key] for key in self._keys]

    def _bounds(self, namespace: str) -> tuple[int, int]:
        if not namespace:
            return 0, len(self._keys)
        start = f"{self.prefix}{namespace}/"
        return bisect.bisect_left(self._keys, start), bisect.bisect_left(self._keys, start[:-1] + "0")

    async def _put(self, key: str, obj: Any, expected: int) -> items.Item:
        value = self._value(obj)
        self._handed[id(value)] = (value, obj)
        try:
            revision = await self._store.put(key, value, expected=expected)
        except stores.Unavailable as error:
            raise Unwritable(str(error)) from error
        finally:
            self._handed.pop(id(value), None)
        self._note_cause(revision, key)
        item = self._items.get(key)
        if item is not None and item.modified == revision:
            return item
        # Another write has come in between the commit and this return; answer what this one wrote.
        return self._item(key, value, revision)

    def _item(self, key: str, value: bytes, modified: int) -> items.Item:
        """What is stored, as it is served."""
        return items.Item(key, items.served(value, modified), modified)

    def _value(self, obj: Any) -> bytes:
        """The object, as it is stored."""
        return _encoded(obj)

    def _note_cause(self, revision: int, key: str) -> None:
        cause = causes.current.get()
        if cause is not None:
            self.causes.append((revision, key, cause))

    def _apply(self, batch: Sequence[stores.Change]) -> None:
        done = [self._change(change) for change in batch]
        if len(self._window) + len(done) > WINDOW:
            for _ in range(min(len(self._window) + len(done) - WINDOW, len(self._window))):
                self._window_from = self._window.popleft().revision
            if len(done) > WINDOW:
                self._window_from = done[-WINDOW - 1].revision
        self._window.extend(done)
        self.watchers.deliver(done)

    def _change(self, change: stores.Change) -> changed.Change:
        key = change.key
        old = self._items.get(key)
        if change.value is None:
            del self._items[key]
            del self._keys[bisect.bisect_left(self._keys, key)]
            return _deletion(old, change)
        handed = self._handed.pop(id(change.value), None)
        obj = None
        if handed is not None and self.watchers.objects:
            obj = handed[1]
            _set_revision(obj, str(change.revision))
        if obj is None:
            new = self._item(key, change.value, change.revision)
        else:
            new = items.Item(key, items.served(change.value, change.revision), change.revision, obj)
        self._items[key] = new
        if old is None:
            bisect.insort(self._keys, key)
        return changed.Change(old, new, deleted=False)


class Replay:
    """A sink that turns stored history into changes, given the state it starts from."""

    def __init__(self, state: dict[str, items.Item], item: Callable[[str, bytes, int], items.Item]) -> None:
        self._state = state
        self._item = item
        self.changes: list[changed.Change] = []

    def __call__(self, batch: Sequence[stores.Change]) -> None:
        for change in batch:
            old = self._state.pop(change.key, None)
            if change.value is None:
                self.changes.append(_deletion(old, change))
            else:
                new = self._item(change.key, change.value, change.revision)
                self._state[change.key] = new
                self.changes.append(changed.Change(old, new, deleted=False))


def _deletion(old: items.Item | None, change: stores.Change) -> changed.Change:
    if old is None:
        raise AssertionError(f"{change.key} was deleted but never seen")
    data = _at_revision(old.data, old.modified, change.revision)
    return changed.Change(old, items.Item(change.key, data, change.revision), deleted=True)


def _at_revision(data: bytes, old: int, new: int) -> bytes:
    return data.replace(b'"resourceVersion":"%d"' % old, b'"resourceVersion":"%d"' % new, 1)


def _set_revision(obj: Any, revision: str) -> None:
    if isinstance(obj, dict):
        obj["metadata"]["resourceVersion"] = revision
    else:
        obj.metadata.resourceVersion = revision


def _encoded(obj: Any) -> bytes:
    _set_revision(obj, "")
    if isinstance(obj, dict):
        del obj["metadata"]["resourceVersion"]
        # The splice of `item.served` relies on this order.
        ordered = {"apiVersion": obj["apiVersion"], "kind": obj["kind"], "metadata": obj["metadata"]}
        return codecs.encode(ordered | obj)
    return codecs.encode(obj)
