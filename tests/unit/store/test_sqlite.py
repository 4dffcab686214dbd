import asyncio
import sqlite3

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pybernetes.store import Conflict, Unavailable
from pybernetes.store.memory import MemoryStore
from pybernetes.store.sqlite import SqliteStore, prefix_end


async def test_data_and_revisions_survive_a_reopening(tmp_path):
    store = await SqliteStore.open(tmp_path / "store.db")
    first = await store.put("/r/a", b"1", expected=0)
    second = await store.put("/r/b", b"2", expected=0)
    await store.delete("/r/a", expected=first)
    await store.close()
    store = await SqliteStore.open(tmp_path / "store.db")
    assert store.revision == second + 1
    assert [entry.key for entry in (await store.range("/r/")).entries] == ["/r/b"]
    assert await store.put("/r/b", b"3", expected=second) == second + 2
    await store.close()


async def test_compaction_survives_a_reopening_and_revisions_never_go_back(tmp_path):
    store = await SqliteStore.open(tmp_path / "store.db")
    first = await store.put("/r/a", b"1", expected=0)
    last = await store.delete("/r/a", expected=first)
    await store.compact(last)
    await store.close()
    store = await SqliteStore.open(tmp_path / "store.db")
    assert store.revision == last
    assert await store.put("/r/a", b"2", expected=0) == last + 1
    await store.close()


async def test_a_second_process_is_refused(tmp_path):
    store = await SqliteStore.open(tmp_path / "store.db")
    with pytest.raises(Unavailable, match="in use by another process"):
        await SqliteStore.open(tmp_path / "store.db")
    await store.close()


async def test_a_file_of_another_format_is_refused(tmp_path):
    connection = sqlite3.connect(tmp_path / "store.db")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(Unavailable, match="has format 99"):
        await SqliteStore.open(tmp_path / "store.db")


async def test_a_full_disk_refuses_writes_undoes_them_and_recovers(tmp_path):
    store = await SqliteStore.open(tmp_path / "store.db")
    kept = await store.put("/r/kept", b"1", expected=0)
    pages = store._write_connection.execute("PRAGMA page_count").fetchone()[0]
    store._write_connection.execute(f"PRAGMA max_page_count = {pages}")
    results = await asyncio.gather(
        store.put("/r/kept", b"x" * 100_000, expected=kept),
        store.put("/r/new", b"x" * 100_000, expected=0),
        return_exceptions=True,
    )
    assert all(isinstance(result, Unavailable) for result in results)
    assert (await store.get("/r/kept")).value == b"1"
    assert store.revision == kept
    store._write_connection.execute("PRAGMA max_page_count = 1000000")
    assert await store.put("/r/kept", b"2", expected=kept) == kept + 1
    assert await store.put("/r/new", b"2", expected=0) == kept + 2
    await store.close()


def test_prefix_end_is_the_first_string_after_the_prefix():
    assert prefix_end("/r/") == "/r0"
    assert "/r/" < "/r/\U0010ffff" < prefix_end("/r/")


operations = st.lists(
    st.tuples(st.sampled_from(["put", "delete", "compact"]), st.sampled_from("abc"), st.booleans()), max_size=30
)


@settings(max_examples=40, deadline=None)
@given(operations)
def test_it_agrees_with_the_memory_store(tmp_path_factory, steps):
    async def run():
        path = tmp_path_factory.mktemp("agree") / "store.db"
        stores = [await SqliteStore.open(path), MemoryStore()]
        for verb, name, right in steps:
            outcomes = []
            for store in stores:
                entry = await store.get(f"/r/{name}")
                expected = (entry.modified if entry else 0) + (0 if right else 1)
                try:
                    if verb == "put":
                        outcomes.append(await store.put(f"/r/{name}", b"v", expected=expected))
                    elif verb == "delete":
                        outcomes.append(await store.delete(f"/r/{name}", expected=expected))
                    else:
                        outcomes.append(await store.compact(store.revision))
                except Conflict as error:
                    outcomes.append(error.current)
            assert outcomes[0] == outcomes[1]
        assert await stores[0].range("/r/") == await stores[1].range("/r/")
        await stores[0].close()

    asyncio.run(run())
