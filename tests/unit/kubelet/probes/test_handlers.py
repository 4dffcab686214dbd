from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import grpc
import grpc.aio
import pytest

from pybernetes.kubelet.probes import handlers

SERVING, NOT_SERVING = b"\x08\x01", b"\x08\x02"
LONG = "s" * 300


@contextlib.asynccontextmanager
async def serving(answers: dict[bytes, bytes]) -> AsyncIterator[int]:
    """A health service that answers by what it is asked, on a port of its own."""

    async def check(request: bytes, context: Any) -> bytes:
        if request not in answers:
            await context.abort(grpc.StatusCode.NOT_FOUND, "unknown service")
        return answers[request]

    server = grpc.aio.server()
    method = grpc.unary_unary_rpc_method_handler(check)
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("grpc.health.v1.Health", {"Check": method})])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield port
    finally:
        await server.stop(None)


async def test_grpc_health_by_service(monkeypatch: pytest.MonkeyPatch) -> None:
    # What the machine asks the world by is not how a pod is reached.
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    answers = {b"": SERVING, b"\x0a\x01a": NOT_SERVING, b"\x0a\xac\x02" + LONG.encode(): SERVING}
    async with serving(answers) as port:
        outcomes = [
            (await handlers.check_grpc("127.0.0.1", port, service, timeout=10.0)).success
            for service in ("", "a", LONG, "unknown")
        ]
    assert outcomes == [True, False, True, False]
