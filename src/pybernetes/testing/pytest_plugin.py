"""The pytest plugin, loaded by entry point: the fixtures `cluster`, `kubeconfig` and `namespace`.

One cluster serves the whole test run; each test finds it as it was when it started, because the fixture puts its
first snapshot back. Override the session fixture `cluster_options` to say what it is like:

    @pytest.fixture(scope="session")
    def cluster_options():
        return {"nodes": 3, "virtual": True, "seed": 1}

With `pybernetes_cluster = subprocess` in the ini file it runs as processes of its own; then `cluster` has only
`kubeconfig`, options are the command line's (`{"arguments": ["--nodes", "3"]}`), and `namespace` keeps tests apart.
"""

from __future__ import annotations

import os
import pathlib
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pybernetes.testing import background, subprocesses

# Clients that look at $KUBECONFIG once, when they are imported.
READ_AT_IMPORT = ("kubernetes.config.kube_config", "kubernetes_asyncio.config.kube_config")
IN_PROCESS, SUBPROCESS = "in-process", "subprocess"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini(
        "pybernetes_cluster",
        f"where the fixture `cluster` runs: {IN_PROCESS} (with virtual time, snapshots and faults) or {SUBPROCESS}",
        default=IN_PROCESS,
    )


@pytest.fixture(scope="session")
def cluster_options() -> Mapping[str, Any]:
    """What the cluster is like: options of `pybernetes.testing.Cluster`. For tests to override."""
    return {}


@pytest.fixture(scope="session")
def _running_cluster(
    request: pytest.FixtureRequest, cluster_options: Mapping[str, Any]
) -> Iterator[background.BackgroundCluster | subprocesses.SubprocessCluster]:
    where = request.config.getini("pybernetes_cluster")
    if where == SUBPROCESS:
        from pybernetes.testing import subprocesses

        with subprocesses.SubprocessCluster(**cluster_options) as separate:
            yield separate
    elif where == IN_PROCESS:
        from pybernetes.testing import background

        with background.BackgroundCluster(**cluster_options) as running:
            yield running
    else:
        raise pytest.UsageError(f"pybernetes_cluster is {where!r}; it takes {IN_PROCESS} or {SUBPROCESS}")


@pytest.fixture(scope="session")
def _first_state(_running_cluster: Any) -> Any:
    return _running_cluster.snapshot() if hasattr(_running_cluster, "snapshot") else None


@pytest.fixture
def cluster(_running_cluster: Any, _first_state: Any) -> Iterator[Any]:
    """A cluster as new: `pybernetes.testing.background.BackgroundCluster`."""
    yield _running_cluster
    if _first_state is not None:
        _running_cluster.restore(_first_state)


@pytest.fixture
def kubeconfig(cluster: Any, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """The cluster's kubeconfig, which $KUBECONFIG names as well during the test."""
    path: pathlib.Path = cluster.kubeconfig
    monkeypatch.setenv("KUBECONFIG", os.fspath(path))
    for name in READ_AT_IMPORT:
        if name in sys.modules:
            monkeypatch.setattr(sys.modules[name], "KUBE_CONFIG_DEFAULT_LOCATION", os.fspath(path))
    return path


@pytest.fixture
def namespace(request: pytest.FixtureRequest, kubeconfig: pathlib.Path) -> Iterator[str]:
    """A namespace of the test's own, gone afterwards."""
    import asyncio

    from pybernetes.testing import namespaces

    name = namespaces.name_for(request.node.name)
    asyncio.run(namespaces.make(kubeconfig, name))
    yield name
    asyncio.run(namespaces.remove(kubeconfig, name))
