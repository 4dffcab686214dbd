"""An API server of somebody else's behind ours, used with the stock kubectl."""

from __future__ import annotations

import base64
import json
import pathlib
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e import harness
from tests.fakes import aggregated

NAME = f"{aggregated.VERSION}.{aggregated.GROUP}"


class Wardle:
    """The other server, as a process of its own."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        said = self._said()
        self.port, self.ca = said["port"], pathlib.Path(said["ca"])

    def _said(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        found: dict[str, Any] = json.loads(self._process.stdout.readline())
        return found

    def user_of(self, path: str) -> str:
        """Who was the next to ask for the path."""
        while (said := self._said())["path"] != path:
            pass
        user: str = said["user"]
        return user

    def fall_ill(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write("ill\n")
        self._process.stdin.flush()


@pytest.fixture
def wardle(simulated: harness.Cluster) -> Iterator[Wardle]:
    """The namespace of its objects is `default`."""
    front_proxy = simulated.data / "pki" / "front-proxy" / "ca.crt"
    with subprocess.Popen(
        [sys.executable, "-m", "tests.fakes.aggregated", str(front_proxy)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        yield Wardle(process)
        simulated.kubectl("delete", "apiservice", NAME, "--ignore-not-found")
        simulated.kubectl("delete", "service", "api", "--ignore-not-found", "-n", "default")
        process.terminate()


def test_a_group_that_another_server_has(simulated: harness.Cluster, wardle: Wardle) -> None:
    kubectl = harness.Kubectl(simulated.kubeconfig, "default")
    service = {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": NAME},
        "spec": {
            "group": aggregated.GROUP,
            "version": aggregated.VERSION,
            "groupPriorityMinimum": 2000,
            "versionPriority": 200,
            "caBundle": base64.b64encode(wardle.ca.read_bytes()).decode(),
            "service": {"namespace": "default", "name": "api", "port": wardle.port},
        },
    }
    kubectl.apply(service)
    kubectl("wait", f"apiservice/{NAME}", "--for=condition=Available=false", "--timeout=20s")
    assert "False (ServiceNotFound)" in kubectl("get", "apiservice", NAME)
    assert "is not present" in kubectl("describe", "apiservice", NAME)
    behind = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "api"}}
    kubectl.apply(behind | {"spec": {"type": "ExternalName", "externalName": "localhost"}})
    kubectl("wait", f"apiservice/{NAME}", "--for=condition=Available", "--timeout=20s")
    assert "default/api" in kubectl("get", "apiservice", NAME)

    listed = kubectl("api-resources", "--api-group", aggregated.GROUP)
    assert "flunders" in listed
    assert aggregated.GROUP_VERSION in kubectl("api-versions")
    flunder = {"apiVersion": aggregated.GROUP_VERSION, "kind": "Flunder", "metadata": {"name": "f"}}
    assert "flunder.wardle.example.com/f created" in kubectl(
        "create", "--validate=false", "-f", "-", stdin=json.dumps(flunder)
    )
    assert "f " in kubectl("get", "fl")
    assert kubectl.path(".metadata.uid", "get", "flunder", "f") == "u1"
    assert 'flunders.wardle.example.com "g" not found' in kubectl("get", "flunder", "g", code=1)
    assert "forbidden" in kubectl(
        "get", "fl", "--token=bob-token", "--kubeconfig=/dev/null", *_server(simulated), code=1
    )
    assert 'flunder.wardle.example.com "f" deleted' in kubectl("delete", "flunder", "f", "--wait=false")
    assert wardle.user_of(aggregated.FLUNDERS) == "kubernetes-admin"

    wardle.fall_ill()
    assert "an error on the server" in kubectl("get", "fl", code=1)


def _server(cluster: harness.Cluster) -> list[str]:
    ca = cluster.data / "pki" / "ca.crt"
    return [f"--server=https://127.0.0.1:{cluster.api_port}", f"--certificate-authority={ca}"]
