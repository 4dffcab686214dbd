"""The documents over the wire: index, hashes, validation, kinds that come and go."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from typing import Any, ClassVar

import pytest

from pybernetes.api import scheme, version
from pybernetes.apiserver.extensions.openapi import OpenApi, documents, gnostic
from pybernetes.apiserver.request import Request
from pybernetes.apiserver.resources import kind as kinds
from tests.fakes import apiserver as fakes

ASKED_BY_GO = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"


@pytest.fixture
async def server() -> AsyncIterator[fakes.FakeServer]:
    async with fakes.FakeServer() as running:
        yield running


async def index(server: fakes.FakeServer) -> dict[str, str]:
    paths = (await server.ask("GET", "/openapi/v3")).tree()["paths"]
    return {name: entry["serverRelativeURL"] for name, entry in paths.items()}


class TestVersion3:
    async def test_the_index_leads_to_documents(self, server: fakes.FakeServer) -> None:
        listed = await index(server)
        assert {"api", "api/v1", "apis", "apis/apps", "apis/apps/v1", "version"} <= listed.keys()
        for url in listed.values():
            document = (await server.ask("GET", url)).tree()
            assert document["info"] == {"title": "Kubernetes", "version": version.GIT_VERSION}
            assert document["paths"]

    async def test_what_is_referred_to_is_there(self, server: fakes.FakeServer) -> None:
        text = (await server.ask("GET", "/openapi/v3/apis/apps/v1")).body.decode()
        schemas = json.loads(text)["components"]["schemas"]
        referred = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}
        assert referred <= schemas.keys()
        assert "io.k8s.api.apps.v1.Deployment" in schemas

    async def test_under_its_hash_it_lasts(self, server: fakes.FakeServer) -> None:
        url = (await index(server))["api/v1"]
        answer = await server.ask("GET", url)
        assert answer.headers["cache-control"] == "public, immutable"
        assert answer.headers["expires"].endswith("GMT")
        assert answer.headers["etag"] == f'"{url.partition("=")[2]}"'
        plain = await server.ask("GET", "/openapi/v3/api/v1")
        assert "expires" not in plain.headers
        assert plain.body == answer.body

    async def test_another_hash_leads_to_the_right_one(self, server: fakes.FakeServer) -> None:
        answer = await server.ask("GET", "/openapi/v3/api/v1?hash=OLD")
        assert (answer.code, answer.headers["location"]) == (301, (await index(server))["api/v1"])

    async def test_what_a_client_has_is_not_sent_again(self, server: fakes.FakeServer) -> None:
        for path in ("/openapi/v3", "/openapi/v3/api/v1", "/openapi/v2"):
            etag = (await server.ask("GET", path)).headers["etag"]
            answer = await server.ask("GET", path, if_none_match=etag)
            assert (answer.code, answer.body) == (304, b"")

    async def test_what_is_not_there(self, server: fakes.FakeServer) -> None:
        assert (await server.ask("GET", "/openapi/v3/apis/none/v1")).code == 404
        assert (await server.ask("GET", "/openapi/v3/api/v1", accept="text/html")).code == 406

    async def test_every_group_has_the_options_that_all_have(self, server: fakes.FakeServer) -> None:
        document = (await server.ask("GET", "/openapi/v3/apis/apps/v1")).tree()
        options = document["components"]["schemas"]["io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions"]
        groups = [gvk["group"] for gvk in options["x-kubernetes-group-version-kind"]]
        assert groups == ["", "apps"]


class TestVersion2:
    async def test_as_json(self, server: fakes.FakeServer) -> None:
        answer = await server.ask("GET", "/openapi/v2", accept_encoding="gzip")
        document = json.loads(gzip.decompress(answer.body))
        assert document["swagger"] == "2.0"
        assert "io.k8s.api.core.v1.Pod" in document["definitions"]
        operation = document["paths"]["/api/v1/namespaces/{namespace}/pods"]["post"]
        assert operation["operationId"] == "createCoreV1NamespacedPod"

    async def test_as_protobuf(self, server: fakes.FakeServer) -> None:
        answer = await server.ask("GET", "/openapi/v2", accept=ASKED_BY_GO)
        assert answer.headers["content-type"] == gnostic.MEDIA_TYPE
        assert answer.body.startswith(gnostic.delimited(1, b"2.0"))
        assert b"createCoreV1NamespacedPod" in answer.body


class NoRemotes:
    generation = 0
    remotes: ClassVar[dict[Any, Any]] = {}


class FakeRegistry:
    def __init__(self, *served: kinds.Kind[Any]) -> None:
        self.generation = 0
        self.kinds = {(k.resource.group, k.resource.version, k.resource.name): k for k in served}

    def resources(self) -> tuple[scheme.Resource, ...]:
        return tuple(r for r in scheme.resources() if (r.group, r.version, r.name.partition("/")[0]) in self.kinds)

    def change(self, *, add: kinds.Kind[Any] | None = None, remove: kinds.Kind[Any] | None = None) -> None:
        if remove is not None:
            del self.kinds[remove.resource.group, remove.resource.version, remove.resource.name]
        if add is not None:
            self.kinds[add.resource.group, add.resource.version, add.resource.name] = add
        self.generation += 1


def custom(api_version: str = "v1", *, status: bool = False, **properties: Any) -> kinds.Kind[Any]:
    resource = scheme.Resource(
        group="example.com", version=api_version, name="things", kind="Thing", namespaced=True, singular="thing"
    )
    schema = {"type": "object", "properties": properties}
    return kinds.Kind(resource=resource, schema=schema, has_status=status)


NODES: kinds.Kind[Any] = kinds.Kind(resource=kinds.resource("", "v1", "nodes"))


async def document(openapi: OpenApi, path: str) -> Any:
    answer = await openapi.answer(Request(method="GET", path=path))
    return None if answer is None else json.loads(answer.body)


class TestCustomKinds:
    async def test_they_come_change_and_go(self) -> None:
        registry = FakeRegistry(NODES)
        openapi = OpenApi(registry, NoRemotes(), fakes.VirtualClock())
        assert await document(openapi, "/openapi/v3/apis/example.com/v1") is None
        first = custom(color={"type": "string"})
        registry.change(add=first)
        seen = await document(openapi, "/openapi/v3/apis/example.com/v1")
        assert "color" in seen["components"]["schemas"]["com.example.v1.Thing"]["properties"]
        registry.change(add=custom(size={"type": "integer"}))
        seen = await document(openapi, "/openapi/v2")
        assert "size" in seen["definitions"]["com.example.v1.Thing"]["properties"]
        registry.change(remove=first)
        assert "com.example.v1.Thing" not in (await document(openapi, "/openapi/v2"))["definitions"]

    async def test_a_version_with_another_name_is_another_document(self) -> None:
        registry = FakeRegistry(NODES, old := custom("v1"))
        openapi = OpenApi(registry, NoRemotes(), fakes.VirtualClock())
        await document(openapi, "/openapi/v2")
        registry.change(add=custom("v2"), remove=old)
        definitions = (await document(openapi, "/openapi/v2"))["definitions"]
        assert "com.example.v2.Thing" in definitions
        assert "com.example.v1.Thing" not in definitions

    async def test_other_documents_keep_their_hash(self) -> None:
        registry = FakeRegistry(NODES)
        openapi = OpenApi(registry, NoRemotes(), fakes.VirtualClock())
        before = await document(openapi, "/openapi/v3")
        registry.change(add=custom())
        after = await document(openapi, "/openapi/v3")
        assert before["paths"].items() <= after["paths"].items()
        assert after["paths"].keys() - before["paths"].keys() == {"apis/example.com", "apis/example.com/v1"}

    async def test_their_paths(self) -> None:
        openapi = OpenApi(FakeRegistry(custom(status=True)), NoRemotes(), fakes.VirtualClock())
        paths = (await document(openapi, "/openapi/v3/apis/example.com/v1"))["paths"]
        one = "/apis/example.com/v1/namespaces/{namespace}/things/{name}"
        assert paths[one]["get"]["operationId"] == "readExampleComV1NamespacedThing"
        assert paths[f"{one}/status"]["put"]["operationId"] == "replaceExampleComV1NamespacedThingStatus"
        assert f"{one}/scale" not in paths
        assert set(paths[one]["patch"]["requestBody"]["content"]) == {
            "application/json-patch+json",
            "application/merge-patch+json",
            "application/apply-patch+yaml",
        }

    async def test_clients_that_ask_at_once_share_the_work(self) -> None:
        openapi = OpenApi(FakeRegistry(NODES), NoRemotes(), fakes.VirtualClock())
        request = Request(method="GET", path=documents.V2)
        waiting = [openapi.answer(request) for _ in range(3)]
        first, *others = await asyncio.gather(*waiting)
        assert first is not None
        assert all(other is not None and other.body is first.body for other in others)
