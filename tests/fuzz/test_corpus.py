"""Inputs that are kept: some broke a decoder once, others break decoders elsewhere (bombs, depth, tags, lengths)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pybernetes.api import protobuf
from tests.fuzz import harness, strategies

PODS = "/api/v1/namespaces/default/pods"


@pytest.fixture(scope="module")
def target() -> Iterator[harness.Target]:
    with harness.target() as found:
        there = {**strategies.POD, "metadata": {"name": "there"}}
        found.ask("POST", PODS, strategies.encoded(there), {"content-type": "application/json"})
        yield found


@pytest.mark.parametrize("body", harness.corpus("json"))
@pytest.mark.parametrize("media", ["application/json", "application/merge-patch+json", "application/json-patch+json"])
def test_json(target: harness.Target, body: bytes, media: str) -> None:
    method, path = ("POST", PODS) if media == "application/json" else ("PATCH", f"{PODS}/there")
    target.ask(method, f"{path}?dryRun=All", body, {"content-type": media})


@pytest.mark.parametrize("body", harness.corpus("yaml"))
@pytest.mark.parametrize("media", ["application/yaml", "application/apply-patch+yaml"])
def test_yaml(target: harness.Target, body: bytes, media: str) -> None:
    method, path = ("POST", PODS) if media == "application/yaml" else ("PATCH", f"{PODS}/there")
    target.ask(method, f"{path}?dryRun=All&fieldManager=fuzz", body, {"content-type": media})


@pytest.mark.parametrize("body", harness.corpus("protobuf"))
@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_protobuf(target: harness.Target, body: bytes, method: str) -> None:
    path = PODS if method == "POST" else f"{PODS}/there"
    target.ask(method, f"{path}?dryRun=All", body, {"content-type": protobuf.MEDIA_TYPE})


@pytest.mark.parametrize("body", harness.corpus("strategic"))
def test_strategic(target: harness.Target, body: bytes) -> None:
    headers = {"content-type": "application/strategic-merge-patch+json"}
    assert target.ask("PATCH", f"{PODS}/there?dryRun=All", body, headers).code in (400, 422)
