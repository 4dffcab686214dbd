"""The forms that answers take over the wire: protobuf, YAML, tables, gzip, and how watches end."""

from __future__ import annotations

import gzip
import struct
from collections.abc import AsyncIterator
from typing import Any

import pytest
import yaml

from pybernetes.api import protobuf
from pybernetes.api.types import core_v1, meta_v1
from tests.fakes import apiserver as fakes

MAPS = "/api/v1/namespaces/default/configmaps"
PROTOBUF = "application/vnd.kubernetes.protobuf"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
PARTIAL = f"{PROTOBUF};as=PartialObjectMetadata;v=v1;g=meta.k8s.io"
REVIEW = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


@pytest.fixture
async def server() -> AsyncIterator[fakes.FakeServer]:
    async with fakes.FakeServer() as running:
        yield running


async def make(server: fakes.FakeServer, *names: str, **data: str) -> None:
    for name in names:
        meta = meta_v1.ObjectMeta(name=name, namespace="default")
        await server.client.create(core_v1.ConfigMap(metadata=meta, data=data))


async def binary_event(wire: fakes.Wire) -> tuple[str, dict[str, Any]]:
    chunk = await wire.chunk()
    (length,) = struct.unpack(">I", chunk[:4])
    assert length == len(chunk) - 4
    event, rest = chunk[6 : 6 + chunk[5]].decode(), chunk[6 + chunk[5] :]
    return event, protobuf.decode(rest[rest.index(protobuf.MAGIC) :])


class TestProtobuf:
    async def test_one(self, server: fakes.FakeServer) -> None:
        await make(server, "a", k="v")
        answer = await server.ask("GET", f"{MAPS}/a", accept=PROTOBUF)
        assert answer.headers["content-type"] == PROTOBUF
        assert protobuf.decode(answer.body) == (await server.ask("GET", f"{MAPS}/a")).tree()

    async def test_a_list(self, server: fakes.FakeServer) -> None:
        await make(server, *(f"m{number:02}" for number in range(60)))
        answer = await server.ask("GET", f"{MAPS}?limit=40", accept=f"{PROTOBUF},application/json")
        read = protobuf.decode(answer.body)
        whole = (await server.ask("GET", f"{MAPS}?limit=40")).tree()
        assert read["kind"] == "ConfigMapList"
        for item in whole["items"]:
            del item["apiVersion"], item["kind"]
        assert read == whole

    async def test_metadata_alone(self, server: fakes.FakeServer) -> None:
        await make(server, "a", k="v")
        for path, kind in ((f"{MAPS}/a", "PartialObjectMetadata"), (MAPS, "PartialObjectMetadataList")):
            read = protobuf.decode((await server.ask("GET", path, accept=PARTIAL)).body)
            assert (read["apiVersion"], read["kind"]) == ("meta.k8s.io/v1", kind)
            assert "data" not in read

    async def test_what_is_wrong(self, server: fakes.FakeServer) -> None:
        answer = await server.ask("GET", f"{MAPS}/none", accept=PROTOBUF)
        status = protobuf.decode(answer.body)
        assert (answer.code, status["kind"], status["reason"]) == (404, "Status", "NotFound")

    async def test_a_watch(self, server: fakes.FakeServer) -> None:
        await make(server, "a")
        wire = await server.wire()
        wire.send("GET", f"{MAPS}?watch=1", headers={"accept": PROTOBUF})
        code, headers = await wire.head()
        assert (code, headers["content-type"]) == (200, f"{PROTOBUF};stream=watch")
        event, read = await binary_event(wire)
        assert (event, read["metadata"]["name"], read["kind"]) == ("ADDED", "a", "ConfigMap")
        await make(server, "b")
        assert (await binary_event(wire))[1]["metadata"]["name"] == "b"

    async def test_a_watch_of_metadata_with_bookmarks(self, server: fakes.FakeServer) -> None:
        await make(server, "a")
        query = "watch=1&sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan"
        wire = await server.wire()
        wire.send("GET", f"{MAPS}?{query}", headers={"accept": PARTIAL})
        await wire.head()
        assert (await binary_event(wire))[1]["kind"] == "PartialObjectMetadata"
        event, read = await binary_event(wire)
        assert (event, read["kind"]) == ("BOOKMARK", "PartialObjectMetadata")
        assert read["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}

    @pytest.mark.parametrize("accept", [f"{PROTOBUF};as=Table;v=v1;g=meta.k8s.io", "text/html"])
    async def test_there_are_no_other_forms(self, server: fakes.FakeServer, accept: str) -> None:
        answer = await server.ask("GET", MAPS, accept=accept)
        assert answer.code == 406
        assert answer.message == (
            f"only the following media types are accepted: application/json, application/yaml, {PROTOBUF}"
        )


class TestYaml:
    async def test_what_is_wrong(self, server: fakes.FakeServer) -> None:
        answer = await server.ask("GET", f"{MAPS}/none", accept="application/yaml")
        assert answer.headers["content-type"] == "application/yaml"
        assert yaml.safe_load(answer.body)["reason"] == "NotFound"

    async def test_a_watch_has_no_such_form(self, server: fakes.FakeServer) -> None:
        answer = await server.ask("GET", f"{MAPS}?watch=1", accept="application/yaml")
        assert answer.code == 406


class TestTables:
    async def test_the_first_event_of_a_watch_says_what_the_columns_are(self, server: fakes.FakeServer) -> None:
        await make(server, "a", "b")
        wire = await server.wire()
        wire.send("GET", f"{MAPS}?watch=1", headers={"accept": TABLE})
        assert (await wire.head())[1]["content-type"] == "application/json"
        first, second = (await wire.event())["object"], (await wire.event())["object"]
        assert [column["name"] for column in first["columnDefinitions"]] == ["Name", "Data", "Age"]
        assert second["columnDefinitions"] is None
        assert second["rows"][0]["cells"][0] == "b"

    async def test_a_bookmark_is_a_row(self, server: fakes.FakeServer) -> None:
        await make(server, "a")
        query = "watch=1&sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan"
        for selector, columns in (("", None), ("&labelSelector=none", ["Name", "Data", "Age"])):
            wire = await server.wire()
            wire.send("GET", f"{MAPS}?{query}{selector}", headers={"accept": TABLE})
            await wire.head()
            if not selector:
                await wire.event()
            event = await wire.event()
            table = event["object"]
            assert (event["type"], table["metadata"]) == ("BOOKMARK", {"resourceVersion": str(server.store.revision)})
            # Only the first event says what the columns are.
            assert (table["columnDefinitions"] and [one["name"] for one in table["columnDefinitions"]]) == columns
            (row,) = table["rows"]
            assert row["cells"] == ["", 0, "<unknown>"]
            assert row["object"]["kind"] == "PartialObjectMetadata"
            assert row["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}

    async def test_of_what_has_none(self, server: fakes.FakeServer) -> None:
        review = {"spec": {"resourceAttributes": {"verb": "get", "resource": "pods"}}}
        assert (await server.ask("POST", REVIEW, review, accept=TABLE)).code == 406
        assert (await server.ask("POST", REVIEW, review, accept=f"{TABLE},application/json")).code == 201

    async def test_a_deletion_is_answered_with_its_status(self, server: fakes.FakeServer) -> None:
        await make(server, "a")
        answer = await server.ask("DELETE", f"{MAPS}/a", accept=TABLE)
        assert (answer.code, answer.tree()["kind"]) == (200, "Status")


class TestGzip:
    async def test_large_answers_to_who_takes_it(self, server: fakes.FakeServer) -> None:
        await make(server, "a", "b", "c", k="x" * 50_000)
        plain = await server.ask("GET", MAPS)
        packed = await server.ask("GET", MAPS, accept_encoding="deflate, gzip")
        assert "content-encoding" not in plain.headers
        assert (packed.headers["content-encoding"], packed.headers["vary"]) == ("gzip", "Accept-Encoding")
        assert gzip.decompress(packed.body) == plain.body

    async def test_small_answers_are_left_alone(self, server: fakes.FakeServer) -> None:
        await make(server, "a", k="x" * 50_000)
        for path in (MAPS, f"{MAPS}/a"):
            assert "content-encoding" not in (await server.ask("GET", path, accept_encoding="gzip")).headers

    async def test_one_large_object(self, server: fakes.FakeServer) -> None:
        await make(server, "a", k="x" * 500_000)
        answer = await server.ask("GET", f"{MAPS}/a", accept_encoding="gzip")
        assert answer.headers["content-encoding"] == "gzip"

    async def test_watches_are_not_packed(self, server: fakes.FakeServer) -> None:
        await make(server, "a", k="x" * 300_000)
        wire = await server.wire()
        wire.send("GET", f"{MAPS}?watch=1", headers={"accept-encoding": "gzip"})
        assert "content-encoding" not in (await wire.head())[1]


async def test_a_warning_is_given_once(server: fakes.FakeServer) -> None:
    body = {"metadata": {"name": "a"}, "wrong": 1}
    answer = await server.ask("POST", f"{MAPS}?fieldValidation=Warn", body)
    assert answer.headers["warning"] == '299 - "unknown field \\"wrong\\""'
