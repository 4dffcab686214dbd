"""Everything a client can send wrongly: bodies, patches, queries, headers, bytes that are no HTTP."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pybernetes.api import protobuf
from tests.fuzz import harness, strategies

EXAMPLES = settings(
    max_examples=int(os.environ.get("FUZZ_EXAMPLES", "60")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
JSON = {"content-type": "application/json"}
PODS = "/api/v1/namespaces/default/pods"
TESTS = "/apis/fuzz.example.com/v1/namespaces/default/tests"
WHERE = {
    "Pod": PODS,
    "Deployment": "/apis/apps/v1/namespaces/default/deployments",
    "Service": "/api/v1/namespaces/default/services",
}
OBJECTS = {"Pod": strategies.POD, "Deployment": strategies.DEPLOYMENT, "Service": strategies.SERVICE}
PATCHES = {
    "application/json-patch+json": "json",
    "application/merge-patch+json": "merge",
    "application/strategic-merge-patch+json": "strategic",
    "application/apply-patch+yaml": "apply",
}


@pytest.fixture(scope="module")
def target() -> Iterator[harness.Target]:
    with harness.target() as found:
        found.ask("POST", PODS, strategies.encoded({**strategies.POD, "metadata": {"name": "there"}}), JSON)
        made = found.ask(
            "POST",
            "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
            strategies.encoded(strategies.DEFINITION),
            JSON,
        )
        assert made.code == 201, made
        found.run(found.server.clock.advance(1.0))
        there = {**strategies.CUSTOM, "metadata": {"name": "there"}}
        assert found.ask("POST", TESTS, strategies.encoded(there), JSON).code == 201
        yield found


def dry(path: str, **query: str) -> str:
    return path + "?dryRun=All" + "".join(f"&{name}={quote(value)}" for name, value in query.items())


@EXAMPLES
@given(data=st.data(), kind=st.sampled_from(sorted(OBJECTS)), strict=st.sampled_from(["Strict", "Warn", "Ignore"]))
def test_objects(target: harness.Target, data: Any, kind: str, strict: str) -> None:
    tree = data.draw(strategies.mutated(OBJECTS[kind]))
    target.ask("POST", dry(WHERE[kind], fieldValidation=strict), strategies.encoded(tree), JSON)


@EXAMPLES
@given(data=st.data())
def test_json_bytes(target: harness.Target, data: Any) -> None:
    body = data.draw(strategies.broken(strategies.encoded(strategies.POD)))
    target.ask("POST", dry(PODS), body, JSON)


@EXAMPLES
@given(data=st.data())
def test_yaml_bytes(target: harness.Target, data: Any) -> None:
    lines = (
        b"apiVersion: v1\nkind: Pod\nmetadata: {name: y}\nspec:\n  containers:\n  - &a {name: c, image: i}\n  - *a\n"
    )
    body = data.draw(strategies.broken(lines))
    target.ask("POST", dry(PODS), body, {"content-type": "application/yaml"})


@EXAMPLES
@given(data=st.data(), kind=st.sampled_from(sorted(OBJECTS)))
def test_protobuf_bytes(target: harness.Target, data: Any, kind: str) -> None:
    body = data.draw(strategies.broken(protobuf.encode(OBJECTS[kind])))
    target.ask("POST", dry(WHERE[kind]), body, {"content-type": protobuf.MEDIA_TYPE})


@EXAMPLES
@given(data=st.data())
def test_custom_objects(target: harness.Target, data: Any) -> None:
    tree = data.draw(strategies.mutated(strategies.CUSTOM))
    target.ask("POST", dry(TESTS), strategies.encoded(tree), JSON)


@EXAMPLES
@given(data=st.data())
def test_definitions(target: harness.Target, data: Any) -> None:
    tree = data.draw(strategies.mutated(strategies.DEFINITION))
    target.ask("POST", dry("/apis/apiextensions.k8s.io/v1/customresourcedefinitions"), strategies.encoded(tree), JSON)


@EXAMPLES
@given(
    data=st.data(),
    media=st.sampled_from(sorted(PATCHES)),
    where=st.sampled_from([f"{PODS}/there", f"{TESTS}/there", f"{PODS}/there/status", f"{TESTS}/there/scale"]),
)
def test_patches(target: harness.Target, data: Any, media: str, where: str) -> None:
    model: Any = strategies.CUSTOM if where.startswith(TESTS) else strategies.POD
    if PATCHES[media] == "json":
        paths = ["", "/", "/spec", "/spec/containers/0/image", "/spec/containers/-", "/metadata/labels/a~1b", "/x/y"]
        operation = {"op": "replace", "path": "/spec/n", "value": 1, "from": "/metadata"}
        path = st.sampled_from(paths) | st.text(max_size=10)
        operations = data.draw(
            st.lists(
                st.builds(
                    lambda p, o: {**o, "path": p},
                    path,
                    strategies.mutated(operation).filter(lambda o: isinstance(o, dict)),
                ),
                max_size=3,
            )
        )
        document: Any = data.draw(st.just(operations) | strategies.trees)
    else:
        document = data.draw(strategies.mutated(model))
        if PATCHES[media] == "strategic" and isinstance(document, dict):
            directive = data.draw(
                st.sampled_from(["$patch", "$retainKeys", "$setElementOrder/spec", "$deleteFromPrimitiveList/x"])
            )
            spec = document.get("spec")
            holder = spec if isinstance(spec, dict) and data.draw(st.booleans()) else document
            holder[directive] = data.draw(st.sampled_from(["delete", "replace", "merge"]) | strategies.trees)
    path = dry(where, fieldManager="fuzz", **({"force": "true"} if PATCHES[media] == "apply" else {}))
    target.ask("PATCH", path, strategies.encoded(document), {"content-type": media})


NAMES = [
    "labelSelector",
    "fieldSelector",
    "limit",
    "continue",
    "resourceVersion",
    "resourceVersionMatch",
    "timeoutSeconds",
    "sendInitialEvents",
    "pretty",
    "includeObject",
    "watch",
]
selector_texts = st.text("abAB01 =!,()<>.-_/$'\\\"", max_size=24) | st.sampled_from(
    ["a in (b,c)", "a notin (", "!a", "a==b,c!=d", "metadata.name=x", "status.phase!=Running", "spec.nodeName=", "a>1"]
)


@EXAMPLES
@given(
    query=st.dictionaries(st.sampled_from(NAMES), selector_texts | st.text(max_size=10), max_size=4),
    where=st.sampled_from([PODS, TESTS]),
)
def test_queries(target: harness.Target, query: dict[str, str], where: str) -> None:
    query = {name: value for name, value in query.items() if name != "watch" or value.lower() in ("false", "0")}
    text = "&".join(f"{name}={quote(value, errors='surrogatepass')}" for name, value in query.items())
    target.ask("GET", f"{where}?{text}")


@EXAMPLES
@given(data=st.data())
def test_continue_tokens(target: harness.Target, data: Any) -> None:
    token = {"v": "meta.k8s.io/v1", "rv": 3, "start": "default/there\0"}
    text = data.draw(
        st.builds(lambda tree: base64.urlsafe_b64encode(strategies.encoded(tree)).decode(), strategies.mutated(token))
        | st.text(max_size=20)
    )
    target.ask("GET", f"{PODS}?limit=1&continue={quote(text, errors='surrogatepass')}")


@EXAMPLES
@given(
    accept=st.lists(
        st.sampled_from(
            [
                "application/json",
                "application/yaml",
                "application/vnd.kubernetes.protobuf",
                "*/*",
                "text/html",
                "application/json;as=Table;g=meta.k8s.io;v=v1",
                "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1",
                "application/json;as=Table;v=v1",
                "application/json;q=0.1",
                ";",
                "a/b/c",
                "application/json;as=",
                "application/cbor",
            ]
        )
        | st.text("abc/*;=,. q01", max_size=15),
        max_size=3,
    ).map(",".join),
    where=st.sampled_from([PODS, f"{PODS}/there", TESTS, f"{TESTS}/there", "/apis", "/openapi/v2", "/version"]),
)
def test_accept(target: harness.Target, accept: str, where: str) -> None:
    target.ask("GET", where, None, {"accept": accept})


@EXAMPLES
@given(
    method=st.sampled_from(["GET", "PUT", "POST", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE"]),
    parts=st.lists(
        st.sampled_from(
            [
                "api",
                "apis",
                "v1",
                "apps",
                "namespaces",
                "default",
                "pods",
                "there",
                "status",
                "scale",
                "watch",
                "proxy",
                "..",
                "",
                "log",
                "fuzz.example.com",
                "tests",
                "%00",
                "%2e%2e",
                "openapi",
                "healthz",
            ]
        ),
        max_size=8,
    ),
)
def test_paths(target: harness.Target, method: str, parts: list[str]) -> None:
    path = "/" + "/".join(parts) + ("?dryRun=All" if method != "GET" else "?timeoutSeconds=1")
    if "watch" in parts:
        return
    target.ask(method, path)


@EXAMPLES
@given(data=st.data())
def test_bytes_that_are_no_http(target: harness.Target, data: Any) -> None:
    head = b"POST /api/v1/namespaces HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer admin\r\nContent-Length: 2\r\n\r\n{}"
    sent = data.draw(strategies.broken(head) | st.binary(max_size=60))
    answer = target.run(target.send_raw(sent))
    assert not answer or (answer.startswith(b"HTTP/1.1 ") and b" 500 " not in answer.split(b"\r\n")[0])


def test_it_still_works_after_all_that(target: harness.Target) -> None:
    assert json.loads(target.ask("GET", f"{PODS}/there").body)["metadata"]["name"] == "there"
