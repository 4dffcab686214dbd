"""Tokens of old that nobody uses become invalid, and go a year later."""

from __future__ import annotations

from typing import Any

import pytest

from pybernetes.api import codecs, times
from pybernetes.api.types import core_v1
from pybernetes.controllers import Settings, legacy_tokens
from pybernetes.controllers.legacy_tokens import Verdict
from tests.fakes.cluster import FakeCluster

DAY = 86400.0
NOW = times.parse("2026-06-15T12:00:00Z")


def secret(name: str = "sa-token-1", *, created: float = NOW - 500 * DAY, **labels: str) -> core_v1.Secret:
    tree = {
        "metadata": {
            "name": name, "namespace": "default", "creationTimestamp": times.to_time(created),
            "labels": {f"kubernetes.io/legacy-token-{key.replace('_', '-')}": value for key, value in labels.items()},
            "annotations": {"kubernetes.io/service-account.name": "sa"},
        },
        "type": "kubernetes.io/service-account-token",
    }  # fmt: skip
    return codecs.from_tree(core_v1.Secret, tree)


@pytest.mark.parametrize(
    ("one", "verdict"),
    [
        (secret(created=NOW - 100 * DAY), Verdict.KEEP),
        (secret(), Verdict.INVALIDATE),
        (secret(last_used="2026-06-01"), Verdict.KEEP),
        (secret(last_used="2025-01-01"), Verdict.INVALIDATE),
        (secret(last_used="2025-13-01"), Verdict.KEEP),
        (secret(invalid_since="2026-06-01"), Verdict.KEEP),
        (secret(invalid_since="some day"), Verdict.INVALIDATE),
        (secret(invalid_since="2025-01-01"), Verdict.DELETE),
        (secret(invalid_since="2025-01-01", last_used="2026-06-14"), Verdict.KEEP),
    ],
)
def test_verdicts(one: core_v1.Secret, verdict: Verdict) -> None:
    assert legacy_tokens.judge(one, NOW, 365 * DAY) is verdict


def test_what_a_pod_uses() -> None:
    tree = {
        "spec": {
            "imagePullSecrets": [{"name": "a"}],
            "volumes": [
                {"name": "b", "secret": {"secretName": "b"}},
                {"name": "c", "projected": {"sources": [{"secret": {"name": "c"}}, {"configMap": {"name": "x"}}]}},
            ],
            "containers": [
                {
                    "name": "main",
                    "envFrom": [{"secretRef": {"name": "d"}}, {"configMapRef": {"name": "x"}}],
                    "env": [{"name": "E", "valueFrom": {"secretKeyRef": {"name": "e", "key": "k"}}}, {"name": "F"}],
                }
            ],
        }
    }
    assert set(legacy_tokens.mounted(codecs.from_tree(core_v1.Pod, tree))) == set("abcde")


async def test_marked_when_tracked_for_long_enough_and_deleted_as_long_after() -> None:
    settings = Settings(legacy_token_unused=3 * DAY)
    async with FakeCluster(only=legacy_tokens.NAME, settings=settings, kubelet=False) as cluster:
        now = cluster.clock.time()
        tracking: dict[str, Any] = {"metadata": {"name": legacy_tokens.TRACKING, "namespace": "kube-system"}}
        tracking["data"] = {"since": times.to_time(now)[:10]}
        account = {
            "metadata": {"name": "sa", "namespace": "default"},
            "secrets": [{"name": "sa-token-1"}, {"name": "mounted"}],
        }
        pod = {
            "metadata": {"name": "p", "namespace": "default"},
            "spec": {"volumes": [{"name": "v", "secret": {"secretName": "mounted"}}]},
        }
        cluster.api.seed(
            codecs.from_tree(core_v1.ConfigMap, tracking),
            codecs.from_tree(core_v1.ServiceAccount, account),
            codecs.from_tree(core_v1.Pod, pod),
            secret(created=now),
            secret("mounted", created=now),
            secret("by-hand", created=now),
        )
        await cluster.clock.advance(3 * DAY)
        assert cluster.api.calls == []
        await cluster.clock.advance(2 * DAY)
        labels = {one.metadata.name: one.metadata.labels for one in cluster.api.all(core_v1.Secret)}
        assert labels["mounted"] == labels["by-hand"] == {}
        assert set(labels["sa-token-1"]) == {"kubernetes.io/legacy-token-invalid-since"}
        await cluster.clock.advance(5 * DAY)
        assert {one.metadata.name for one in cluster.api.all(core_v1.Secret)} == {"mounted", "by-hand"}
