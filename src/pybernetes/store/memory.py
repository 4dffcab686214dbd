"""The store in memory: nothing outlives the process. For tests and throw-away clusters."""

from __future__ import annotations

import bisect
from typing import NamedTuple

from pybernetes.store.hub import Hub, HubSubscription
from pybernetes.store.protocol import Change, Compacted, Conflict, Entry, FutureRevision, Page, Sink, Unavailable
from pybernetes.store.reached import Reached


class _Version(NamedTuple):
    revision: int
    value: bytes | None
    created: int


class MemoryStore:
    """Every version of every key since the last compaction, in dicts."""

    shared = False
    unbroken = 0
    problem = None

    def __init__(self) -> None:
        self._versions: dict[str, list[_Version]] = {}
        self._keys: list[str] = []
        self._log: list[Change] = []
        self._revision = 1
        self._compacted = 0
        self._hub = Hub()
        self._reached = Reached(self._revision)
        self._closed = False

    @property
    def revision(self) -> int:
        return self._revision

    async def current(self) -> int:
        return self._revision

    async def reach(self, revision: int) -> None:
        await self._reached.wait(revision)

    async def get(self, key: str, *, revision: int = 0) -> Entry | None:
        self._check(revision)
        return self._at(key, revision or self._revision)

    async def range(self, prefix: str, *, after: str = "", limit: int = 0, revision: int = 0) -> Page:
        self._check(revision)
        at = revision or self._revision
        first = bisect.bisect_right(self._keys, after) if after > prefix else bisect.bisect_left(self._keys, prefix)
        entries: list[Entry] = []
        remaining = 0
        for index in range(first, len(self._keys)):
            if not self._keys[index].startswith(prefix):
                break
            entry = self._at(self._keys[index], at)
            if entry is None:
                continue
            if limit and len(entries) == limit:
                remaining += 1
            else:
                entries.append(entry)
        return Page(entries, at, remaining)

    async def put(self, key: str, value: bytes, *, expected: int) -> int:
        return self._write(key, value, expected)

    async def delete(self, key: str, *, expected: int) -> int:
        return self._write(key, None, expected)

    async def watch(self, prefix: str, *, after: int, sink: Sink) -> HubSubscription:
        if after < self._compacted:
            raise Compacted(after, self._compacted)
        subscription = self._hub.add(prefix, after, sink)
        first = bisect.bisect_right(self._log, after, key=lambda change: change.revision)
        subscription.replayed(change for change in self._log[first:] if change.key.startswith(prefix))
        return subscription

    async def compact(self, revision: int) -> None:
        if revision > self._revision:
            raise FutureRevision(revision, self._revision)
        if revision <= self._compacted:
            return
        self._compacted = revision
        for key in list(self._versions):
            versions = self._versions[key]
            keep = max(bisect.bisect_right(versions, revision, key=lambda version: version.revision) - 1, 0)
            if versions[keep].value is None and versions[keep].revision <= revision:
                keep += 1
            if keep == len(versions):
                del self._versions[key]
                del self._keys[bisect.bisect_left(self._keys, key)]
            elif keep:
                del versions[:keep]
        del self._log[: bisect.bisect_right(self._log, revision, key=lambda change: change.revision)]

    async def close(self) -> None:
        self._closed = True

    def _check(self, revision: int) -> None:
        if revision > self._revision:
            raise FutureRevision(revision, self._revision)
        if revision and revision < self._compacted:
            raise Compacted(revision, self._compacted)

    def _at(self, key: str, revision: int) -> Entry | None:
        versions = self._versions.get(key, [])
        if versions and versions[-1].revision > revision:
            versions = versions[: bisect.bisect_right(versions, revision, key=lambda version: version.revision)]
        if not versions or versions[-1].value is None:
            return None
        newest = versions[-1]
        return Entry(key, newest.value or b"", newest.created, newest.revision)

    def _write(self, key: str, value: bytes | None, expected: int) -> int:
        if self._closed:
            raise Unavailable("the store is closed")
        current = self._at(key, self._revision)
        if (current.modified if current else 0) != expected or (value is None and current is None):
            raise Conflict(key, current)
        self._revision = revision = self._revision + 1
        created = current.created if current else revision
        versions = self._versions.get(key)
        if versions is None:
            versions = self._versions[key] = []
            bisect.insort(self._keys, key)
        versions.append(_Version(revision, value, created))
        change = Change(key, value, revision, created)
        self._log.append(change)
        self._hub.publish([change])
        self._reached.advance(revision)
        return revision
