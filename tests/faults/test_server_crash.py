"""kill -9 of the API server under load: clients lose nothing that was acknowledged, and no event."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import pathlib
import signal

import aiohttp

from tests.faults import apiservers

WRITERS = 8
CRASHES = 3


async def test_nothing_acknowledged_is_lost_and_no_event_is_missed(tmp_path: pathlib.Path) -> None:
    acknowledged: dict[str, int] = {}
    enough = asyncio.Condition()

    async with apiservers.running(tmp_path / "data") as server:
        watcher = apiservers.Watcher(server)
        await watcher.start()

        async def write(number: int) -> None:
            async with server.session() as session:
                for step in itertools.count():
                    name = f"w{number}-{step}"
                    with contextlib.suppress(aiohttp.ClientError):
                        async with session.post(apiservers.MAPS, json=apiservers.config_map(name)) as answer:
                            assert answer.status == 201, await answer.text()
                            acknowledged[name] = int((await answer.json())["metadata"]["resourceVersion"])
                            async with enough:
                                enough.notify_all()
                    await asyncio.sleep(0)

        async with asyncio.timeout(apiservers.SECONDS), asyncio.TaskGroup() as tasks:
            busy = [tasks.create_task(write(number)) for number in range(WRITERS)]
            watching = tasks.create_task(watcher.run())
            for _ in range(CRASHES):
                wanted = len(acknowledged) + 200
                async with enough:
                    await enough.wait_for(lambda wanted=wanted: len(acknowledged) >= wanted)
                assert await server.kill() == -signal.SIGKILL
                await server.start()
            for task in busy:
                task.cancel()
            await asyncio.wait(busy)
            # Writes whose writers have gone may still be on their way, so what counts is what came before this one.
            async with server.session() as session:
                async with session.post(apiservers.MAPS, json=apiservers.config_map("last")) as answer:
                    last = int((await answer.json())["metadata"]["resourceVersion"])
                async with session.get(apiservers.MAPS) as answer:
                    stored = {
                        item["metadata"]["name"]: int(item["metadata"]["resourceVersion"])
                        for item in (await answer.json())["items"]
                    }
            await watcher.until(lambda seen: bool(seen) and seen[-1][2] >= last)
            watching.cancel()

    assert {name: stored.get(name) for name in acknowledged} == acknowledged
    revisions = [revision for _, _, revision in watcher.seen]
    assert revisions == sorted(set(revisions))
    assert {name: revision for _, name, revision in watcher.seen if revision <= last} == {
        name: revision for name, revision in stored.items() if revision <= last
    }
    assert {kind for kind, _, _ in watcher.seen} == {"ADDED"}


async def test_it_ends_cleanly_when_told_to(tmp_path: pathlib.Path) -> None:
    async with (
        apiservers.running(tmp_path / "data") as server,
        server.session() as session,
        session.get(f"{apiservers.MAPS}?watch=1") as stream,
    ):
        assert stream.status == 200
        assert await server.kill(signal.SIGTERM) == 0
        assert await stream.content.read() == b""
