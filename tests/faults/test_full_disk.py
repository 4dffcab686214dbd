"""A disk that is full: writes fail and say so, reads and watches go on, and room is all that is needed to go on."""

from __future__ import annotations

import asyncio
import os
import pathlib
import subprocess
from collections.abc import Iterator

import pytest

from tests.faults import apiservers

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to mount a small disk")


@pytest.fixture
def disk(tmp_path: pathlib.Path) -> Iterator[pathlib.Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


async def test_writes_fail_cleanly_and_come_back(disk: pathlib.Path) -> None:
    filler = disk / "filler"
    filler.write_bytes(b"\0" * (2 << 20))
    kept: list[str] = []
    async with apiservers.running(disk / "data") as server, server.session() as session:
        watcher = apiservers.Watcher(server)
        await watcher.start()
        watching = asyncio.ensure_future(watcher.run())
        code = 201
        for number in range(1000):
            async with session.post(apiservers.MAPS, json=apiservers.config_map(f"m{number}", 50_000)) as answer:
                code, status = answer.status, await answer.json()
            if code != 201:
                break
            kept.append(f"m{number}")
        assert code == 500
        assert status["kind"] == "Status"
        assert "full" in status["message"]
        assert "Traceback" not in status["message"]

        async with session.get(apiservers.MAPS) as answer:
            assert [item["metadata"]["name"] for item in (await answer.json())["items"]] == sorted(kept)
        async with session.get(f"{apiservers.MAPS}/{kept[0]}") as answer:
            assert answer.status == 200
        async with session.get("/readyz") as answer:
            assert answer.status == 200

        filler.unlink()
        async with session.post(apiservers.MAPS, json=apiservers.config_map("after", 50_000)) as answer:
            assert answer.status == 201, await answer.text()
        kept.append("after")
        await watcher.until(lambda seen: len(seen) >= len(kept))
        watching.cancel()
        assert [name for _, name, _ in watcher.seen] == kept
        await server.kill()
        await server.start()
        async with session.get(apiservers.MAPS) as answer:
            assert [item["metadata"]["name"] for item in (await answer.json())["items"]] == sorted(kept)
