"""Snapshots of clusters that are up."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator

import pytest

from tests.e2e import harness, objects


@pytest.fixture
def own(tmp_path: pathlib.Path) -> Iterator[harness.Cluster]:
    """A simulated cluster of the test's own."""
    made = harness.Cluster(tmp_path / "data", "simulated", harness.free_port(), harness.free_port())
    try:
        made.up()
        yield made
    finally:
        made.command("down", "--purge")


def test_the_old_state_is_back(own: harness.Cluster, tmp_path: pathlib.Path) -> None:
    kubectl, file = own.kubectl, tmp_path / "before"
    kubectl.apply(objects.config_map("kept", a="before"), objects.deployment("web", replicas=2))
    kubectl("rollout", "status", "deployment/web", "--timeout=30s")
    saved = own.command("snapshot", "save", file)
    assert saved.code == 0, saved.err
    assert saved.out.startswith("Saved ")

    kubectl.apply(objects.config_map("kept", a="after"), objects.config_map("later"))
    kubectl("delete", "deployment", "web")
    version = int(kubectl.path(".metadata.resourceVersion", "get", "configmap", "later"))
    refused = own.command("snapshot", "restore", file)
    assert refused.code == 1
    assert "`pybernetes down` stops it" in refused.err

    own.down()
    restored = own.command("snapshot", "restore", file)
    assert restored.code == 0, restored.err
    own.up()
    assert kubectl.path(".data.a", "get", "configmap", "kept") == "before"
    assert "NotFound" in kubectl("get", "configmap", "later", code=1)
    harness.until(lambda: kubectl.path(".status.readyReplicas", "get", "deployment", "web") == "2")
    kubectl.apply(objects.config_map("newest"))
    assert int(kubectl.path(".metadata.resourceVersion", "get", "configmap", "newest")) > version
