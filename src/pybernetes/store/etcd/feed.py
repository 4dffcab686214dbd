"""All changes below the prefix, from one watch, in order: the hub's only source.

    LOADING --- keys and revisions ---> FOLLOWING --- the watch ends ---> wait, next member ---> FOLLOWING
                                            ^                                  |
                                            |                                  | history compacted away
                                            +------ what differs is told ----- RELOADING

The index of keys (no values) serves three ends: a deletion is told with the revision that created the key, a write
whose answer was lost can be recognised, and after RELOADING it is known what differs.
"""

from __future__ import annotations

import asyncio
import enum
import logging
from collections.abc import AsyncIterator, Sequence
from typing import NamedTuple

from pybernetes.kits import backoff as backoffs
from pybernetes.kits import chance as chances
from pybernetes.kits import clock as clocks
from pybernetes.kits import tasks as tasks_
from pybernetes.store import hub as hubs
from pybernetes.store import protocol, reached
from pybernetes.store.etcd import client as clients
from pybernetes.store.etcd import names as names_
from pybernetes.store.etcd import pending as pendings
from pybernetes.store.etcd import versions
from pybernetes.store.etcd.v3 import etcd_pb2 as pb

log = logging.getLogger(__name__)

# Keys in one answer when everything is read, changes in one turn of the event loop.
PAGE = 1000
SLICE = 100
# How long news may take before etcd is asked whether there are any; and between asking.
PATIENCE_SECONDS = 0.05
ASK_SECONDS = 0.1


class Phase(enum.Enum):
    LOADING = "loading"
    FOLLOWING = "following"
    RELOADING = "reloading"


class Position(NamedTuple):
    """Where a live key stands."""

    created: int
    modified: int


class Feed:
    """`await start()`; from then on the hub is called, and `reached` says up to where."""

    def __init__(
        self,
        client: clients.Client,
        names: names_.Names,
        *,
        hub: hubs.Hub,
        writes: pendings.Writes,
        clock: clocks.Clock,
        chance: chances.Chance,
        tasks: tasks_.Tasks,
    ) -> None:
        self._client = client
        self._names = names
        self._hub = hub
        self._writes = writes
        self._clock = clock
        self._tasks = tasks
        self._backoff = backoffs.Backoff(first=0.02, cap=1.0, jitter=0.5, chance=chance)
        self._index: dict[str, Position] = {}
        self._stream: clients.Stream | None = None
        self._tells_progress = False
        self._unsure = 0
        self._asking: asyncio.Task[None] | None = None
        self.phase = Phase.LOADING
        self.reached = reached.Reached(0)
        # Of the newest change that has been told; 0 before the first.
        self.newest = 0
        self.unbroken = 0
        # Why the watch is not there; None while it is.
        self.problem: str | None = None

    async def start(self) -> None:
        """Learn which keys there are, and follow from there. Raises Unavailable."""
        while True:
            try:
                revision = 0
                async for page in self.pages(values=False):
                    revision = revision or page.header.revision
                    for kv in page.kvs:
                        self._index[self._names.from_etcd(kv.key)] = Position(kv.create_revision, kv.mod_revision)
                break
            except clients.Compacted:
                self._index.clear()
        self.reached.advance(revision)
        self._tasks.spawn(self._run(), name="etcd watch", vital=True)

    async def pages(self, *, values: bool) -> AsyncIterator[pb.RangeResponse]:
        """Everything there is, as of one revision, which is the first page's. Raises Compacted, Unavailable."""
        start, revision = self._names.start, 0
        while True:
            request = pb.RangeRequest(
                key=start, range_end=self._names.end, limit=PAGE, revision=revision, keys_only=not values
            )
            page = await self._client.call(clients.RANGE, request)
            revision = revision or page.header.revision
            yield page
            if not page.more:
                return
            start = page.kvs[-1].key + b"\0"

    async def wait(self, revision: int, *, foreign: bool) -> None:
        """Until the hub has been called with all up to the revision. Raises Unavailable after the deadline.

        `foreign`: it is there, but may be of a write that is not below the prefix, so that no change will come for it.
        """
        if self.reached.revision >= revision:
            return
        self._unsure += foreign
        if foreign and self._asking is None:
            self._asking = self._tasks.spawn(self._ask(), name="etcd progress")
        try:
            async with self._clock.timeout(self._client.deadline):
                await self.reached.wait(revision)
        except TimeoutError:
            raise protocol.Unavailable(clients.TIMED_OUT) from None
        finally:
            self._unsure -= foreign

    async def pulse(self) -> int:
        """Make a change, so that the watch has something to show; its revision. Raises Unavailable."""
        answer = await self._client.call(clients.PUT, pb.PutRequest(key=self._names.pulse))
        return answer.header.revision

    # -- following

    async def _run(self) -> None:
        while True:
            try:
                if self.phase is Phase.RELOADING:
                    await self._reload()
                self.phase = Phase.FOLLOWING
                await self._follow()
            except clients.Lost as lost:
                self._troubled(f"the watch of etcd was lost: {lost}")
            except clients.Compacted as error:
                log.warning("etcd has compacted away what followed revision %d: %s", self.reached.revision, error)
                self.phase = Phase.RELOADING
                continue
            except protocol.Unavailable as error:
                self._troubled(f"etcd cannot be read: {error}")
            await self._clock.sleep(self._backoff.next())

    def _troubled(self, problem: str) -> None:
        if problem != self.problem:
            log.warning("%s", problem)
        self.problem = problem

    async def _follow(self) -> None:
        """Until the stream ends. Raises Lost, Compacted."""
        status = await self._client.once(clients.STATUS, pb.StatusRequest())
        self._tells_progress = versions.tells_progress(status.version)
        stream = self._client.watch()
        try:
            await stream.send(watch_request(self._names, after=self.reached.revision))
            self._stream = stream
            async for response in responses(stream):
                self._backoff.reset()
                self.problem = None
                if response.events:
                    await self._take([self._change(event) for event in response.events])
                elif not response.created:
                    self.reached.advance(max(response.header.revision, self.reached.revision))
        finally:
            self._stream = None
            stream.close()

    def _change(self, event: pb.Event) -> protocol.Change:
        kv = event.kv
        key = self._names.from_etcd(kv.key)
        if event.type == pb.Event.DELETE:
            return protocol.Change(key, None, kv.mod_revision, 0)
        return protocol.Change(key, kv.value, kv.mod_revision, kv.create_revision)

    async def _take(self, changes: Sequence[protocol.Change]) -> None:
        """Tell the hub, a slice in each turn of the event loop, never half a revision."""
        seen = self.reached.revision
        news = [change for change in changes if change.revision > seen]
        at = 0
        while at < len(news):
            end = min(at + SLICE, len(news))
            while end < len(news) and news[end].revision == news[end - 1].revision:
                end += 1
            if at:
                await self._clock.sleep(0)
            self._tell([self._indexed(change) for change in news[at:end]], news[end - 1].revision)
            at = end

    def _indexed(self, change: protocol.Change) -> protocol.Change:
        before = self._index.get(change.key)
        if change.value is None:
            self._index.pop(change.key, None)
            change = change._replace(created=before.created if before else 0)
        else:
            self._index[change.key] = Position(change.created, change.revision)
        return self._writes.seen(change, before.modified if before else 0)

    def _tell(self, changes: Sequence[protocol.Change], revision: int) -> None:
        self.reached.revision = revision
        if changes:
            self.newest = changes[-1].revision
            self._hub.publish(changes)
        self.reached.advance(revision)

    # -- after a gap

    async def _reload(self) -> None:
        """Read everything and tell what differs. Raises Compacted, Unavailable."""
        revision = 0
        found: dict[str, Position] = {}
        changes: list[protocol.Change] = []
        async for page in self.pages(values=True):
            revision = revision or page.header.revision
            for kv in page.kvs:
                key = self._names.from_etcd(kv.key)
                now, before = Position(kv.create_revision, kv.mod_revision), self._index.get(key)
                found[key] = now
                if before == now:
                    continue
                if before is not None and before.created != now.created:
                    # It was deleted in between; when exactly is not known, but before it was created again.
                    changes.append(protocol.Change(key, None, now.created - 1, before.created))
                changes.append(protocol.Change(key, kv.value, now.modified, now.created))
        changes += (
            protocol.Change(key, None, revision, before.created)
            for key, before in self._index.items()
            if key not in found
        )
        changes.sort(key=lambda change: change.revision)
        told = [self._writes.seen(change, _modified(self._index.get(change.key))) for change in changes]
        self._index = found
        self.unbroken = revision
        self._tell(told, revision)

    # -- asking for news

    async def _ask(self) -> None:
        """As long as somebody waits for what may not come by itself."""
        try:
            await self._clock.sleep(PATIENCE_SECONDS)
            while self._unsure:
                try:
                    # A watch that is not there shows all that is to be shown when it is.
                    if self._stream is not None and self._tells_progress:
                        await self._stream.send(pb.WatchRequest(progress=pb.WatchProgressRequest()))
                    elif self._stream is not None:
                        await self.pulse()
                except (clients.Lost, protocol.Unavailable) as error:
                    # Those who wait have their own end.
                    log.debug("etcd was not asked for progress: %s", error)
                await self._clock.sleep(ASK_SECONDS)
        finally:
            self._asking = None


def _modified(position: Position | None) -> int:
    return position.modified if position is not None else 0


def watch_request(names: names_.Names, *, after: int, before: bool = False) -> pb.WatchRequest:
    """Everything below the prefix, later than a revision; and with it, what was there before each."""
    create = pb.WatchCreateRequest(
        key=names.start,
        range_end=names.end,
        start_revision=after + 1,
        progress_notify=True,
        prev_kv=before,
        fragment=True,
    )
    return pb.WatchRequest(create=create)


async def responses(stream: clients.Stream) -> AsyncIterator[pb.WatchResponse]:
    """What a watch says, in one piece each. Raises Lost, Compacted."""
    parts: list[pb.WatchResponse] = []
    while True:
        response = await stream.receive()
        if response.canceled:
            if response.compact_revision:
                raise clients.Compacted(response.compact_revision)
            raise clients.Lost(response.cancel_reason or "the watch was cancelled")
        parts.append(response)
        if response.fragment:
            continue
        whole = parts[0]
        for part in parts[1:]:
            whole.events.extend(part.events)
        parts = []
        yield whole
