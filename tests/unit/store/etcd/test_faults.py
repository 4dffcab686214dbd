"""What goes wrong between us and etcd: nothing acknowledged is lost, nothing is told twice, nothing waits for ever."""

from __future__ import annotations

import asyncio
import pathlib
from collections.abc import Sequence

import pytest

from pybernetes.store import Change, Compacted, Unavailable
from pybernetes.store import etcd as stores
from tests.fakes import etcd as fakes

PREFIX = "/registry/r/"
WRITERS = 6
WRITES = 30


class Seen:
    """A sink that remembers."""

    def __init__(self) -> None:
        self.changes: list[Change] = []

    def __call__(self, changes: Sequence[Change]) -> None:
        self.changes.extend(changes)

    @property
    def revisions(self) -> list[int]:
        return [change.revision for change in self.changes]

    def state(self) -> dict[str, bytes]:
        """What the changes come to."""
        found: dict[str, bytes] = {}
        for change in self.changes:
            found.pop(change.key, None)
            if change.value is not None:
                found[change.key] = change.value
        return found


async def stored(store: stores.EtcdStore) -> dict[str, bytes]:
    return {entry.key: entry.value for entry in (await store.range(PREFIX)).entries}


async def test_killing_etcd_under_writes_loses_nothing(tmp_path: pathlib.Path, connect) -> None:
    etcd = fakes.Etcd(tmp_path / "data")
    etcd.start()
    try:
        store = await connect(etcd.url)
        seen = Seen()
        await store.watch(PREFIX, after=store.revision, sink=seen)
        acknowledged: dict[int, tuple[str, bytes]] = {}
        halfway = asyncio.Event()

        async def write(writer: int) -> None:
            key, modified = f"{PREFIX}{writer}", 0
            for number in range(WRITES):
                value = b"%d" % number
                modified = await store.put(key, value, expected=modified)
                acknowledged[modified] = (key, value)
                if len(acknowledged) > WRITERS * WRITES / 3:
                    halfway.set()

        async def disturb() -> None:
            await halfway.wait()
            etcd.kill()
            await asyncio.sleep(0)
            etcd.start()

        await asyncio.gather(disturb(), *(write(number) for number in range(WRITERS)))
        told = {change.revision: (change.key, change.value) for change in seen.changes}
        assert told == acknowledged
        assert seen.revisions == sorted(acknowledged)
        assert await stored(store) == seen.state()
    finally:
        etcd.kill()


async def test_a_partition_is_survived(etcd: fakes.Etcd, wire: fakes.Wire, connect) -> None:
    near, far = await connect(etcd.url), await connect(wire.url)
    seen = Seen()
    await far.watch(PREFIX, after=far.revision, sink=seen)
    first = await far.put(f"{PREFIX}a", b"1", expected=0)
    await wire.cut()
    waiting = asyncio.ensure_future(far.put(f"{PREFIX}far", b"1", expected=0))
    second = await near.put(f"{PREFIX}a", b"2", expected=first)
    third = await near.delete(f"{PREFIX}a", expected=second)
    assert far.problem is not None
    assert far.problem.startswith("the watch of etcd was lost: ")
    await wire.mend()
    fourth = await waiting
    assert far.problem is None
    assert seen.revisions == [first, second, third, fourth]
    assert far.unbroken == 0


async def test_a_write_whose_answer_is_lost_is_found_by_what_the_watch_shows(
    etcd: fakes.Etcd, wire: fakes.Wire, connect
) -> None:
    near, far = await connect(etcd.url), await connect(wire.url)
    seen = Seen()
    await near.watch(PREFIX, after=near.revision, sink=seen)
    first = await far.put(f"{PREFIX}a", b"1", expected=0)
    arrived = asyncio.Event()
    await near.watch(PREFIX, after=first, sink=lambda _: arrived.set())
    wire.deaf = True
    writing = asyncio.ensure_future(far.put(f"{PREFIX}a", b"2", expected=first))
    await arrived.wait()
    # Somebody builds on the write before its writer has heard of it.
    overwritten = await near.put(f"{PREFIX}a", b"3", expected=near.revision)
    await wire.cut()
    await wire.mend()
    assert await writing == seen.revisions[1]
    assert seen.revisions == [first, first + 1, overwritten]
    arrived.clear()
    wire.deaf = True
    deleting = asyncio.ensure_future(far.delete(f"{PREFIX}a", expected=overwritten))
    await arrived.wait()
    await wire.cut()
    await wire.mend()
    assert await deleting == seen.revisions[-1]
    assert seen.changes[-1].value is None


async def test_nothing_waits_for_ever(etcd: fakes.Etcd, wire: fakes.Wire, connect) -> None:
    store = await connect(wire.url, deadline=0.3)
    await wire.cut()
    for asked in (store.put(f"{PREFIX}a", b"1", expected=0), store.range(PREFIX), store.current(), store.compact(1)):
        with pytest.raises(Unavailable, match=r"^request timed out$"):
            await asked
    await wire.mend()
    store = await connect(wire.url)
    assert await store.put(f"{PREFIX}b", b"1", expected=0) == store.revision


async def test_an_etcd_that_is_not_there(connect) -> None:
    nowhere = f"http://127.0.0.1:{fakes.free_port()}"
    with pytest.raises(Unavailable, match=f"^etcd at {nowhere}: UNAVAILABLE: .*Connection refused"):
        await connect(nowhere, deadline=0.3)
    for wrong in ("127.0.0.1:2379", "ftp://127.0.0.1", "http://127.0.0.1:port", "http://"):
        with pytest.raises(Unavailable, match="is not the URL of an etcd server"):
            await connect(wrong)
    with pytest.raises(Unavailable, match="no etcd server is named"):
        await connect()


async def test_the_next_member_is_asked_when_one_fails(etcd: fakes.Etcd, wire: fakes.Wire, connect) -> None:
    store = await connect(f"http://127.0.0.1:{fakes.free_port()}", wire.url, etcd.url)
    seen = Seen()
    await store.watch(PREFIX, after=store.revision, sink=seen)
    first = await store.put(f"{PREFIX}a", b"1", expected=0)
    await wire.cut()
    second = await store.put(f"{PREFIX}a", b"2", expected=first)
    assert seen.revisions == [first, second]


async def test_after_history_was_compacted_away_what_differs_is_told(
    etcd: fakes.Etcd, wire: fakes.Wire, connect
) -> None:
    near, far = await connect(etcd.url), await connect(wire.url)
    at = {name: await far.put(f"{PREFIX}{name}", b"1", expected=0) for name in ("kept", "changed", "gone", "again")}
    seen = Seen()
    before = far.revision
    await far.watch(PREFIX, after=before, sink=seen)
    await wire.cut()
    changed = await near.put(f"{PREFIX}changed", b"2", expected=at["changed"])
    await near.delete(f"{PREFIX}gone", expected=at["gone"])
    await near.delete(f"{PREFIX}again", expected=at["again"])
    again = await near.put(f"{PREFIX}again", b"2", expected=0)
    passing = await near.put(f"{PREFIX}passing", b"1", expected=0)
    last = await near.delete(f"{PREFIX}passing", expected=passing)
    await near.compact(near.revision)
    await wire.mend()
    await far.reach(last)
    assert [(change.key, change.value, change.created) for change in seen.changes] == [
        (f"{PREFIX}changed", b"2", at["changed"]),
        (f"{PREFIX}again", None, at["again"]),
        (f"{PREFIX}again", b"2", again),
        (f"{PREFIX}gone", None, at["gone"]),
    ]
    assert seen.revisions == sorted(seen.revisions)
    assert seen.revisions[0] == changed
    assert far.unbroken >= last
    with pytest.raises(Compacted) as caught:
        await far.watch(PREFIX, after=before, sink=Seen())
    assert caught.value.oldest >= last
    # It goes on as ever.
    later = await near.put(f"{PREFIX}later", b"1", expected=0)
    await far.reach(later)
    assert seen.revisions[-1] == later
