"""One server for many hostile requests, asked from tests that are not async because hypothesis' are not.

Whatever it is sent, the server answers with one of upstream's codes and a Status, and goes on: `Target.ask` checks it.
"""

from __future__ import annotations

import asyncio
import json
import pathlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from tests.fakes import apiserver as fakes

CORPUS = pathlib.Path(__file__).parent / "corpus"
ALLOWED = frozenset((200, 201, 202, 400, 404, 405, 406, 409, 410, 413, 415, 422, 429, 504))


class Target:
    """A running server; `ask` is one request to it."""

    def __init__(self, loop: asyncio.AbstractEventLoop, server: fakes.FakeServer) -> None:
        self._loop = loop
        self.server = server
        self._wire: fakes.Wire | None = None

    def run(self, awaitable: Any) -> Any:
        return self._loop.run_until_complete(asyncio.wait_for(awaitable, 20))

    def ask(self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> Any:
        """The answer, of an allowed code; what failed is a Status that says so."""
        answer: fakes.Answer = self.run(self._ask(method, path, body, headers))
        assert answer.code in ALLOWED, answer
        if answer.code >= 400 and method != "HEAD" and "json" in answer.headers.get("content-type", ""):
            status = json.loads(answer.body)
            assert status["kind"] == "Status"
            assert status["code"] == answer.code
            assert status["message"]
        return answer

    async def _ask(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str] | None) -> fakes.Answer:
        if self._wire is None:
            self._wire = await self.server.wire()
        self._wire.send(method, path, body, headers=headers)
        answer = await self._wire.answer(bodiless=method == "HEAD")
        if answer.headers.get("connection") == "close":
            self._wire = None
        return answer

    async def send_raw(self, data: bytes) -> bytes:
        """Bytes as they are, on a connection of their own; what comes back until it is closed."""
        wire = await self.server.wire()
        wire.writer.write(data)
        wire.writer.write_eof()
        try:
            return await wire.reader.read()
        except ConnectionError:
            return b""


@contextmanager
def target() -> Iterator[Target]:
    loop = asyncio.new_event_loop()
    server = fakes.FakeServer()
    loop.run_until_complete(server.__aenter__())
    loop.run_until_complete(server.account())
    try:
        yield Target(loop, server)
    finally:
        loop.run_until_complete(server.__aexit__())
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


def corpus(name: str) -> list[Any]:
    """The kept inputs of one decoder, one file each."""
    return [pytest.param(path.read_bytes(), id=path.name) for path in sorted((CORPUS / name).iterdir())]
