"""What every store must do; runs against each implementation."""

import asyncio

import pytest

from pybernetes.store import Change, Compacted, Conflict, FutureRevision, Unavailable
from pybernetes.store.memory import MemoryStore
from pybernetes.store.sqlite import SqliteStore


@pytest.fixture(params=["memory", "sqlite"])
async def store(request, tmp_path):
    opened = MemoryStore() if request.param == "memory" else await SqliteStore.open(tmp_path / "store.db")
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
    first = await store.put("/r/a", b"1", expected=0)
    second = await store.put("/r/a", b"2", expected=first)
    entry = await store.get("/r/a")
    assert (entry.value, entry.created, entry.modified) == (b"2", first, second)
    assert second == first + 1 == store.revision


async def test_creating_what_exists_conflicts_and_tells_what_is_there(store):
    revision = await store.put("/r/a", b"1", expected=0)
    with pytest.raises(Conflict) as caught:
        await store.put("/r/a", b"2", expected=0)
    assert caught.value.current == ("/r/a", b"1", revision, revision)
    assert store.revision == revision


async def test_writing_at_a_stale_revision_conflicts(store):
    first = await store.put("/r/a", b"1", expected=0)
    await store.put("/r/a", b"2", expected=first)
    with pytest.raises(Conflict):
        await store.put("/r/a", b"3", expected=first)
    with pytest.raises(Conflict):
        await store.delete("/r/a", expected=first)


async def test_deleting_what_is_not_there_conflicts(store):
    with pytest.raises(Conflict) as caught:
        await store.delete("/r/a", expected=0)
    assert caught.value.current is None


async def test_a_deleted_key_can_be_created_again(store):
    first = await store.put("/r/a", b"1", expected=0)
    deleted = await store.delete("/r/a", expected=first)
    assert await store.get("/r/a") is None
    again = await store.put("/r/a", b"2", expected=0)
    assert again > deleted
    assert (await store.get("/r/a")).created == again


async def test_reads_at_a_revision_see_that_revision(store):
    first = await store.put("/r/a", b"1", expected=0)
    second = await store.put("/r/a", b"2", expected=first)
    await store.delete("/r/a", expected=second)
    assert (await store.get("/r/a", revision=first)).value == b"1"
    assert (await store.get("/r/a", revision=second)).value == b"2"
    assert [entry.value for entry in (await store.range("/r/", revision=second)).entries] == [b"2"]
    with pytest.raises(FutureRevision):
        await store.get("/r/a", revision=store.revision + 1)


async def test_a_range_is_ordered_limited_and_continues_consistently(store):
    for name in "dbca":
        await store.put(f"/r/{name}", name.encode(), expected=0)
    await store.put("/s/a", b"other", expected=0)
    page = await store.range("/r/", limit=2)
    assert [entry.key for entry in page.entries] == ["/r/a", "/r/b"]
    assert page.remaining == 2
    await store.put("/r/bb", b"later", expected=0)
    rest = await store.range("/r/", after="/r/b", revision=page.revision)
    assert [entry.key for entry in rest.entries] == ["/r/c", "/r/d"]
    assert rest.remaining == 0


async def test_a_watch_sees_history_then_live_changes_without_a_gap(store):
    first = await store.put("/r/a", b"1", expected=0)
    second = await store.put("/r/a", b"2", expected=first)
    seen = Seen()
    subscription = await store.watch("/r/", after=first, sink=seen)
    third = await store.put("/r/b", b"3", expected=0)
    fourth = await store.delete("/r/a", expected=second)
    assert seen.changes == [
        Change("/r/a", b"2", second, first),
        Change("/r/b", b"3", third, third),
        Change("/r/a", None, fourth, first),
    ]
    subscription.close()
    await store.put("/r/c", b"5", expected=0)
    assert len(seen.changes) == 3


async def test_a_watch_sees_only_its_prefix(store):
    seen = Seen()
    await store.watch("/r/", after=store.revision, sink=seen)
    await store.put("/ra/x", b"no", expected=0)
    await store.put("/s/r/x", b"no", expected=0)
    await store.put("/r/x/y", b"yes", expected=0)
    assert [change.value for change in seen.changes] == [b"yes"]


async def test_sinks_have_seen_a_write_when_it_returns(store):
    seen = Seen()
    await store.watch("/r/", after=store.revision, sink=seen)
    revisions = await asyncio.gather(*(store.put(f"/r/{i}", b"x", expected=0) for i in range(100)))
    assert seen.revisions == sorted(revisions)


async def test_of_concurrent_writers_exactly_one_wins(store):
    first = await store.put("/r/a", b"0", expected=0)
    results = await asyncio.gather(
        *(store.put("/r/a", str(i).encode(), expected=first) for i in range(20)), return_exceptions=True
    )
    assert sum(isinstance(result, int) for result in results) == 1
    assert sum(isinstance(result, Conflict) for result in results) == 19


async def test_a_watch_joined_during_writes_misses_nothing(store):
    start = store.revision
    writes = [asyncio.ensure_future(store.put(f"/r/{i}", b"x", expected=0)) for i in range(50)]
    seen = Seen()
    await store.watch("/r/", after=start, sink=seen)
    revisions = await asyncio.gather(*writes)
    assert seen.revisions == sorted(revisions)


async def test_compaction_forgets_history_but_no_live_value(store):
    first = await store.put("/r/a", b"1", expected=0)
    second = await store.put("/r/a", b"2", expected=first)
    gone = await store.put("/r/b", b"1", expected=0)
    await store.delete("/r/b", expected=gone)
    await store.compact(store.revision)
    assert (await store.get("/r/a")).value == b"2"
    assert (await store.get("/r/a")).modified == second
    assert await store.get("/r/b") is None
    with pytest.raises(Compacted):
        await store.get("/r/a", revision=first)
    with pytest.raises(Compacted):
        await store.range("/r/", revision=first)
    with pytest.raises(Compacted):
        await store.watch("/r/", after=first, sink=Seen())


async def test_a_cancelled_writer_does_not_disturb_the_others(store):
    doomed = asyncio.ensure_future(store.put("/r/a", b"1", expected=0))
    other = asyncio.ensure_future(store.put("/r/b", b"1", expected=0))
    await asyncio.sleep(0)
    doomed.cancel()
    assert await other == store.revision
    await asyncio.wait([doomed])
    assert (await store.get("/r/b")).value == b"1"


async def test_a_closed_store_refuses_writes(store):
    await store.close()
    with pytest.raises(Unavailable):
        await store.put("/r/a", b"1", expected=0)
