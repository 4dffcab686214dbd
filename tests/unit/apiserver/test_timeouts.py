"""How long a request may take, who may shorten that, and what it is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.fakes import apiserver as fakes

MAPS = "/api/v1/namespaces/default/configmaps"
TOO_LATE = "Timeout: request did not complete within requested timeout - context deadline exceeded"


@pytest.fixture
async def server() -> AsyncIterator[fakes.FakeServer]:
    async with fakes.FakeServer(request_timeout=60.0) as running:
        yield running


async def stuck(server: fakes.FakeServer, path: str = MAPS) -> fakes.Wire:
    """A request whose write never returns."""

    waiting = asyncio.Event()

    async def never(key: str) -> None:
        waiting.set()
        await asyncio.get_running_loop().create_future()

    server.store.before_put = never
    wire = await server.wire()
    wire.send("POST", path, b'{"metadata":{"name":"a"}}', headers={"Content-Type": "application/json"})
    await waiting.wait()
    return wire


async def test_a_request_that_takes_too_long_is_told(server: fakes.FakeServer) -> None:
    wire = await stuck(server)
    await server.clock.advance(59.9)
    assert not wire.reader._buffer  # type: ignore[attr-defined]
    await server.clock.advance(0.2)
    answer = await wire.answer()
    assert (answer.code, answer.message, answer.tree()["reason"]) == (504, TOO_LATE, "Timeout")
    # The connection is as good as before.
    wire.send("GET", "/livez")
    assert (await wire.answer()).code == 200
    metrics = (await server.ask("GET", "/metrics")).body.decode()
    assert 'apiserver_request_total{code="504"' in metrics


@pytest.mark.parametrize(("asked", "after"), [("2s", 2.0), ("1m30s", 60.0), ("0", 60.0), ("-5s", 60.0)])
async def test_clients_may_wait_less(server: fakes.FakeServer, asked: str, after: float) -> None:
    wire = await stuck(server, f"{MAPS}?timeout={asked}")
    await server.clock.advance(after - 0.1)
    assert not wire.reader._buffer  # type: ignore[attr-defined]
    await server.clock.advance(0.2)
    assert (await wire.answer()).code == 504


async def test_what_is_no_time(server: fakes.FakeServer) -> None:
    answer = await server.ask("GET", f"{MAPS}?timeout=soon")
    assert answer.code == 400
    assert answer.message == 'invalid timeout specified in the request URL - time: invalid duration "soon"'
    assert (await server.ask("GET", f"{MAPS}?timeout=1s")).code == 200


async def test_watches_last(server: fakes.FakeServer) -> None:
    wire = await server.watch(f"{MAPS}?watch=1&timeoutSeconds=600&timeout=nonsense")
    await server.clock.advance(120.0)
    await server.client.create(fakes.config_map("a"))
    assert (await wire.event())["type"] == "ADDED"


async def test_who_does_not_wait_needs_no_timer(server: fakes.FakeServer) -> None:
    before = len(server.clock._timers)
    wire = await server.wire()
    for _ in range(20):
        wire.send("GET", MAPS)
        assert (await wire.answer()).code == 200
    assert len(server.clock._timers) - before < 5
