"""kill -9 under write load: nothing that was acknowledged is lost."""

import os
import signal
import subprocess
import sys

from pybernetes.store.sqlite import SqliteStore

WRITER = """
import asyncio, pathlib, sys
from pybernetes.store.sqlite import SqliteStore

async def writer(store, number):
    for step in range(1_000_000):
        revision = await store.put(f"/r/{number}-{step}", b"x" * 500, expected=0)
        print(f"{number}-{step} {revision}", flush=True)

async def main():
    store = await SqliteStore.open(pathlib.Path(sys.argv[1]))
    await asyncio.gather(*(writer(store, number) for number in range(16)))

asyncio.run(main())
"""


async def test_nothing_acknowledged_is_lost(tmp_path):
    path = tmp_path / "store.db"
    for _ in range(3):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)
        acknowledged = [writer.stdout.readline() for _ in range(500)]
        os.kill(writer.pid, signal.SIGKILL)
        acknowledged += writer.stdout.read().splitlines(keepends=True)
        writer.wait()
        writer.stdout.close()
        store = await SqliteStore.open(path)
        entries = {entry.key: entry.modified for entry in (await store.range("/r/")).entries}
        for line in acknowledged:
            if line.endswith("\n"):
                name, revision = line.split()
                assert entries[f"/r/{name}"] == int(revision)
        await store.close()
        path.unlink()
        for leftover in tmp_path.glob("store.db-*"):
            leftover.unlink()
