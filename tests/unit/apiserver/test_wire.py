"""HTTP as it arrives: framing, forms, limits, and what serves no objects."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pybernetes.api.types import core_v1, meta_v1
from pybernetes.apiserver.http import connection
from pybernetes.kits.clock import settle
from tests.fakes import apiserver as fakes

MAPS = "/api/v1/namespaces/default/configmaps"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
PARTIAL = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"
PARTIAL_LIST = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


@pytest.fixture
async def server() -> AsyncIterator[fakes.FakeServer]:
    async with fakes.FakeServer() as running:
        yield running


async def seats_taken(server: fakes.FakeServer) -> int:
    """By those who are not exempt."""
    metrics = await server.client.raw("/metrics")
    found = (line for line in metrics.splitlines() if line.startswith("apiserver_flowcontrol_current_executing_seats"))
    return sum(int(line.rpartition(" ")[2]) for line in found if '"exempt"' not in line)


class TestFraming:
    async def test_connections_are_kept(self, server: fakes.FakeServer) -> None:
        wire = await server.wire()
        for _ in range(3):
            wire.send("GET", "/version")
            assert (await wire.answer()).code == 200

    async def test_pipelined_requests_are_answered_in_order(self, server: fakes.FakeServer) -> None:
        wire = await server.wire()
        for number in range(5):
            wire.send("POST", MAPS, json.dumps({"metadata": {"name": f"m{number}"}}).encode())
            wire.send("GET", f"{MAPS}/m{number}")
        for number in range(5):
            assert (await wire.answer()).code == 201
            assert (await wire.answer()).tree()["metadata"]["name"] == f"m{number}"

    async def test_thousands_pipelined_in_one_go(self, server: fakes.FakeServer) -> None:
        wire = await server.wire()
        for _ in range(3000):
            wire.send("GET", "/livez")
        for _ in range(3000):
            assert (await wire.answer()).body == b"ok"

    async def test_a_request_may_come_in_pieces(self, server: fakes.FakeServer) -> None:
        wire = await server.wire()
        text = b"GET /version HTTP/1.1\r\nHost: x\r\n\r\n"
        for at in range(len(text)):
            wire.writer.write(text[at : at + 1])
            await wire.writer.drain()
            await asyncio.sleep(0)
        assert (await wire.answer()).code == 200

    async def test_chunked_bodies(self, server: fakes.FakeServer) -> None:
        wire = await server.wire()
        wire.send("POST", MAPS, headers={"Transfer-Encoding": "chunked"})
        wire.writer.write(b'5\r\n{"met\r\n16\r\nadata":{"name":"abc"}}\r\n0\r\n\r\n')
        assert (await wire.answer()).tree()["metadata"]["name"] == "abc"

    async def test_expect_continue(self, server: fakes.FakeServer) -> None:
        wire = await server.wire()
        wire.send("POST", MAPS, headers={"Expect": "100-continue", "Content-Length": "25"})
        assert (await wire.head())[0] == 100
        wire.writer.write(b'{"metadata":{"name":"a"}}')
        assert (await wire.answer()).code == 201

    async def test_http_1_0_closes(self, server: fakes.FakeServer) -> None:
        wire = await server.wire()
        wire.writer.write(b"GET /version HTTP/1.0\r\n\r\n")
        assert (await wire.answer()).code == 200
        assert await wire.reader.read() == b""

    async def test_connection_close(self, server: fakes.FakeServer) -> None:
        wire = await server.wire()
        wire.send("GET", "/version", headers={"Connection": "close"})
        assert (await wire.answer()).code == 200
        assert await wire.reader.read() == b""

    async def test_head_has_no_body(self, server: fakes.FakeServer) -> None:
        wire = await server.wire()
        for path in ("/version", f"{MAPS}/missing", "/api/v1/namespaces"):
            wire.send("HEAD", path)
            answer = await wire.answer(bodiless=True)
            assert int(answer.headers["content-length"]) > 0
        wire.send("GET", "/livez")
        assert (await wire.answer()).body == b"ok"

    @pytest.mark.parametrize("size", [connection.MAX_BODY + 1, 10_000_000])
    async def test_bodies_that_are_too_large(self, server: fakes.FakeServer, size: int) -> None:
        answer = await server.ask("POST", MAPS, b"x" * size, content_type="application/json")
        assert (answer.code, answer.tree()["reason"]) == (413, "RequestEntityTooLarge")

    async def test_a_body_as_large_as_allowed_is_read(self, server: fakes.FakeServer) -> None:
        body = b" " * (connection.MAX_BODY - 25) + b'{"metadata":{"name":"a"}}'
        assert (await server.ask("POST", MAPS, body, content_type="application/json")).code == 201

    @pytest.mark.parametrize(
        "text", [b"nonsense\r\n\r\n", b"GET\r\n\r\n", b"\x16\x03\x01\x02\x00", b"GET /\xff HTTP/1.1\r\n\r\n"]
    )
    async def test_what_is_no_http_is_refused(self, server: fakes.FakeServer, text: bytes) -> None:
        wire = await server.wire()
        wire.writer.write(text)
        assert (await wire.reader.read()).startswith(b"HTTP/1.1 400 ")
        assert (await server.ask("GET", "/livez")).code == 200

    async def test_who_does_not_take_a_large_answer_is_cut_off(self) -> None:
        async with fakes.FakeServer(authorization=("AlwaysAllow",)) as server:
            for number in range(20):
                await server.client.create(fakes.config_map(f"m{number}", k="x" * 900_000))
            wire = await server.wire(limit=1024)
            wire.send("GET", MAPS, token="alice")
            assert (await wire.head())[0] == 200
            assert await seats_taken(server) > 1
            await server.clock.advance(server.api.settings.request_timeout)
            await settle()
            assert await seats_taken(server) == 0
            with pytest.raises(asyncio.IncompleteReadError):
                await wire.reader.readexactly(18_000_000)

    async def test_a_large_answer_that_is_taken_gives_its_seats_back(self) -> None:
        async with fakes.FakeServer(authorization=("AlwaysAllow",)) as server:
            for number in range(20):
                await server.client.create(fakes.config_map(f"m{number}", k="x" * 900_000))
            answer = await server.ask("GET", MAPS, token="alice")
            assert len(answer.tree()["items"]) == 20
            assert await seats_taken(server) == 0

    async def test_slow_and_idle_clients_are_closed(self, server: fakes.FakeServer) -> None:
        slow, idle, watch = await server.wire(), await server.wire(), await server.watch(f"{MAPS}?watch=1")
        slow.writer.write(b"GET /version HTT")
        await slow.writer.drain()
        idle.send("GET", "/livez")
        await idle.answer()
        await server.clock.advance(66)
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await slow.reader.readexactly(1)
        assert not idle.reader.at_eof()
        await server.clock.advance(185)
        assert await idle.reader.read() == b""
        await server.client.create(fakes.config_map("a"))
        assert (await watch.event())["type"] == "ADDED"

    async def test_a_lost_connection_cancels_its_work(self, server: fakes.FakeServer) -> None:
        started, cancelled = asyncio.Event(), asyncio.Event()

        async def hang(key: str) -> None:
            started.set()
            try:
                await asyncio.Event().wait()
            finally:
                cancelled.set()

        server.store.before_put = hang
        wire = await server.wire()
        wire.send("POST", MAPS, b'{"metadata":{"name":"a"}}')
        await started.wait()
        await wire.close()
        async with asyncio.timeout(5):
            await cancelled.wait()


class TestForms:
    async def test_tables(self, server: fakes.FakeServer) -> None:
        await server.client.create(fakes.config_map("a", k="v"))
        one = (await server.ask("GET", f"{MAPS}/a", accept=TABLE)).tree()
        assert [column["name"] for column in one["columnDefinitions"]] == ["Name", "Data", "Age"]
        (row,) = one["rows"]
        assert row["cells"] == ["a", 1, "0s"]
        assert row["object"]["kind"] == "PartialObjectMetadata"
        listed = (await server.ask("GET", f"{MAPS}?includeObject=Object", accept=TABLE)).tree()
        assert listed["rows"][0]["object"]["data"] == {"k": "v"}
        bare = (await server.ask("GET", f"{MAPS}?includeObject=None", accept=TABLE)).tree()
        assert "object" not in bare["rows"][0]
        made = await server.ask("POST", MAPS, {"metadata": {"name": "b"}}, accept=TABLE)
        assert (made.code, made.tree()["kind"]) == (201, "Table")
        watch = await server.watch(f"{MAPS}?watch=1", accept=TABLE)
        assert (await watch.event())["object"]["rows"][0]["cells"][0] == "a"

    async def test_every_kind_has_a_table(self, server: fakes.FakeServer) -> None:
        await server.account()
        await server.client.create(fakes.pod("p"))
        for (_, _, name), kind in server.api.registry.kinds.items():
            if "list" not in kind.resource.verbs:
                continue
            answer = await server.ask("GET", kind.resource.path(), accept=TABLE)
            assert answer.code == 200, name
            table = answer.tree()
            assert all(len(row["cells"]) == len(table["columnDefinitions"]) for row in table["rows"]), name

    async def test_metadata_alone(self, server: fakes.FakeServer) -> None:
        await server.client.create(fakes.config_map("a", k="v"))
        one = (await server.ask("GET", f"{MAPS}/a", accept=PARTIAL)).tree()
        assert (one["kind"], one["metadata"]["name"], "data" in one) == ("PartialObjectMetadata", "a", False)
        listed = (await server.ask("GET", MAPS, accept=PARTIAL_LIST)).tree()
        assert listed["kind"] == "PartialObjectMetadataList"
        assert listed["items"][0]["kind"] == "PartialObjectMetadata"
        watch = await server.watch(f"{MAPS}?watch=1", accept=PARTIAL)
        assert (await watch.event())["object"]["kind"] == "PartialObjectMetadata"

    async def test_yaml(self, server: fakes.FakeServer) -> None:
        body = b"metadata:\n  name: a\ndata:\n  port: '8080'\n"
        answer = await server.ask("POST", MAPS, body, content_type="application/yaml", accept="application/yaml")
        assert (answer.code, answer.headers["content-type"]) == (201, "application/yaml")
        assert yaml.safe_load(answer.body)["data"] == {"port": "8080"}
        assert yaml.safe_load((await server.ask("GET", MAPS, accept="text/yaml")).body)["kind"] == "ConfigMapList"

    @pytest.mark.parametrize(
        "accept",
        [
            "",
            "*/*",
            "application/*",
            "application/json",
            "text/html, */*;q=0.1",
            f"{TABLE.replace('Table', 'X')},application/json",
        ],
    )
    async def test_json_otherwise(self, server: fakes.FakeServer, accept: str) -> None:
        answer = await server.ask("GET", MAPS, accept=accept)
        assert (answer.code, answer.headers["content-type"]) == (200, "application/json")

    @pytest.mark.parametrize(
        "accept",
        ["text/html", "application/vnd.kubernetes.protobuf;as=Table;v=v1;g=meta.k8s.io", TABLE.replace("meta", "x")],
    )
    async def test_nothing_acceptable(self, server: fakes.FakeServer, accept: str) -> None:
        answer = await server.ask("POST", MAPS, {"metadata": {"name": "a"}}, accept=accept)
        assert (answer.code, answer.tree()["reason"]) == (406, "NotAcceptable")
        assert (await server.ask("GET", f"{MAPS}/a")).code == 404

    async def test_what_is_no_object_has_one_form(self, server: fakes.FakeServer) -> None:
        for path in ("/metrics", "/livez", "/version"):
            assert (await server.ask("GET", path, accept="text/plain")).code == 200

    @pytest.mark.parametrize("content_type", ["text/plain", "application/xml", "application/merge-patch+json"])
    async def test_unknown_bodies(self, server: fakes.FakeServer, content_type: str) -> None:
        answer = await server.ask("POST", MAPS, b"{}", content_type=content_type)
        assert (answer.code, answer.tree()["reason"]) == (415, "UnsupportedMediaType")

    async def test_protobuf_bodies(self, server: fakes.FakeServer) -> None:
        def field(number: int, data: bytes) -> bytes:
            return bytes([number << 3 | 2, len(data)]) + data

        raw = field(1, field(1, b"a")) + field(2, field(1, b"k") + field(2, b"v"))
        body = b"k8s\0" + field(1, field(1, b"v1") + field(2, b"ConfigMap")) + field(2, raw)
        media = "application/vnd.kubernetes.protobuf"
        answer = await server.ask("POST", MAPS, body, content_type=media)
        assert answer.code == 201
        assert answer.tree()["data"] == {"k": "v"}
        assert (await server.ask("POST", MAPS, b"k8s\0\xff", content_type=media)).code == 400


_BODIES = st.binary(max_size=60) | st.sampled_from(
    [b"[" * 50_000, b"- " * 50_000, b"!!int x", b"a: &a [*a]", b'{"a":' * 900 + b"1" + b"}" * 900, b"null", b"7", b'""']
)


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(
    body=_BODIES,
    target=st.sampled_from(
        [
            ("POST", MAPS, "application/json"),
            ("POST", MAPS, "application/yaml"),
            ("POST", MAPS, "application/vnd.kubernetes.protobuf"),
            ("POST", "/apis/apps/v1/namespaces/default/controllerrevisions", "application/json"),
            ("PUT", "/api/v1/namespaces/default", "application/json"),
            ("PATCH", "/api/v1/namespaces/default", "application/json-patch+json"),
            ("PATCH", "/api/v1/namespaces/default", "application/merge-patch+json"),
            ("PATCH", "/api/v1/namespaces/default", "application/strategic-merge-patch+json"),
            ("PATCH", "/api/v1/namespaces/default?fieldManager=x", "application/apply-patch+yaml"),
            ("DELETE", "/api/v1/namespaces/kube-system", "application/json"),
            ("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", "application/yaml"),
        ]
    ),
)
async def test_no_body_is_an_internal_error(
    server: fakes.FakeServer, body: bytes, target: tuple[str, str, str]
) -> None:
    method, path, content_type = target
    answer = await server.ask(method, path, body, content_type=content_type)
    assert answer.code < 500, answer.message


class TestDocuments:
    async def test_health(self, server: fakes.FakeServer) -> None:
        for path in ("/healthz", "/livez", "/readyz", "/readyz/ping", "/livez/etcd"):
            answer = await server.ask("GET", path)
            assert (answer.code, answer.body) == (200, b"ok")
        verbose = (await server.ask("GET", "/readyz?verbose")).body.decode()
        assert "[+]ping ok\n[+]etcd ok\n" in verbose
        assert verbose.endswith("readyz check passed\n")
        excluded = (await server.ask("GET", "/readyz?verbose&exclude=etcd&exclude=ping")).body.decode()
        assert "[+]ping excluded: ok\n[+]etcd excluded: ok\n" in excluded
        assert (await server.ask("GET", "/readyz/nope")).code == 404
        assert (await server.ask("POST", "/readyz")).code == 405

    async def test_not_ready(self) -> None:
        server = fakes.FakeServer()
        answer = await server.ask("GET", "/readyz", token="admin")
        assert answer.code == 500
        assert "[-]etcd failed: reason withheld" in answer.body.decode()
        assert answer.body.decode().endswith("readyz check failed\n")
        await server.__aexit__()

    async def test_metrics_count_what_is_served(self, server: fakes.FakeServer) -> None:
        await server.ask("GET", MAPS)
        await server.ask("GET", f"{MAPS}/missing")
        for number in range(20):
            await server.ask("GET", f'/api/v1/made"up{number}', token="")
        text = (await server.ask("GET", "/metrics")).body.decode()
        counted = 'code="200",component="apiserver",dry_run="",group="",resource="configmaps",scope="namespace"'
        assert f'apiserver_request_total{{{counted},subresource="",verb="LIST",version="v1"}} 1\n' in text
        assert "made" not in text
        assert 'apiserver_storage_objects{resource="clusterroles.rbac.authorization.k8s.io"} ' in text

    async def test_versions(self, server: fakes.FakeServer) -> None:
        version = (await server.ask("GET", "/version")).tree()
        assert (version["major"], version["minor"]) == ("1", "36")
        paths = (await server.ask("GET", "/")).tree()["paths"]
        assert {"/api/v1", "/apis/apps/v1", "/healthz"} <= set(paths)


class TestDiscovery:
    @pytest.mark.parametrize(
        ("path", "name", "digest"),
        [
            ("/api/v1", "pods", "xPOwRZ+Yhw8="),
            ("/apis/apps/v1", "deployments", "8aSe+NMegvE="),
            ("/apis/events.k8s.io/v1", "events", "r2yiGXH7wu8="),
            ("/apis/autoscaling/v1", "horizontalpodautoscalers", "qwQve8ut294="),
            ("/api/v1", "pods/status", None),
            ("/api/v1", "bindings", None),
            ("/api/v1", "componentstatuses", None),
            ("/apis/authentication.k8s.io/v1", "tokenreviews", None),
        ],
    )
    async def test_tells_what_is_stored_in_which_version(
        self, server: fakes.FakeServer, path: str, name: str, digest: str | None
    ) -> None:
        listed = (await server.ask("GET", path)).tree()["resources"]
        (resource,) = [one for one in listed if one["name"] == name]
        assert resource.get("storageVersionHash") == digest

    async def test_legacy_and_aggregated_agree(self, server: fakes.FakeServer) -> None:
        core = (await server.ask("GET", "/api/v1")).tree()
        pods = next(resource for resource in core["resources"] if resource["name"] == "pods")
        assert pods["shortNames"] == ["po"]
        assert pods["singularName"] == "pod"
        groups = (await server.ask("GET", "/apis")).tree()["groups"]
        legacy = {("", "v1", r["name"]) for r in core["resources"]}
        for group in groups:
            assert (await server.ask("GET", f"/apis/{group['name']}")).tree()["preferredVersion"] == group["versions"][
                0
            ]
            for version in group["versions"]:
                listed = (await server.ask("GET", f"/apis/{version['groupVersion']}")).tree()
                legacy |= {(group["name"], version["version"], r["name"]) for r in listed["resources"]}
        aggregated = set()
        for path in ("/api", "/apis"):
            answer = await server.ask("GET", path, accept=AGGREGATED)
            assert answer.headers["content-type"] == AGGREGATED
            for group in answer.tree()["items"]:
                for version in group["versions"]:
                    for resource in version["resources"]:
                        own = (group["metadata"].get("name", ""), version["version"])
                        aggregated.add((*own, resource["resource"]))
                        subresources = resource.get("subresources", [])
                        aggregated |= {(*own, f"{resource['resource']}/{s['subresource']}") for s in subresources}
        assert aggregated == legacy

    async def test_what_has_not_changed_is_not_sent_again(self, server: fakes.FakeServer) -> None:
        etag = (await server.ask("GET", "/apis", accept=AGGREGATED)).headers["etag"]
        again = await server.ask("GET", "/apis", accept=AGGREGATED, if_none_match=etag)
        assert (again.code, again.body) == (304, b"")

    async def test_what_it_tells_is_served(self, server: fakes.FakeServer) -> None:
        for resource in server.api.registry.resources():
            if "list" in resource.verbs:
                assert (await server.ask("GET", resource.path())).code == 200, resource.name

    async def test_schemas_resolve(self, server: fakes.FakeServer) -> None:
        index = (await server.ask("GET", "/openapi/v3")).tree()["paths"]
        assert {"api/v1", "apis/apps/v1"} <= set(index)
        for path in ("api/v1", "apis/apps/v1", "apis/batch/v1", "apis/rbac.authorization.k8s.io/v1"):
            document = (await server.ask("GET", index[path]["serverRelativeURL"])).tree()
            schemas = document["components"]["schemas"]
            for reference in _references(document):
                assert reference.removeprefix("#/components/schemas/") in schemas
        assert (await server.ask("GET", "/openapi/v3/nope")).code == 404


def _references(tree: Any) -> list[str]:
    if isinstance(tree, dict):
        own = [tree["$ref"]] if isinstance(tree.get("$ref"), str) else []
        return own + [found for value in tree.values() for found in _references(value)]
    return [found for value in tree for found in _references(value)] if isinstance(tree, list) else []


async def test_component_statuses(server: fakes.FakeServer) -> None:
    answer = await server.ask("GET", "/api/v1/componentstatuses")
    assert [item["metadata"]["name"] for item in answer.tree()["items"]] == ["etcd-0"]
    assert "deprecated" in answer.headers["warning"]
    assert (await server.ask("GET", "/api/v1/componentstatuses/nope")).code == 404


async def test_a_new_cluster(server: fakes.FakeServer) -> None:
    names = {item.metadata.name for item in (await server.client.list(core_v1.Namespace)).items}
    assert names == {"default", "kube-system", "kube-public", "kube-node-lease"}
    service = await server.client.get(core_v1.Service, "kubernetes", "default")
    assert service.spec.clusterIP == "10.96.0.1"
    assert isinstance(service.metadata, meta_v1.ObjectMeta)


async def test_starting_again_changes_nothing() -> None:
    async with fakes.FakeServer() as first:
        pass
    revision = first.store.revision
    async with fakes.FakeServer(store=first.store) as again:
        assert again.store.revision == revision
    assert first.store.revision == revision
