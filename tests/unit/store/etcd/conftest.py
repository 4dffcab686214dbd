"""One etcd for a module's tests, and stores over it, each test below a prefix of its own."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest

from pybernetes.kits.chance import Chance
from pybernetes.kits.clock import SystemClock
from pybernetes.store import etcd as stores
from tests.fakes import etcd as fakes

_prefixes = itertools.count()
Open = Callable[..., Awaitable[stores.EtcdStore]]


@pytest.fixture(scope="module")
def etcd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[fakes.Etcd]:
    started = fakes.Etcd(tmp_path_factory.mktemp("etcd") / "data")
    started.start()
    yield started
    started.kill()


@pytest.fixture
async def connect() -> AsyncIterator[Open]:
    """Opens stores over the given URLs; closes them in the end. All of one test have the same prefix."""
    prefix = f"/test-{next(_prefixes)}"
    opened: list[stores.EtcdStore] = []

    async def connect_(*urls: str, **more: Any) -> stores.EtcdStore:
        options = stores.Options(servers=urls, **{"prefix": prefix, **more})
        store = await stores.open(options, clock=SystemClock(), chance=Chance(1))
        opened.append(store)
        return store

    yield connect_
    for store in opened:
        await store.close()


@pytest.fixture
async def wire(etcd: fakes.Etcd) -> AsyncIterator[fakes.Wire]:
    """To the etcd; mended."""
    made = fakes.Wire(etcd.port)
    await made.mend()
    yield made
    await made.cut()
