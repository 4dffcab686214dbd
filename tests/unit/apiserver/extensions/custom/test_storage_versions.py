"""In which version custom resources are kept, and how what is kept in an earlier one gets to the version of now."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from pybernetes import client as clients
from pybernetes.api import codecs
from pybernetes.api.types import apiextensions_v1
from pybernetes.kits.clock import settle
from tests.fakes import apiserver as fakes
from tests.unit.apiserver.extensions.custom import test_definitions as definitions

Definition = apiextensions_v1.CustomResourceDefinition
KEY = "/registry/example.com/widgets/default/a"
PATH = "/apis/example.com/{}/namespaces/default/widgets/a"


@pytest.fixture
async def server() -> AsyncIterator[fakes.FakeServer]:
    """A widget that was stored as v1, and v2 is what is stored now."""
    async with fakes.FakeServer() as running:
        await definitions.serve(running, definitions.definition(*versions(stored="v1")))
        await running.client.raw(PATH.format("v1").removesuffix("/a"), method="POST", body=definitions.widget())
        yield running


def versions(*, stored: str, **more: Any) -> list[dict[str, Any]]:
    return [definitions.version(name, storage=name == stored, **more) for name in ("v1", "v2")]


async def redefine(server: fakes.FakeServer, listed: list[dict[str, Any]]) -> None:
    found = codecs.copy(await server.client.get(Definition, "widgets.example.com"))
    found.spec.versions = codecs.from_tree(list[apiextensions_v1.CustomResourceDefinitionVersion], listed)
    await server.client.update(found)
    await settle()


async def kept(server: fakes.FakeServer) -> tuple[str, int]:
    """The version that the widget is kept in, and the revision at which it was written."""
    entry = await server.store.get(KEY)
    assert entry is not None
    return codecs.decode_tree(entry.value)["apiVersion"], entry.modified


async def read(server: fakes.FakeServer, version: str) -> Any:
    return codecs.to_tree(await server.client.raw(PATH.format(version)))


async def apply_nothing(server: fakes.FakeServer, version: str) -> Any:
    """As the migrator does."""
    kind = next(k.resource for k in server.api.registry.kinds.values() if k.resource.api_version == version)
    patch = {"apiVersion": version, "kind": "Widget", "metadata": {"name": "a"}}
    return await server.client.patch(kind, "a", "default", patch, kind=clients.transport.APPLY_PATCH)


@pytest.mark.parametrize("asked", ["v1", "v2"])
async def test_a_write_that_changes_nothing_brings_it_to_the_version_of_now(
    server: fakes.FakeServer, asked: str
) -> None:
    version, first = await kept(server)
    await apply_nothing(server, "example.com/v1")
    assert (version, await kept(server)) == ("example.com/v1", ("example.com/v1", first))
    await redefine(server, versions(stored="v2"))
    before = await read(server, asked)
    await apply_nothing(server, f"example.com/{asked}")
    version, second = await kept(server)
    assert version == "example.com/v2"
    assert second > first
    # All that has changed is the revision, and once is enough.
    after = await read(server, asked)
    before["metadata"]["resourceVersion"] = str(second)
    assert after == before
    for again in ("v1", "v2"):
        await apply_nothing(server, f"example.com/{again}")
    assert await kept(server) == ("example.com/v2", second)


async def test_an_ordinary_write_does_so_too_and_both_versions_know(server: fakes.FakeServer) -> None:
    await redefine(server, versions(stored="v2"))
    for name in ("v1", "v2"):
        await read(server, name)
    changed = await read(server, "v1")
    changed["metadata"]["labels"] = {"a": "b"}
    await server.client.raw(PATH.format("v1"), method="PUT", body=changed)
    version, revision = await kept(server)
    assert version == "example.com/v2"
    for name in ("v1", "v2"):
        await apply_nothing(server, f"example.com/{name}")
    assert await kept(server) == ("example.com/v2", revision)


async def test_what_another_server_stores_in_the_old_version_is_noticed(server: fakes.FakeServer) -> None:
    await redefine(server, versions(stored="v2"))
    await apply_nothing(server, "example.com/v2")
    entry = await server.store.get(KEY)
    assert entry is not None
    value = entry.value.replace(b"example.com/v2", b"example.com/v1", 1)
    await server.store.put(KEY, value, expected=entry.modified)
    await apply_nothing(server, "example.com/v2")
    assert (await kept(server))[0] == "example.com/v2"


async def test_a_form_that_the_schema_has_left_behind(server: fakes.FakeServer) -> None:
    _, first = await kept(server)
    spec = {"type": "object", "properties": {"size": {"type": "integer", "default": 3}}}
    await redefine(server, versions(stored="v1", spec=spec))
    assert (await kept(server))[1] == first
    await apply_nothing(server, "example.com/v1")
    entry = await server.store.get(KEY)
    assert entry is not None
    assert codecs.decode_tree(entry.value)["spec"] == {"size": 3}
    await apply_nothing(server, "example.com/v1")
    assert (await kept(server))[1] == entry.modified


async def test_what_is_read_anew_and_is_as_it_would_be_written_stays(server: fakes.FakeServer) -> None:
    loose = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    await redefine(server, versions(stored="v1", spec=loose))
    rich = definitions.widget(
        z=1.5, a=[1e3, -0.0, 10**20, None, {"b": {}, "a": []}], text='\u00fc<>&"\u2028\U0001f600/', truth=False
    )
    rich["metadata"] |= {
        "labels": {"b": "", "a": "x"}, "annotations": {"k": "{}"}, "finalizers": ["x/y"],
        "ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "u"}],
    }  # fmt: skip
    kind = next(k.resource for k in server.api.registry.kinds.values() if k.resource.api_version == "example.com/v1")
    await server.client.patch(kind, "a", "default", rich, kind=clients.transport.APPLY_PATCH, force=True)
    _, written = await kept(server)
    await redefine(server, versions(stored="v1", spec=loose | {"description": "read anew"}))
    await server.client.patch(kind, "a", "default", {}, kind=clients.transport.MERGE_PATCH)
    assert (await kept(server))[1] == written
