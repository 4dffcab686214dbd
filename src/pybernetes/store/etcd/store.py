"""The `Store` protocol over a real etcd, which other API servers may write to at the same time.

    put/delete --> one transaction: compare the revision, write ---> etcd ---> the watch (feed) ---> sinks
         ^                                                                             |
         +---- its own revision has passed the sinks <---------------------------------+

What kube-apiserver keeps in its etcd lies under the same keys, there in protobuf unless it is told
`--storage-media-type=application/json`, which is what is kept here. Events carry no lease: they are deleted when
their time has come, as in the other stores.
"""

from __future__ import annotations

import asyncio

from pybernetes.kits import chance as chances
from pybernetes.kits import clock as clocks
from pybernetes.kits import tasks as tasks_
from pybernetes.store import hub as hubs
from pybernetes.store import protocol
from pybernetes.store.etcd import client as clients
from pybernetes.store.etcd import compaction, feed
from pybernetes.store.etcd import names as names_
from pybernetes.store.etcd import options as options_
from pybernetes.store.etcd import pending as pendings
from pybernetes.store.etcd.v3 import etcd_pb2 as pb

PAGE = 500


class EtcdStore:
    """Made by `open`."""

    shared = True

    def __init__(self, options: options_.Options, *, clock: clocks.Clock, chance: chances.Chance) -> None:
        self._clock = clock
        self._client = clients.Client(options, clock=clock, chance=chance)
        self._names = names_.Names(options.prefix)
        self._hub = hubs.Hub()
        self._writes = pendings.Writes()
        self._tasks = tasks_.Tasks()
        self._feed = feed.Feed(
            self._client,
            self._names,
            hub=self._hub,
            writes=self._writes,
            clock=clock,
            chance=chance,
            tasks=self._tasks,
        )
        self._compaction = compaction.Compaction(self._client)
        # Who asks for the current revision shares an answer with all that ask before the question is sent.
        self._question: asyncio.Task[int | protocol.Unavailable] | None = None
        self._sent: asyncio.Task[int | protocol.Unavailable] | None = None
        self._closed = False

    async def start(self) -> None:
        """Raises Unavailable if no member answers in time."""
        await self._compaction.start()
        await self._feed.start()

    @property
    def revision(self) -> int:
        return self._feed.reached.revision

    @property
    def problem(self) -> str | None:
        return self._feed.problem

    @property
    def unbroken(self) -> int:
        return self._feed.unbroken

    async def current(self) -> int:
        if self._question is None:
            self._question = self._tasks.spawn(self._ask(self._sent), name="etcd revision")
        answer = await asyncio.shield(self._question)
        if isinstance(answer, protocol.Unavailable):
            raise answer
        await self._feed.wait(answer, foreign=True)
        return answer

    async def reach(self, revision: int) -> None:
        if revision > self.revision and revision > await self.current():
            # Nobody has written it yet.
            await self._feed.wait(revision, foreign=False)

    async def get(self, key: str, *, revision: int = 0) -> protocol.Entry | None:
        page = await self._range(pb.RangeRequest(key=self._names.to_etcd(key), revision=revision))
        return self._entry(page.kvs[0]) if page.kvs else None

    async def range(self, prefix: str, *, after: str = "", limit: int = 0, revision: int = 0) -> protocol.Page:
        while True:
            try:
                page = await self._pages(prefix, after, limit, revision)
            except protocol.Compacted:
                if revision:
                    raise
                # It took so long that the revision it began at is gone.
                continue
            await self._feed.wait(page.revision, foreign=True)
            return page

    async def put(self, key: str, value: bytes, *, expected: int) -> int:
        write = pb.RequestOp(put=pb.PutRequest(key=self._names.to_etcd(key), value=value))
        return await self._write(pendings.Pending(key, value, expected), write)

    async def delete(self, key: str, *, expected: int) -> int:
        if not expected:
            raise protocol.Conflict(key, await self.get(key))
        write = pb.RequestOp(delete=pb.DeleteRangeRequest(key=self._names.to_etcd(key)))
        return await self._write(pendings.Pending(key, None, expected), write)

    async def watch(self, prefix: str, *, after: int, sink: protocol.Sink) -> hubs.HubSubscription:
        await self.reach(after)
        subscription = self._hub.add(prefix, after, sink)
        try:
            upto = self._feed.newest
            if not upto and after < self.revision:
                # What the newest change before the start was is not known; this one will be the newest.
                upto = await self._feed.pulse()
            history = await self._history(prefix, after, upto) if after < upto else []
            subscription.replayed(history)
        except BaseException:
            subscription.close()
            raise
        return subscription

    async def compact(self, revision: int) -> None:
        if revision > self.revision:
            raise protocol.FutureRevision(revision, self.revision)
        await self._compaction.compact(revision)

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        await self._tasks.close()
        await self._client.close()

    @property
    def trouble(self) -> str:
        """Why the last request was lost that was lost; "" if none was."""
        return self._client.trouble

    # -- reading

    async def _ask(self, before: asyncio.Task[int | protocol.Unavailable] | None) -> int | protocol.Unavailable:
        """One question at a time: who comes while it is under way has seen what it may not, and joins the next."""
        if before is not None:
            await asyncio.wait([before])
        self._sent, self._question = self._question, None
        try:
            answer = await self._client.call(clients.RANGE, pb.RangeRequest(key=names_.COMPACTED, count_only=True))
        except protocol.Unavailable as error:
            return error
        return answer.header.revision

    async def _range(self, request: pb.RangeRequest) -> pb.RangeResponse:
        try:
            return await self._client.call(clients.RANGE, request)
        except clients.Compacted:
            raise protocol.Compacted(request.revision, await self._compaction.oldest()) from None
        except clients.Future:
            raise protocol.FutureRevision(request.revision, self.revision) from None

    async def _pages(self, prefix: str, after: str, limit: int, revision: int) -> protocol.Page:
        low = self._names.to_etcd(prefix)
        end = names_.end_of(low)
        if after > prefix:
            low = self._names.to_etcd(after) + b"\0"
        entries: list[protocol.Entry] = []
        while True:
            wanted = min(PAGE, limit - len(entries)) if limit else PAGE
            page = await self._range(pb.RangeRequest(key=low, range_end=end, limit=wanted, revision=revision))
            revision = revision or page.header.revision
            entries += [self._entry(kv) for kv in page.kvs]
            if not page.more or (limit and len(entries) == limit):
                return protocol.Page(entries, revision, page.count - len(page.kvs))
            low = page.kvs[-1].key + b"\0"

    def _entry(self, kv: pb.KeyValue) -> protocol.Entry:
        return protocol.Entry(self._names.from_etcd(kv.key), kv.value, kv.create_revision, kv.mod_revision)

    async def _history(self, prefix: str, after: int, upto: int) -> list[protocol.Change]:
        """The prefix's changes later than `after`, up to the change at `upto`, which may be of any key."""
        while True:
            stream = self._client.watch()
            try:
                async with self._clock.timeout(self._client.deadline):
                    return await self._read_history(stream, prefix, after, upto)
            except TimeoutError:
                raise protocol.Unavailable(clients.TIMED_OUT) from None
            except clients.Compacted as error:
                raise protocol.Compacted(after, error.oldest) from None
            except clients.Lost:
                # Whether there is a member to go on with.
                await self.current()
            finally:
                stream.close()

    async def _read_history(self, stream: clients.Stream, prefix: str, after: int, upto: int) -> list[protocol.Change]:
        await stream.send(feed.watch_request(self._names, after=after, before=True))
        found: list[protocol.Change] = []
        async for response in feed.responses(stream):
            for event in response.events:
                kv = event.kv
                key = self._names.from_etcd(kv.key)
                if not key.startswith(prefix):
                    continue
                if event.type == pb.Event.DELETE:
                    found.append(protocol.Change(key, None, kv.mod_revision, event.prev_kv.create_revision))
                else:
                    found.append(protocol.Change(key, kv.value, kv.mod_revision, kv.create_revision))
            if response.events and response.events[-1].kv.mod_revision >= upto:
                break
        return found

    # -- writing

    async def _write(self, pending: pendings.Pending, write: pb.RequestOp) -> int:
        key = self._names.to_etcd(pending.key)
        compare = pb.Compare(target=pb.Compare.MOD, key=key, mod_revision=pending.expected)
        look = pb.RequestOp(range=pb.RangeRequest(key=key))
        request = pb.TxnRequest(compare=[compare], success=[write], failure=[look])
        broken = self.unbroken
        self._writes.add(pending)
        try:
            answer = await self._client.call(clients.TXN, request, doubt=pending.doubt)
            revision = answer.header.revision
            await self._feed.wait(revision, foreign=not answer.succeeded)
            if answer.succeeded:
                return revision
        except protocol.Unavailable:
            if pending.applied:
                return pending.applied
            raise
        finally:
            self._writes.remove(pending)
        if pending.doubtful and pending.applied:
            return pending.applied
        if pending.doubtful and self.unbroken != broken:
            raise protocol.Unavailable(clients.TIMED_OUT)
        kvs = answer.responses[0].range.kvs
        raise protocol.Conflict(pending.key, self._entry(kvs[0]) if kvs else None)


async def open(options: options_.Options, *, clock: clocks.Clock, chance: chances.Chance) -> EtcdStore:  # noqa: A001
    """Connect and follow the cluster from now on. Raises Unavailable if no member answers."""
    store = EtcdStore(options, clock=clock, chance=chance)
    try:
        await store.start()
    except protocol.Unavailable as error:
        raise protocol.Unavailable(f"etcd at {','.join(options.servers)}: {store.trouble or error}") from None
    finally:
        if not store.revision:
            await store.close()
    return store
