"""Up, down, and what survives which death."""

from __future__ import annotations

import os
import pathlib
import signal
from collections.abc import Iterator

import pytest

from tests.e2e import harness, objects


def _fresh(tmp_path: pathlib.Path, runtime: str) -> harness.Cluster:
    return harness.Cluster(tmp_path / "data", runtime, harness.free_port(), harness.free_port())


@pytest.fixture
def own(tmp_path: pathlib.Path) -> Iterator[harness.Cluster]:
    """A simulated cluster of the test's own."""
    made = _fresh(tmp_path, "simulated")
    try:
        made.up()
        yield made
    finally:
        made.command("down", "--purge")


def test_data_survives_down_and_up(own: harness.Cluster) -> None:
    assert "already up" in own.up().out
    kubectl = own.kubectl
    kubectl.apply(objects.config_map("kept", a="b"))
    uid = kubectl.path(".metadata.uid", "get", "configmap", "kept")
    assert own.command("status").code == 0
    own.down()
    assert not own.processes()
    assert own.command("status").code == 3
    assert "was not up" in own.down().out
    own.up()
    assert kubectl.path(".metadata.uid", "get", "configmap", "kept") == uid
    own.down("--purge")
    assert not own.data.exists()
    assert not pathlib.Path(own.run_dir).exists()


def test_a_killed_server_comes_back(own: harness.Cluster) -> None:
    kubectl = own.kubectl
    kubectl.apply(objects.deployment("web", replicas=2))
    kubectl("rollout", "status", "deployment/web", "--timeout=30s")
    before = own.kill("run-server")
    harness.until(lambda: kubectl.result("get", "--raw", "/readyz").out == "ok")
    assert before not in own.processes("run-server")
    kubectl("scale", "deployment", "web", "--replicas=3")
    harness.until(lambda: kubectl("get", "deploy", "web", "-o", "jsonpath={.status.readyReplicas}") == "3")
    assert "ended with code -9" in (own.data / "logs" / "supervisor.log").read_text()


@pytest.mark.containers
def test_down_leaves_nothing(cluster: harness.Cluster, kubectl: harness.Kubectl) -> None:
    """On the session's cluster: node and server killed, then the supervisor; down; up again with the pods back."""
    kubectl.apply(objects.deployment("web", objects.container(), replicas=2))
    kubectl("rollout", "status", "deployment/web", "--timeout=30s")
    name = kubectl.json("get", "pods")["items"][0]["metadata"]["name"]

    # Containers outlive the node agent and the server.
    for kind in ("run-node", "run-server"):
        before = cluster.kill(kind)
        harness.until(lambda kind=kind, before=before: [p for p in cluster.processes(kind) if p != before])
    harness.until(lambda: kubectl.result("exec", name, "--", "echo", "alive").out == "alive\n", seconds=30)
    assert kubectl.path(".status.containerStatuses[0].restartCount", "get", "pod", name) == "0"

    # With the supervisor killed, down still finds everything.
    (supervisor,) = cluster.processes("run-supervisor")
    os.kill(supervisor, signal.SIGKILL)
    cluster.down()
    assert not cluster.processes()
    assert str(cluster.data) not in pathlib.Path("/proc/self/mountinfo").read_text()
    assert cluster.run_dir not in pathlib.Path("/proc/self/mountinfo").read_text()
    links = harness.run("ip", "-br", "link").out
    assert "pyb0" not in links
    assert "veth" not in links
    assert "pybernetes" not in harness.run("nft", "list", "tables").out
    assert "cni-" not in harness.run("ip", "netns", "list").out

    cluster.up()
    kubectl("rollout", "status", "deployment/web", "--timeout=60s")
    harness.until(lambda: kubectl.result("exec", "deploy/web", "--", "echo", "alive").out == "alive\n", seconds=30)
