"""Another view of a collection: the same stored objects, served as a kind of another group (events.k8s.io)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pybernetes.api import codecs, selectors
from pybernetes.apiserver.storage import changes as changed
from pybernetes.apiserver.storage import collection as collections
from pybernetes.apiserver.storage import item as items
from pybernetes.apiserver.storage import selection as selections
from pybernetes.apiserver.storage import watchers


class Converted(collections.Collection):
    """`labels` maps the view's field labels to the stored kind's."""

    def __init__(
        self,
        base: collections.Collection,
        *,
        stored: Any,
        to_stored: Callable[[Any], Any],
        from_stored: Callable[[Any], Any],
        labels: Mapping[str, str],
    ) -> None:
        self._base = base
        self._stored = stored
        self._to_stored = to_stored
        self._from_stored = from_stored
        self._labels = labels
        self._receivers: dict[watchers.Receiver, _Receiver] = {}
        self._encoders: dict[changed.Encoder, changed.Encoder] = {}
        self.prefix = base.prefix
        self.watchers = _Leaving(self)
        self.causes = base.causes

    async def open(self) -> None:
        """The base is open."""

    def close(self) -> None:
        """The base is closed by its owner."""

    def __len__(self) -> int:
        return 0

    @property
    def revision(self) -> int:
        return self._base.revision

    async def current(self) -> None:
        await self._base.current()

    def is_stale(self, item: items.Item) -> bool:
        return self._base.is_stale(item)

    async def confirm(self, item: items.Item) -> None:
        await self._base.confirm(item)

    async def reach(self, revision: int) -> None:
        await self._base.reach(revision)

    def get(self, namespace: str, name: str) -> items.Item | None:
        item = self._base.get(namespace, name)
        return None if item is None else self.convert(item)

    def select(self, selection: selections.Selection, *, after: str = "", limit: int = 0) -> collections.Chunk:
        return self._chunk(self._base.select(self.translate(selection), after=after, limit=limit))

    async def select_at(
        self, selection: selections.Selection, revision: int, *, after: str = "", limit: int = 0
    ) -> collections.Chunk:
        chunk = await self._base.select_at(self.translate(selection), revision, after=after, limit=limit)
        return self._chunk(chunk)

    async def create(self, namespace: str, name: str, obj: Any) -> items.Item:
        return self.convert(await self._base.create(namespace, name, self._to_stored(obj)))

    async def replace(self, item: items.Item, obj: Any) -> items.Item:
        return self.convert(await self._base.replace(item, self._to_stored(obj)))

    async def remove(self, item: items.Item) -> items.Item:
        stored = self._base.at(item.key)
        if stored is None or stored.modified != item.modified:
            raise collections.Modified(stored and self.convert(stored))
        return self.convert(await self._base.remove(stored))

    def watch(self, key: watchers.GroupKey, receiver: watchers.Receiver, *, after: int) -> bool:
        return self._base.watch(self.key_of(key), self._receiver(receiver), after=after)

    async def watch_history(self, key: watchers.GroupKey, receiver: watchers.Receiver, *, after: int) -> None:
        await self._base.watch_history(self.key_of(key), self._receiver(receiver), after=after)

    def leave(self, key: watchers.GroupKey, receiver: watchers.Receiver) -> None:
        joined = self._receivers.pop(receiver, None)
        if joined is not None:
            self._base.watchers.remove(self.key_of(key), joined)

    def convert(self, item: items.Item) -> items.Item:
        obj = self._from_stored(item.peek(self._stored))
        return items.Item(item.key, codecs.encode(obj), item.modified, obj)

    def translate(self, selection: selections.Selection) -> selections.Selection:
        """The selection in the stored kind's field labels."""
        if not selection.fields:
            return selection
        parsed = selectors.parse_fields(selection.fields)
        terms = [term._replace(field=self._labels.get(term.field, term.field)) for term in parsed.terms]
        return selection._replace(fields=str(selectors.FieldSelector(terms)))

    def key_of(self, key: watchers.GroupKey) -> watchers.GroupKey:
        encode = key.encode
        if encode is None:
            return key._replace(selection=self.translate(key.selection))
        wrapped = self._encoders.get(encode)
        if wrapped is None:
            wrapped = self._encoders[encode] = self._encoder(encode)
        return watchers.GroupKey(self.translate(key.selection), wrapped)

    def _encoder(self, encode: changed.Encoder) -> changed.Encoder:
        def convert_and_encode(event: str, item: items.Item) -> bytes:
            return encode(event, self.convert(item))

        return convert_and_encode

    def _receiver(self, receiver: watchers.Receiver) -> _Receiver:
        joined = self._receivers.get(receiver)
        if joined is None:
            joined = self._receivers[receiver] = _Receiver(self, receiver)
        return joined

    def _chunk(self, chunk: collections.Chunk) -> collections.Chunk:
        return chunk._replace(items=[self.convert(item) for item in chunk.items])


class _Receiver:
    """Shows a watcher of the view the converted objects."""

    def __init__(self, view: Converted, receiver: watchers.Receiver) -> None:
        self._view = view
        self._receiver = receiver

    def events(self, events: Sequence[tuple[str, items.Item]], frames: Sequence[bytes]) -> None:
        if frames:
            self._receiver.events(events, frames)
        else:
            self._receiver.events([(event, self._view.convert(item)) for event, item in events], frames)

    def initial_events_end(self, revision: int) -> None:
        self._receiver.initial_events_end(revision)

    def bookmark(self, revision: int) -> None:
        self._receiver.bookmark(revision)

    def end(self) -> None:
        self._receiver.end()


class _Leaving(watchers.Watchers):
    """The view's watchers are the base's; only leaving goes through here."""

    def __init__(self, view: Converted) -> None:
        super().__init__(view.prefix, selections.Selectable(None, None, True))
        self._view = view

    def remove(self, key: watchers.GroupKey, receiver: watchers.Receiver) -> None:
        self._view.leave(key, receiver)
