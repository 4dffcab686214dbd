"""Snapshots of the SQLite store: online, whole, and without turning revisions back."""

from __future__ import annotations

import asyncio
import pathlib

import pytest

from pybernetes.store import Change, Compacted, Unavailable, snapshot
from pybernetes.store.sqlite import SqliteStore


async def filled(database: pathlib.Path, *names: str) -> SqliteStore:
    store = await SqliteStore.open(database)
    for name in names:
        await store.put(f"/r/{name}", name.encode(), expected=0)
    return store


async def keys(store: SqliteStore) -> list[str]:
    return [entry.key for entry in (await store.range("/r/")).entries]


async def test_saved_while_it_is_written_to(tmp_path: pathlib.Path) -> None:
    store = await filled(tmp_path / "store.db")
    busy = True

    async def write() -> None:
        number = 0
        while busy:
            await asyncio.gather(*(store.put(f"/r/{number + n:06}", b"x" * 400, expected=0) for n in range(20)))
            number += 20

    writing = asyncio.create_task(write())
    saved = []
    for number in range(5):
        file = tmp_path / f"snapshot-{number}"
        saved.append(await asyncio.to_thread(snapshot.save, tmp_path / "store.db", file))
        assert snapshot.inspect(file) == saved[-1]
        assert file.stat().st_mode & 0o777 == 0o600
    busy = False
    await writing
    await store.close()
    assert [summary.revision for summary in saved] == sorted(summary.revision for summary in saved)
    # Every key is written once, the first at revision 2: a snapshot between two of them holds all before.
    assert all(summary.keys == summary.revision - 1 for summary in saved)
    assert not list(tmp_path.glob("*.partial"))


async def test_the_old_state_comes_back_and_revisions_go_on(tmp_path: pathlib.Path) -> None:
    database, file = tmp_path / "store.db", tmp_path / "snapshot"
    store = await filled(database, "a", "b")
    before = snapshot.save(database, file)
    assert (before.keys, before.revision) == (2, 3)
    await store.delete("/r/a", expected=2)
    await store.put("/r/c", b"c", expected=0)
    last = store.revision
    with pytest.raises(Unavailable, match="in use by another process"):
        snapshot.restore(file, database)
    await store.close()

    assert snapshot.restore(file, database) == before
    store = await SqliteStore.open(database)
    assert await keys(store) == ["/r/a", "/r/b"]
    assert store.revision == last
    heard: list[Change] = []
    with pytest.raises(Compacted):
        await store.watch("/r/", after=before.revision, sink=heard.extend)
    assert await store.put("/r/a", b"A", expected=2) == last + 1
    await store.close()
    replaced = await SqliteStore.open(snapshot.replaced(database))
    assert await keys(replaced) == ["/r/b", "/r/c"]
    await replaced.close()


async def test_into_an_empty_place(tmp_path: pathlib.Path) -> None:
    store = await filled(tmp_path / "store.db", "a")
    snapshot.save(tmp_path / "store.db", tmp_path / "snapshot")
    await store.close()
    elsewhere = tmp_path / "new" / "store.db"
    snapshot.restore(tmp_path / "snapshot", elsewhere)
    store = await SqliteStore.open(elsewhere)
    assert await keys(store) == ["/r/a"]
    assert elsewhere.stat().st_mode & 0o777 == 0o600
    await store.close()
    assert not snapshot.replaced(elsewhere).exists()


async def test_what_is_no_snapshot_changes_nothing(tmp_path: pathlib.Path) -> None:
    database = tmp_path / "store.db"
    store = await filled(database, "a")
    snapshot.save(database, tmp_path / "good")
    await store.close()
    before = database.read_bytes()
    (tmp_path / "other").write_bytes(b"hello" * 1000)
    (tmp_path / "empty").touch()
    data = bytearray((tmp_path / "good").read_bytes())
    data[4096 + 8 : 4096 + 400] = b"\xff" * 392
    (tmp_path / "damaged").write_bytes(data)
    (tmp_path / "short").write_bytes(data[:5000])
    for name in ("other", "empty", "damaged", "short", "missing"):
        with pytest.raises(Unavailable, match=str(tmp_path / name)):
            snapshot.restore(tmp_path / name, database)
    assert database.read_bytes() == before
    assert not list(tmp_path.glob("*.restoring"))


def test_nothing_to_save(tmp_path: pathlib.Path) -> None:
    with pytest.raises(Unavailable, match="there is no such file"):
        snapshot.save(tmp_path / "store.db", tmp_path / "snapshot")
    assert not (tmp_path / "snapshot").exists()


async def test_a_damaged_store_can_be_replaced(tmp_path: pathlib.Path) -> None:
    database = tmp_path / "store.db"
    store = await filled(database, "a")
    snapshot.save(database, tmp_path / "good")
    await store.close()
    database.write_bytes(b"\0" * 5000)
    snapshot.restore(tmp_path / "good", database)
    store = await SqliteStore.open(database)
    assert await keys(store) == ["/r/a"]
    await store.close()
