"""ComponentStatuses are asked for at every read, those that take a while all at once."""

from __future__ import annotations

import asyncio
import json

from pybernetes.apiserver.endpoints import components
from tests.fakes import apiserver as fakes


async def test_what_takes_a_while_is_asked_at_once() -> None:
    both = asyncio.Barrier(2)

    async def slow() -> components.Condition:
        await both.wait()
        return components.Condition(None, error="away")

    async with fakes.FakeServer() as server:
        server.api.components.update({"a": slow, "b": slow, "c": lambda: components.Condition(False, "ill")})
        listed = json.loads((await server.ask("GET", "/api/v1/componentstatuses")).body)["items"]
    told = {one["metadata"]["name"]: one["conditions"][0] for one in listed}
    assert list(told) == ["etcd-0", "c", "b", "a"]
    assert told["a"] == {"type": "Healthy", "status": "Unknown", "error": "away"}
    assert told["c"] == {"type": "Healthy", "status": "False", "message": "ill"}
