from __future__ import annotations

import pytest

pytest_plugins = ["pytester"]

TESTS = """
import pathlib, subprocess, sys
import pytest
from pybernetes.client import kubeconfig as kubeconfigs

@pytest.fixture(scope="session")
def cluster_options():
    return {"nodes": 2, "virtual": True, "seed": 3}

CONFIG = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "left"}, "data": {}}

def test_one(cluster):
    assert cluster.why("cm/left") == []
    cluster.apply(CONFIG)
    cluster.advance("1h")
    assert len(cluster.why("cm/left")) == 1

def test_two_finds_nothing_of_one(cluster):
    import asyncio
    from pybernetes.api.errors import StatusError
    from pybernetes.api.types import core_v1
    client = cluster.inner.client()
    with pytest.raises(StatusError):
        cluster.call(client.get(core_v1.ConfigMap, "left", "default"))

def test_any_client_connects(kubeconfig, namespace):
    done = subprocess.run(
        [pathlib.Path(sys.executable).with_name("kubectl"), "get", "serviceaccounts", "-n", namespace, "-o", "name"],
        capture_output=True, text=True,
    )
    assert done.stdout == "serviceaccount/default\\n", done.stderr
    assert namespace.startswith("test-any-client-connects-")
"""


def test_the_fixtures_give_every_test_a_cluster_as_new(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(TESTS)
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    result.assert_outcomes(passed=3)


def test_an_unknown_place_is_a_usage_error(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\npybernetes_cluster = moon\n")
    pytester.makepyfile("def test_it(cluster): pass")
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    result.stdout.fnmatch_lines(["*pybernetes_cluster is 'moon'; it takes in-process or subprocess*"])
