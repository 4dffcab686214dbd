"""What ComponentStatuses tell of controllers and scheduler, by real ports of theirs."""

from __future__ import annotations

import asyncio
import inspect

import pytest

from pybernetes.apiserver.endpoints import components
from pybernetes.cluster.hyperkube import flags as flags_
from pybernetes.cluster.hyperkube import ports
from pybernetes.cluster.hyperkube.kube_apiserver import neighbours
from pybernetes.cluster.hyperkube.ports import flags
from pybernetes.kits import clock as clocks
from tests.e2e import harness


async def condition(name: str) -> components.Condition:
    told = neighbours.checks()[name]()
    assert inspect.isawaitable(told)
    return await told


async def test_one_that_answers_is_what_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    number = harness.free_port()
    monkeypatch.setattr(flags, "SCHEDULER", number)
    shown = ports.Shown("kube-scheduler")
    given = flags_.parse(flags.table(number), ["--bind-address=127.0.0.1"]) | {"profiling": False}
    port = ports.Port(shown, given, clocks.SystemClock())
    await port.start()
    try:
        assert await condition("scheduler") == components.Condition(True, "ok")
        shown.checks["/healthz"]["leaderElection"] = lambda: "late"
        found = await condition("scheduler")
        assert found == components.Condition(False, "HTTP probe failed with statuscode: 500")
    finally:
        await port.close()


async def test_one_that_is_away_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    number = harness.free_port()
    monkeypatch.setattr(flags, "CONTROLLER_MANAGER", number)
    found = await condition("controller-manager")
    assert found.healthy is None
    assert found.error == (
        f'Get "https://127.0.0.1:{number}/healthz": dial tcp 127.0.0.1:{number}: connect: connection refused'
    )


async def test_one_that_says_nothing_is_unknown_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await ended.wait()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    monkeypatch.setattr(flags, "SCHEDULER", server.sockets[0].getsockname()[1])
    monkeypatch.setattr(neighbours, "PATIENCE", 0.05)
    try:
        found = await condition("scheduler")
        assert found.error.endswith('/healthz": context deadline exceeded')
    finally:
        ended.set()
        server.close()
        await server.wait_closed()
