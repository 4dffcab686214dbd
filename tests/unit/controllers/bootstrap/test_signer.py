"""The cluster's information is signed with every token that may, and with no other."""

from __future__ import annotations

import base64

import pytest

from pybernetes.api import codecs, times
from pybernetes.api.types import core_v1, meta_v1
from pybernetes.controllers.bootstrap import cleaner, signer, tokens
from tests.fakes.cluster import FakeCluster

SIGNATURE = "eyJhbGciOiJIUzI1NiIsImtpZCI6ImFiYzEyMyJ9..QSxpUG7Q542CirTI2ECPSZjvBOJURUW5a7XqFpNI958"


def encoded(fields: dict[str, str]) -> dict[str, str]:
    return {key: base64.b64encode(value.encode()).decode() for key, value in fields.items()}


def token(token_id: str = "abc123", **more: str) -> core_v1.Secret:
    fields = {"token-id": token_id, "token-secret": "tokenSecret", "usage-bootstrap-signing": "true"} | more
    tree = {
        "metadata": {"name": f"bootstrap-token-{token_id}", "namespace": "kube-system"},
        "type": "bootstrap.kubernetes.io/token",
        "data": encoded(fields),
    }
    return codecs.from_tree(core_v1.Secret, tree)


def info(**data: str) -> core_v1.ConfigMap:
    meta = meta_v1.ObjectMeta(name="cluster-info", namespace="kube-public")
    return core_v1.ConfigMap(metadata=meta, data={"kubeconfig": "payload"} | data)


def test_a_signature_is_what_every_client_computes() -> None:
    assert signer.signature("payload", "abc123", "tokenSecret") == SIGNATURE


@pytest.mark.parametrize(
    "changed",
    [
        {"token-id": "other1"},
        {"token-secret": ""},
        {"usage-bootstrap-signing": "false"},
        {"expiration": "1999-01-01T00:00:00Z"},
        {"expiration": "soon"},
        {"expiration": "2999-01-01T00:00:00"},
    ],
)
def test_tokens_that_do_not_sign(changed: dict[str, str]) -> None:
    secret = token()
    assert tokens.for_signing(secret, 1e9) == ("abc123", "tokenSecret")
    secret.data |= encoded(changed)
    assert tokens.for_signing(secret, 1e9) is None


async def test_signatures_come_and_go_with_their_tokens() -> None:
    async with FakeCluster(only=signer.NAME) as cluster:
        cluster.api.seed(info(**{"jws-kubeconfig-gone00": "old"}), token())
        await cluster.settled()
        found = cluster.api.find(core_v1.ConfigMap, "cluster-info", "kube-public")
        assert found.data == {"kubeconfig": "payload", "jws-kubeconfig-abc123": SIGNATURE}
        cluster.api.change(found, lambda copy: copy.data.update(kubeconfig="other"))
        await cluster.settled()
        found = cluster.api.find(core_v1.ConfigMap, "cluster-info", "kube-public")
        assert found.data["jws-kubeconfig-abc123"] == signer.signature("other", "abc123", "tokenSecret")
        cluster.api.remove(token())
        await cluster.settled()
        found = cluster.api.find(core_v1.ConfigMap, "cluster-info", "kube-public")
        assert found.data == {"kubeconfig": "other"}


async def test_nothing_to_sign() -> None:
    async with FakeCluster(only=signer.NAME) as cluster:
        cluster.api.seed(token())
        await cluster.settled()
        empty = info()
        empty.data = {"jws-kubeconfig-abc123": "kept"}
        cluster.api.seed(empty)
        await cluster.settled()
        assert cluster.api.calls == []


async def test_a_token_goes_when_its_time_is_over() -> None:
    async with FakeCluster(only=cleaner.NAME) as cluster:
        later = times.to_time(cluster.clock.time() + 60)
        cluster.api.seed(token(), token("later1", expiration=later), token("wrong1", expiration="never"))
        await cluster.settled()
        assert cluster.api.find(core_v1.Secret, "bootstrap-token-wrong1", "kube-system") is None
        assert cluster.api.find(core_v1.Secret, "bootstrap-token-later1", "kube-system") is not None
        await cluster.clock.advance(61)
        assert cluster.api.find(core_v1.Secret, "bootstrap-token-later1", "kube-system") is None
        assert cluster.api.find(core_v1.Secret, "bootstrap-token-abc123", "kube-system") is not None
