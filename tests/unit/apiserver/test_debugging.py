"""/debug/pprof and /debug/flags."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest

from pybernetes.apiserver.debugging import profiles
from pybernetes.kits.clock import VirtualClock
from tests.fakes import apiserver as fakes

PROFILES = "/debug/pprof"


@pytest.fixture
async def server() -> AsyncIterator[fakes.FakeServer]:
    async with fakes.FakeServer() as running:
        yield running


async def test_what_there_is(server: fakes.FakeServer) -> None:
    answer = await server.ask("GET", PROFILES)
    assert (answer.code, answer.headers["location"]) == (302, "/debug/pprof/")
    assert "profile\t" in (await server.ask("GET", f"{PROFILES}/")).body.decode()
    assert (await server.ask("GET", f"{PROFILES}/none")).body == b"Unknown profile\n"
    assert b"heap" not in (await server.ask("GET", "/")).body


async def test_only_for_those_who_may(server: fakes.FakeServer) -> None:
    for path in (f"{PROFILES}/", f"{PROFILES}/goroutine", "/debug/flags/v"):
        assert (await server.ask("GET", path, token="alice")).code == 403


async def test_where_tasks_wait(server: fakes.FakeServer) -> None:
    text = (await server.ask("GET", f"{PROFILES}/goroutine?debug=2")).body.decode()
    assert text.startswith("goroutine profile: total ")
    assert "repair of cluster IPs" in text


async def test_what_takes_time_and_memory() -> None:
    clock = VirtualClock()
    profiler = profiles.Profiler(clock)
    calls, heap = asyncio.ensure_future(profiler.calls(5.0)), asyncio.ensure_future(profiler.heap(1.0))
    await clock.advance(2.0)
    with pytest.raises(profiles.Busy, match="cpu profiling already in use"):
        await profiler.calls(1.0)
    text = await heap
    assert "objects that may hold others" in text
    assert "allocated within 1s and kept:" in text
    await clock.advance(4.0)
    assert "function calls" in await calls
    # And again.
    later = asyncio.ensure_future(profiler.calls(1.0))
    await clock.advance(1.0)
    assert "tottime" in await later


async def test_for_how_long(server: fakes.FakeServer) -> None:
    assert (await server.ask("GET", f"{PROFILES}/profile?seconds=x")).code == 400
    assert b"function calls" in (await server.ask("GET", f"{PROFILES}/profile?seconds=-1")).body


async def test_how_much_is_logged(server: fakes.FakeServer) -> None:
    root = logging.getLogger()
    before = root.level
    try:
        answer = await server.ask("PUT", "/debug/flags/v", b"5")
        assert answer.body == b"successfully set klog.logging.verbosity to 5"
        assert root.level == logging.DEBUG
        assert b"v\t4" in (await server.ask("GET", "/debug/flags/")).body
        await server.ask("PUT", "/debug/flags/v", b"0")
        assert root.level == logging.INFO
        answer = await server.ask("PUT", "/debug/flags/v", b"-1")
        assert (answer.code, answer.body) == (400, b'strconv.ParseUint: parsing "-1": invalid syntax')
        assert (await server.ask("POST", "/debug/flags/v", b"1")).code == 406
    finally:
        root.setLevel(before)


async def test_not_where_it_is_switched_off() -> None:
    async with fakes.FakeServer(profiling=False) as server:
        assert (await server.ask("GET", f"{PROFILES}/goroutine")).code == 404
        assert (await server.ask("PUT", "/debug/flags/v", b"5")).code == 404
