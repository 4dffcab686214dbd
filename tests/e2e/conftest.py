"""Two clusters for the whole session, and a namespace for each test."""

from __future__ import annotations

import itertools
import pathlib
from collections.abc import Iterator

import pytest

from tests.e2e import harness
from tests.images import busybox

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def busybox_archives(tmp_path_factory: pytest.TempPathFactory) -> list[pathlib.Path]:
    folder = tmp_path_factory.mktemp("images")
    archives = []
    for number, tag in enumerate((busybox.IMAGE, busybox.NEXT)):
        archives.append(folder / f"{number}.tar")
        busybox.build_busybox_archive(archives[-1], tag=tag)
    return archives


@pytest.fixture(scope="session")
def cluster(
    tmp_path_factory: pytest.TempPathFactory, busybox_archives: list[pathlib.Path]
) -> Iterator[harness.Cluster]:
    """With containers; the tests that use it are marked so."""
    if pathlib.Path("/sys/class/net/pyb0").exists():
        pytest.fail("another cluster with containers runs on this machine: `pybernetes down` first")
    made = harness.Cluster(tmp_path_factory.mktemp("cluster"), "containerd", harness.free_port(), harness.free_port())
    try:
        made.up()
        for archive in busybox_archives:
            loaded = made.command("image", "load", archive)
            assert loaded.code == 0, loaded.err
        yield made
    finally:
        made.down("--purge")


@pytest.fixture(scope="session")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[harness.Cluster]:
    """With static tokens (alice may do everything, bob nothing) and legacy service account tokens."""
    folder = tmp_path_factory.mktemp("simulated")
    tokens = folder / "tokens.csv"
    tokens.write_text(harness.TOKENS)
    made = harness.Cluster(
        folder / "data",
        "simulated",
        harness.free_port(),
        harness.free_port(),
        ("--token-auth-file", str(tokens), "--legacy-service-account-tokens"),
    )
    try:
        made.up()
        yield made
    finally:
        made.down("--purge")


@pytest.fixture
def kubectl(cluster: harness.Cluster) -> Iterator[harness.Kubectl]:
    """In a namespace of its own, on the cluster with containers."""
    yield from _namespaced(cluster)


@pytest.fixture
def kubectl_simulated(simulated: harness.Cluster) -> Iterator[harness.Kubectl]:
    """In a namespace of its own, on the simulated cluster."""
    yield from _namespaced(simulated)


def _namespaced(cluster: harness.Cluster) -> Iterator[harness.Kubectl]:
    name = f"e2e-{next(_numbers)}"
    cluster.kubectl("create", "namespace", name)
    own = harness.Kubectl(cluster.kubeconfig, name)
    # Pods are refused before their namespace has its service account.
    harness.until(lambda: "default" in own("get", "serviceaccounts", "-o", "name"))
    yield own
    cluster.kubectl("delete", "namespace", name, "--wait=false")
