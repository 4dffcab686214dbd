"""A namespace for one test."""

from __future__ import annotations

import hashlib
import pathlib
import re

from pybernetes.api.errors import StatusError
from pybernetes.api.types import core_v1, meta_v1
from pybernetes.client import kubeconfig
from pybernetes.cluster import waiting
from pybernetes.kits import clock as clocks

PATIENCE = 30.0
LONGEST = 50


def name_for(test: str) -> str:
    """`test_web[a-1]` -> `test-web-a-1-3f2a1c`: a DNS label that no other test has."""
    words = re.sub(r"[^a-z0-9]+", "-", test.lower()).strip("-") or "test"
    return f"{words[:LONGEST].rstrip('-')}-{hashlib.sha256(test.encode()).hexdigest()[:6]}"


async def make(config: pathlib.Path, name: str) -> None:
    """Returns when pods can be created in it."""
    client = kubeconfig.client(config, user_agent="pybernetes-testing")
    clock = clocks.SystemClock()
    try:
        await client.create(core_v1.Namespace(metadata=meta_v1.ObjectMeta(name=name)))
        async with clock.timeout(PATIENCE):
            await waiting.until(client, core_v1.ServiceAccount, "default", lambda _: True, clock=clock, namespace=name)
    finally:
        await client.close()


async def remove(config: pathlib.Path, name: str) -> None:
    client = kubeconfig.client(config, user_agent="pybernetes-testing")
    try:
        await client.delete(core_v1.Namespace, name)
    except StatusError as error:
        if error.reason not in ("NotFound", "Conflict"):
            raise
    finally:
        await client.close()
