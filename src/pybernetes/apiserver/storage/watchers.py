"""Delivery of a collection's changes to its watchers.

Watchers of the same selection and form are one group: the selector is evaluated and the event encoded once per group,
and each member gets the same bytes. A member costs one call per batch of changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from pybernetes.apiserver.storage import changes as changed
from pybernetes.apiserver.storage import item as items
from pybernetes.apiserver.storage import selection as selections


class Receiver(Protocol):
    """One watcher's end: takes what its group is sent. Must not block; a slow one drops its connection itself."""

    def events(self, events: Sequence[tuple[str, items.Item]], frames: Sequence[bytes]) -> None:
        """A batch, as (type, object) pairs and, for groups that have an encoder, as encoded frames."""
        ...

    def initial_events_end(self, revision: int) -> None:
        """All that existed has been sent; for watches that asked for initial events."""
        ...

    def bookmark(self, revision: int) -> None: ...

    def end(self) -> None:
        """The watch is over: what was watched is no longer served, or in another form."""
        ...


class GroupKey(NamedTuple):
    selection: selections.Selection
    encode: changed.Encoder | None


class _Group:
    __slots__ = ("encode", "matches", "members", "prefix")

    def __init__(self, key: GroupKey, matches: selections.Predicate | None, prefix: str) -> None:
        self.encode = key.encode
        self.matches = matches
        self.prefix = prefix
        self.members: dict[Receiver, None] = {}

    def deliver(self, batch: Sequence[changed.Change]) -> int:
        """How many events were handed out."""
        events, frames = self.render(batch)
        if not events:
            return 0
        members = tuple(self.members)
        for member in members:
            member.events(events, frames)
        return len(events) * len(members)

    def render(self, batch: Sequence[changed.Change]) -> tuple[list[tuple[str, items.Item]], list[bytes]]:
        events = []
        frames = []
        for change in batch:
            if not change.new.key.startswith(self.prefix):
                continue
            event = change.event(self.matches)
            if event is not None:
                events.append(event)
                if self.encode is not None:
                    frames.append(change.frame(event[0], self.encode))
        return events, frames


class Watchers:
    """All watchers of one collection."""

    def __init__(self, prefix: str, selectable: selections.Selectable) -> None:
        self._prefix = prefix
        self._selectable = selectable
        self._groups: dict[GroupKey, _Group] = {}
        self.objects = 0
        # Events that were handed out.
        self.told = 0

    def __len__(self) -> int:
        return sum(len(group.members) for group in self._groups.values())

    def add(self, key: GroupKey, receiver: Receiver, past: Sequence[changed.Change]) -> None:
        """Hand out the past changes it asked for, then join the group."""
        group = self._groups.get(key)
        if group is None:
            matches = selections.predicate(key.selection, self._selectable)
            namespace = key.selection.namespace
            group = _Group(key, matches, f"{self._prefix}{namespace}/" if namespace else self._prefix)
            self._groups[key] = group
        if past:
            events, frames = group.render(past)
            if events:
                receiver.events(events, frames)
                self.told += len(events)
        group.members[receiver] = None
        self.objects += key.encode is None

    def remove(self, key: GroupKey, receiver: Receiver) -> None:
        group = self._groups.get(key)
        if group is None or receiver not in group.members:
            return
        del group.members[receiver]
        self.objects -= key.encode is None
        if not group.members:
            del self._groups[key]

    def deliver(self, batch: Sequence[changed.Change]) -> None:
        for group in tuple(self._groups.values()):
            self.told += group.deliver(batch)

    def end(self) -> None:
        """No more events for anybody."""
        for group in tuple(self._groups.values()):
            for member in tuple(group.members):
                member.end()

    def bookmark(self, revision: int) -> None:
        for group in tuple(self._groups.values()):
            for member in tuple(group.members):
                member.bookmark(revision)
