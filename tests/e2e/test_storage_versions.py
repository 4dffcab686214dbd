"""From one storage version of a custom resource to the next, with the stock kubectl, and who writes which version."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e import harness

GROUP = "e2e.example.org"
SWITCHED_ON = "storagemigration.k8s.io/v1beta1=true,internal.apiserver.k8s.io/v1alpha1=true"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[harness.Cluster]:
    data, more = tmp_path_factory.mktemp("versions") / "data", ("--runtime-config", SWITCHED_ON)
    made = harness.Cluster(data, "simulated", harness.free_port(), harness.free_port(), more)
    try:
        made.up()
        yield made
    finally:
        made.down("--purge")


def definition(*versions: str, stored: str) -> dict[str, Any]:
    schema = {"type": "object", "properties": {"spec": {"type": "object", "properties": {"size": {"type": "integer"}}}}}
    listed = [
        {"name": name, "served": True, "storage": name == stored, "schema": {"openAPIV3Schema": schema}}
        for name in versions
    ]
    names = {"plural": "widgets", "singular": "widget", "kind": "Widget"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"widgets.{GROUP}"},
        "spec": {"group": GROUP, "scope": "Namespaced", "names": names, "versions": listed},
    }


def widget(number: int) -> dict[str, Any]:
    meta = {"name": f"w{number}", "namespace": "default"}
    return {"apiVersion": f"{GROUP}/v1", "kind": "Widget", "metadata": meta, "spec": {"size": number}}


def kept(cluster: harness.Cluster) -> list[str]:
    """The versions in which the widgets are on the disk now."""
    (path,) = cluster.data.glob("**/*.db")
    query = "SELECT key, value FROM log WHERE key GLOB ? ORDER BY revision"
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        last = dict(database.execute(query, (f"/registry/{GROUP}/widgets/*",)))
    return [json.loads(value)["apiVersion"].rpartition("/")[2] for _, value in sorted(last.items())]


def test_an_old_version_is_migrated_away_and_removed(cluster: harness.Cluster) -> None:
    kubectl = cluster.kubectl
    kubectl.apply(definition("v1", stored="v1"))
    kubectl("wait", f"crd/widgets.{GROUP}", "--for=condition=Established", "--timeout=20s")
    kubectl.apply(*map(widget, range(5)))
    kubectl.apply(definition("v1", "v2", stored="v2"))
    refused = kubectl.apply(definition("v2", stored="v2"), code=1)
    assert "v1 was previously a storage version, and must remain in spec.versions until a storage migration" in refused
    assert kept(cluster) == ["v1"] * 5
    migration = {
        "apiVersion": "storagemigration.k8s.io/v1beta1",
        "kind": "StorageVersionMigration",
        "metadata": {"name": "widgets"},
        "spec": {"resource": {"group": GROUP, "resource": "widgets"}},
    }
    kubectl.apply(migration)
    kubectl("wait", "storageversionmigration/widgets", "--for=condition=Succeeded", "--timeout=20s")
    kubectl("wait", "storageversionmigration/widgets", "--for=condition=Running=false", "--timeout=20s")
    shown = kubectl("get", "storageversionmigrations").splitlines()
    assert [line.split() for line in shown] == [
        ["NAME", "RESOURCE", "STATUS"], ["widgets", f"widgets.{GROUP}", "Succeeded"],
    ]  # fmt: skip
    assert kept(cluster) == ["v2"] * 5
    assert kubectl.path(".status.storedVersions", "get", "crd", f"widgets.{GROUP}") == '["v2"]'
    kubectl.apply(definition("v2", stored="v2"))
    sizes = kubectl.path("range .items[*]}{.apiVersion}={.spec.size} {end", "get", f"widgets.v2.{GROUP}")
    assert sizes.split() == [f"{GROUP}/v2={number}" for number in range(5)]


def test_the_api_server_says_what_it_writes_and_goes_with_its_lease(cluster: harness.Cluster) -> None:
    kubectl = cluster.kubectl
    label = "apiserver.kubernetes.io/identity=kube-apiserver"
    name = kubectl.path(".items[*].metadata.name", "get", "leases", "-n", "kube-system", "-l", label)
    assert name.startswith("apiserver-")
    row = harness.until(lambda: kubectl("get", "storageversions", "apps.deployments", "--no-headers").split())
    assert row[:3] == ["apps.deployments", "apps/v1", f"{name}=apps/v1"]
    other = {
        "apiVersion": "internal.apiserver.k8s.io/v1alpha1",
        "kind": "StorageVersion",
        "metadata": {"name": "example.com.gone"},
        "spec": {},
        "status": {},
    }
    kubectl.apply(other)
    record = {"apiServerID": "apiserver-gone", "encodingVersion": "v1", "decodableVersions": ["v1"]}
    status = {"commonEncodingVersion": "v1", "storageVersions": [record]}
    kubectl(
        "patch", "storageversion", "example.com.gone", "--subresource=status", "--type=merge", "-p",
        json.dumps({"status": status}),
    )  # fmt: skip
    kubectl("wait", "storageversion/example.com.gone", "--for=delete", "--timeout=20s")
