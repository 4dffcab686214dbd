"""Two API servers on one etcd: what one has answered, the other shows."""

from __future__ import annotations

import asyncio
import pathlib
from collections.abc import AsyncIterator
from typing import NamedTuple

import pytest

from pybernetes import client as clients
from pybernetes.api import codecs, errors
from pybernetes.api.types import core_v1, meta_v1
from pybernetes.apiserver.storage import collection as collections
from pybernetes.kits.chance import Chance
from pybernetes.kits.clock import SystemClock
from pybernetes.store import etcd as stores
from tests.fakes import apiserver as fakes
from tests.fakes import etcd as etcds

MAPS = "/api/v1/namespaces/default/configmaps"


class Pair(NamedTuple):
    a: fakes.FakeServer
    b: fakes.FakeServer


@pytest.fixture(scope="module")
def etcd(tmp_path_factory: pytest.TempPathFactory):
    started = etcds.Etcd(tmp_path_factory.mktemp("etcd") / "data")
    started.start()
    yield started
    started.kill()


@pytest.fixture
async def wire(etcd: etcds.Etcd) -> AsyncIterator[etcds.Wire]:
    """Between the second server and etcd."""
    made = etcds.Wire(etcd.port)
    await made.mend()
    yield made
    await made.cut()


@pytest.fixture
async def pair(etcd: etcds.Etcd, wire: etcds.Wire, tmp_path: pathlib.Path) -> AsyncIterator[Pair]:
    """Both start at the same time, on an etcd that is empty."""
    opened = [
        await stores.open(
            stores.Options(servers=(url,), prefix=f"/{tmp_path.name}"), clock=SystemClock(), chance=Chance(1)
        )
        for url in (etcd.url, wire.url)
    ]
    a, b = (fakes.FakeServer(store=store, seed=seed) for seed, store in enumerate(opened))  # type: ignore[arg-type]
    await asyncio.gather(a.__aenter__(), b.__aenter__())
    yield Pair(a, b)
    await a.__aexit__()
    await b.__aexit__()
    for store in opened:
        await store.close()


async def test_what_one_has_written_the_other_reads(pair: Pair) -> None:
    for number in range(30):
        name = f"m-{number}"
        await pair.a.client.create(fakes.config_map(name, k="v"))
        assert (await pair.b.client.get(core_v1.ConfigMap, name, "default")).data == {"k": "v"}
        changed = await pair.b.client.patch(core_v1.ConfigMap, name, "default", {"data": {"k": "w"}})
        assert await pair.a.client.get(core_v1.ConfigMap, name, "default") == changed
        assert changed in (await pair.a.client.list(core_v1.ConfigMap, "default")).items
        await pair.a.client.delete(core_v1.ConfigMap, name, "default")
        with pytest.raises(errors.StatusError, match="not found"):
            await pair.b.client.get(core_v1.ConfigMap, name, "default")


async def test_writes_build_on_what_the_other_has_written(pair: Pair) -> None:
    for number in range(30):
        name = f"m-{number}"
        made = await pair.a.client.create(fakes.config_map(name, k="v"))
        changed = codecs.copy(made)
        changed.data = {"k": "w"}
        updated = await pair.b.client.update(changed)
        await pair.a.client.patch(core_v1.ConfigMap, name, "default", {"metadata": {"labels": {"x": "y"}}})
        with pytest.raises(errors.StatusError) as caught:
            await pair.b.client.update(updated)
        assert caught.value.reason == "Conflict"
        with pytest.raises(errors.StatusError) as caught:
            await pair.b.client.create(fakes.config_map(name))
        assert caught.value.reason == "AlreadyExists"
        await pair.b.client.delete(core_v1.ConfigMap, name, "default")
        await pair.a.client.create(fakes.config_map(name))
        await pair.b.client.delete(core_v1.ConfigMap, name, "default")


async def test_what_is_created_by_one_is_known_to_the_others_admission(pair: Pair) -> None:
    for number in range(10):
        name = f"space-{number}"
        await pair.a.client.create(core_v1.Namespace(metadata=meta_v1.ObjectMeta(name=name)))
        await pair.b.client.create(fakes.config_map("m", name))


async def test_writers_of_one_object_lose_nothing(pair: Pair) -> None:
    await pair.a.client.create(fakes.config_map("m"))
    await asyncio.gather(
        *(
            server.client.patch(core_v1.ConfigMap, "m", "default", {"data": {f"{which}-{number}": "1"}})
            for number in range(15)
            for which, server in enumerate(pair)
        )
    )
    assert len((await pair.b.client.get(core_v1.ConfigMap, "m", "default")).data) == 30


async def test_a_watch_at_one_shows_the_writes_of_both(pair: Pair) -> None:
    revision = (await pair.a.client.list(core_v1.ConfigMap, "default")).revision
    async with pair.b.client.watch(core_v1.ConfigMap, "default", revision=revision) as stream:
        made = [
            await server.client.create(fakes.config_map(f"m-{number}-{which}"))
            for number in range(5)
            for which, server in enumerate(pair)
        ]
        found: list[clients.Event[core_v1.ConfigMap]] = []
        while len(found) < len(made):
            found += await stream.next()
    assert [event.object.metadata.name for event in found] == [item.metadata.name for item in made]


async def test_a_revision_that_one_has_answered_is_waited_for_by_the_other(pair: Pair) -> None:
    for number in range(20):
        made = await pair.a.client.create(fakes.config_map(f"m-{number}"))
        revision = made.metadata.resourceVersion
        answer = await pair.b.ask("GET", f"{MAPS}?resourceVersion={revision}&resourceVersionMatch=NotOlderThan")
        assert answer.code == 200
        assert int(answer.tree()["metadata"]["resourceVersion"]) >= int(revision)


async def test_a_list_is_continued_at_the_other(pair: Pair) -> None:
    await asyncio.gather(*(pair.a.client.create(fakes.config_map(f"m-{n}")) for n in range(6)))
    first = await pair.a.client.list(core_v1.ConfigMap, "default", limit=3)
    await pair.a.client.create(fakes.config_map("m-9"))
    rest = await pair.b.client.list(core_v1.ConfigMap, "default", limit=10, continue_token=first.continue_token)
    names = [item.metadata.name for item in (*first.items, *rest.items) if item.metadata.name.startswith("m-")]
    assert names == [f"m-{n}" for n in range(6)]


async def test_a_server_cut_off_for_longer_than_history_is_kept(pair: Pair, wire: etcds.Wire) -> None:
    kept, gone = [await pair.a.client.create(fakes.config_map(name)) for name in ("kept", "gone")]
    revision = (await pair.b.client.list(core_v1.ConfigMap, "default")).revision
    async with pair.b.client.watch(core_v1.ConfigMap, "default", revision=revision) as stream:
        await wire.cut()
        await pair.a.client.patch(core_v1.ConfigMap, "kept", "default", {"data": {"k": "v"}})
        await pair.a.client.delete(core_v1.ConfigMap, "gone", "default")
        await pair.a.store.compact(pair.a.store.revision)
        await wire.mend()
        found: list[clients.Event[core_v1.ConfigMap]] = []
        while len(found) < 2:
            found += await stream.next()
    assert [(event.type, event.object.metadata.uid) for event in found] == [
        ("MODIFIED", kept.metadata.uid),
        ("DELETED", gone.metadata.uid),
    ]
    assert (await pair.b.client.get(core_v1.ConfigMap, "kept", "default")).data == {"k": "v"}
    # Who was somewhere in between has missed something, and is told.
    answer = await pair.b.ask("GET", f"{MAPS}?watch=1&resourceVersion={revision}")
    assert (answer.tree()["type"], answer.tree()["object"]["reason"]) == ("ERROR", "Expired")


def service(name: str, *, port: int = 0) -> core_v1.Service:
    return core_v1.Service(
        metadata=meta_v1.ObjectMeta(name=name, namespace="default"),
        spec=core_v1.ServiceSpec(type="NodePort", ports=[core_v1.ServicePort(port=80, nodePort=port)]),
    )


async def test_ports_and_addresses_are_given_out_once(pair: Pair) -> None:
    made = await asyncio.gather(
        *(server.client.create(service(f"s-{which}-{n}")) for n in range(10) for which, server in enumerate(pair))
    )
    used = {one.spec.ports[0].nodePort for one in made}
    assert len(used) == len(made)
    assert len({one.spec.clusterIP for one in made}) == len(made)
    for port in sorted(set(range(31000, 31040)) - used)[:10]:
        answers = await asyncio.gather(
            *(server.client.create(service(f"p-{which}-{port}", port=port)) for which, server in enumerate(pair)),
            return_exceptions=True,
        )
        (refused,) = [answer for answer in answers if isinstance(answer, errors.StatusError)]
        assert "provided port is already allocated" in str(refused)
    assert (await pair.a.store.range("/registry/ranges/")).entries == []


async def test_what_others_have_put_into_etcd(pair: Pair) -> None:
    tree = b'{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"m","namespace":"default","uid":"u"}}\n'
    revision = await pair.a.store.put("/registry/configmaps/default/m", tree, expected=0)
    found = await pair.b.client.get(core_v1.ConfigMap, "m", "default")
    assert (found.metadata.uid, found.metadata.resourceVersion) == ("u", str(revision))
    assert b"\n" not in (await pair.b.ask("GET", f"{MAPS}/m")).body
    await pair.a.store.put("/registry/configmaps/default/n", b"k8s\0\n\x0f", expected=0)
    late = fakes.FakeServer(store=pair.a.store)
    with pytest.raises(collections.Unwritable, match="/registry/configmaps/default/n is not kept as JSON"):
        await late.api.start()
