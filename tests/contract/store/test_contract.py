"""What every store must do; runs against each implementation."""

import asyncio
import itertools

import pytest

from pybernetes.apiserver.storage import encryption
from pybernetes.kits.chance import Chance
from pybernetes.kits.clock import SystemClock
from pybernetes.store import Change, Compacted, Conflict, FutureRevision, Unavailable
from pybernetes.store.memory import MemoryStore
from pybernetes.store.sqlite import SqliteStore
from tests.fakes import etcd as etcds

PREFIXES = itertools.count()


@pytest.fixture(scope="module")
def etcd(tmp_path_factory):
    started = etcds.Etcd(tmp_path_factory.mktemp("etcd") / "data")
    started.start()
    yield started
    started.kill()


SEALED = """
apiVersion: apiserver.config.k8s.io/v1
kind: EncryptionConfiguration
resources:
- resources: ["*.*"]
  providers:
  - aesgcm: {keys: [{name: k, secret: MDEyMzQ1Njc4OWFiY2RlZg==}]}
"""


@pytest.fixture(params=["memory", "sqlite", "etcd", "sealed"])
async def store(request, tmp_path):
    if request.param == "memory":
        opened = MemoryStore()
    elif request.param == "sealed":
        config = encryption.configuration.parse(SEALED.encode())
        opened = encryption.SealedStore(MemoryStore(), config, Chance(1))
    elif request.param == "sqlite":
        opened = await SqliteStore.open(tmp_path / "store.db")
    else:
        from pybernetes.store import etcd

        # One etcd for all; each test has a prefix of its own in it.
        server = request.getfixturevalue("etcd")
        options = etcd.Options(servers=(server.url,), prefix=f"/test-{next(PREFIXES)}")
        opened = await etcd.open(options, clock=SystemClock(), chance=Chance(1))
    yield opened
    await opened.close()


class Seen:
    """A sink that remembers."""

    def __init__(self):
        self.changes: list[Change] = []

    def __call__(self, changes):
        self.changes.extend(changes)

    @property
    def revisions(self):
        return [change.revision for change in self.changes]


async def test_a_put_is_read_back_with_its_revisions(store):
    first = await store.put("/registry/r/a", b"1", expected=0)
    second = await store.put("/registry/r/a", b"2", expected=first)
    entry = await store.get("/registry/r/a")
    assert (entry.value, entry.created, entry.modified) == (b"2", first, second)
    assert second == first + 1 == store.revision


async def test_creating_what_exists_conflicts_and_tells_what_is_there(store):
    revision = await store.put("/registry/r/a", b"1", expected=0)
    with pytest.raises(Conflict) as caught:
        await store.put("/registry/r/a", b"2", expected=0)
    assert caught.value.current == ("/registry/r/a", b"1", revision, revision)
    assert store.revision == revision


async def test_writing_at_a_stale_revision_conflicts(store):
    first = await store.put("/registry/r/a", b"1", expected=0)
    await store.put("/registry/r/a", b"2", expected=first)
    with pytest.raises(Conflict):
        await store.put("/registry/r/a", b"3", expected=first)
    with pytest.raises(Conflict):
        await store.delete("/registry/r/a", expected=first)


async def test_deleting_what_is_not_there_conflicts(store):
    with pytest.raises(Conflict) as caught:
        await store.delete("/registry/r/a", expected=0)
    assert caught.value.current is None


async def test_a_deleted_key_can_be_created_again(store):
    first = await store.put("/registry/r/a", b"1", expected=0)
    deleted = await store.delete("/registry/r/a", expected=first)
    assert await store.get("/registry/r/a") is None
    again = await store.put("/registry/r/a", b"2", expected=0)
    assert again > deleted
    assert (await store.get("/registry/r/a")).created == again


async def test_reads_at_a_revision_see_that_revision(store):
    first = await store.put("/registry/r/a", b"1", expected=0)
    second = await store.put("/registry/r/a", b"2", expected=first)
    await store.delete("/registry/r/a", expected=second)
    assert (await store.get("/registry/r/a", revision=first)).value == b"1"
    assert (await store.get("/registry/r/a", revision=second)).value == b"2"
    assert [entry.value for entry in (await store.range("/registry/r/", revision=second)).entries] == [b"2"]
    with pytest.raises(FutureRevision):
        await store.get("/registry/r/a", revision=store.revision + 1)


async def test_a_range_is_ordered_limited_and_continues_consistently(store):
    for name in "dbca":
        await store.put(f"/registry/r/{name}", name.encode(), expected=0)
    await store.put("/registry/s/a", b"other", expected=0)
    page = await store.range("/registry/r/", limit=2)
    assert [entry.key for entry in page.entries] == ["/registry/r/a", "/registry/r/b"]
    assert page.remaining == 2
    await store.put("/registry/r/bb", b"later", expected=0)
    rest = await store.range("/registry/r/", after="/registry/r/b", revision=page.revision)
    assert [entry.key for entry in rest.entries] == ["/registry/r/c", "/registry/r/d"]
    assert rest.remaining == 0


async def test_a_watch_sees_history_then_live_changes_without_a_gap(store):
    first = await store.put("/registry/r/a", b"1", expected=0)
    second = await store.put("/registry/r/a", b"2", expected=first)
    seen = Seen()
    subscription = await store.watch("/registry/r/", after=first, sink=seen)
    third = await store.put("/registry/r/b", b"3", expected=0)
    fourth = await store.delete("/registry/r/a", expected=second)
    assert seen.changes == [
        Change("/registry/r/a", b"2", second, first),
        Change("/registry/r/b", b"3", third, third),
        Change("/registry/r/a", None, fourth, first),
    ]
    subscription.close()
    await store.put("/registry/r/c", b"5", expected=0)
    assert len(seen.changes) == 3


async def test_a_watch_sees_only_its_prefix(store):
    seen = Seen()
    await store.watch("/registry/r/", after=store.revision, sink=seen)
    await store.put("/registry/ra/x", b"no", expected=0)
    await store.put("/registry/s/r/x", b"no", expected=0)
    await store.put("/registry/r/x/y", b"yes", expected=0)
    assert [change.value for change in seen.changes] == [b"yes"]


async def test_sinks_have_seen_a_write_when_it_returns(store):
    seen = Seen()
    await store.watch("/registry/r/", after=store.revision, sink=seen)
    revisions = await asyncio.gather(*(store.put(f"/registry/r/{i}", b"x", expected=0) for i in range(100)))
    assert seen.revisions == sorted(revisions)


async def test_of_concurrent_writers_exactly_one_wins(store):
    first = await store.put("/registry/r/a", b"0", expected=0)
    results = await asyncio.gather(
        *(store.put("/registry/r/a", str(i).encode(), expected=first) for i in range(20)), return_exceptions=True
    )
    assert sum(isinstance(result, int) for result in results) == 1
    assert sum(isinstance(result, Conflict) for result in results) == 19


async def test_a_watch_joined_during_writes_misses_nothing(store):
    start = store.revision
    writes = [asyncio.ensure_future(store.put(f"/registry/r/{i}", b"x", expected=0)) for i in range(50)]
    seen = Seen()
    await store.watch("/registry/r/", after=start, sink=seen)
    revisions = await asyncio.gather(*writes)
    assert seen.revisions == sorted(revisions)


async def test_compaction_forgets_history_but_no_live_value(store):
    first = await store.put("/registry/r/a", b"1", expected=0)
    second = await store.put("/registry/r/a", b"2", expected=first)
    gone = await store.put("/registry/r/b", b"1", expected=0)
    await store.delete("/registry/r/b", expected=gone)
    await store.compact(store.revision)
    assert (await store.get("/registry/r/a")).value == b"2"
    assert (await store.get("/registry/r/a")).modified == second
    assert await store.get("/registry/r/b") is None
    with pytest.raises(Compacted):
        await store.get("/registry/r/a", revision=first)
    with pytest.raises(Compacted):
        await store.range("/registry/r/", revision=first)
    with pytest.raises(Compacted):
        await store.watch("/registry/r/", after=first, sink=Seen())


async def test_a_cancelled_writer_does_not_disturb_the_others(store):
    doomed = asyncio.ensure_future(store.put("/registry/r/a", b"1", expected=0))
    other = asyncio.ensure_future(store.put("/registry/r/b", b"1", expected=0))
    await asyncio.sleep(0)
    doomed.cancel()
    assert await other == store.revision
    await asyncio.wait([doomed])
    assert (await store.get("/registry/r/b")).value == b"1"


async def test_a_sink_that_fails_is_its_own_trouble(store, caplog):
    def fail(changes):
        raise RuntimeError("broken sink")

    await store.watch("/registry/r/", after=store.revision, sink=fail)
    seen = Seen()
    await store.watch("/registry/r/", after=store.revision, sink=seen)
    written = await store.put("/registry/r/a", b"1", expected=0)
    assert seen.revisions == [written]
    assert "broken sink" in caplog.text


async def test_a_closed_store_refuses_writes(store):
    await store.close()
    with pytest.raises(Unavailable):
        await store.put("/registry/r/a", b"1", expected=0)
