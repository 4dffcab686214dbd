"""The all-in-one guide's session, word for word, with stock kubectl and real containers."""

from __future__ import annotations

import pathlib
import platform
import subprocess
import urllib.error
import urllib.request

import pytest

from tests.e2e import harness, objects
from tests.images import busybox

pytestmark = pytest.mark.containers


def _get(url: str) -> str:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=2) as answer:
            text: str = answer.read().decode()
            return text
    except (urllib.error.URLError, OSError) as error:
        raise AssertionError(f"{url}: {error}") from None


def test_what_a_fresh_cluster_shows(cluster: harness.Cluster) -> None:
    kubectl = cluster.kubectl
    statuses = {line.split()[0]: line.split()[1] for line in kubectl("get", "cs", "--no-headers").splitlines()}
    assert statuses == {"scheduler": "Healthy", "controller-manager": "Healthy", "etcd-0": "Healthy"}
    (node,) = kubectl.json("get", "nodes")["items"]
    info = node["status"]["nodeInfo"]
    addresses = {entry["type"]: entry["address"] for entry in node["status"]["addresses"]}
    assert info["kernelVersion"] == platform.release()
    assert info["containerRuntimeVersion"].startswith("containerd://1.")
    assert info["osImage"] in pathlib.Path("/etc/os-release").read_text()
    own = subprocess.run(["hostname", "-I"], check=True, capture_output=True, text=True).stdout.split()
    assert addresses["InternalIP"] in own
    row = kubectl("get", "nodes", "-o", "wide", "--no-headers")
    for shown in ("Ready", "v1.36.2", addresses["InternalIP"], info["osImage"], info["containerRuntimeVersion"]):
        assert shown in row
    accounts = kubectl("get", "serviceaccounts", "-A", "--no-headers").splitlines()
    namespaces = {"default", "kube-node-lease", "kube-public", "kube-system"}
    assert namespaces <= {line.split()[0] for line in accounts if line.split()[1] == "default"}
    assert "Metrics API not available" in kubectl("top", "nodes", code=1)
    assert "is running at" in kubectl("cluster-info")
    assert "v1.36.2" in kubectl("version")


def test_web_deployment_and_service(kubectl: harness.Kubectl, cluster: harness.Cluster) -> None:
    kubectl("create", "deployment", "web", f"--image={busybox.IMAGE}", "--replicas=3",
            "--", "httpd", "-f", "-p", "8080", "-h", "/etc")  # fmt: skip
    assert "successfully rolled out" in kubectl("rollout", "status", "deployment/web", "--timeout=30s")
    shown = kubectl("get", "deploy,rs,pods", "-o", "wide")
    assert "3/3" in shown
    assert shown.count("Running") == 3
    kubectl("expose", "deployment", "web", "--port=80", "--target-port=8080")
    address = kubectl.path(".spec.clusterIP", "get", "svc", "web")

    # From the host, from a pod, and by every endpoint in turn.
    names = {pod["metadata"]["name"] for pod in kubectl.json("get", "pods")["items"]}
    harness.until(lambda: _get(f"http://{address}/hostname"))
    seen = {_get(f"http://{address}/hostname").strip() for _ in range(40)}
    assert seen == names
    pod = sorted(names)[0]
    inside = kubectl(
        "exec", pod, "--", "sh", "-c", f"for i in 1 2 3 4 5 6; do wget -qO- http://{address}/hostname; done"
    )
    assert set(inside.split()) <= names

    # NodePort: the node's address and port.
    kubectl("patch", "svc", "web", "-p", '{"spec":{"type":"NodePort"}}')
    port = kubectl.path(".spec.ports[0].nodePort", "get", "svc", "web")
    node = kubectl.path(".items[0].status.addresses[0].address", "get", "nodes")
    assert harness.until(lambda: _get(f"http://{node}:{port}/hostname")).strip() in names

    # A pod that goes is replaced, and the Service follows.
    # httpd as process 1 hears no SIGTERM: without a short grace it would take the whole 30 s.
    kubectl("delete", "pod", pod, "--grace-period=1")
    kubectl("rollout", "status", "deployment/web", "--timeout=30s")
    now = {pod["metadata"]["name"] for pod in kubectl.json("get", "pods")["items"]}
    assert len(now) == 3
    assert pod not in now
    assert harness.until(lambda: {_get(f"http://{address}/hostname").strip() for _ in range(20)} <= now)

    # No endpoints: refused, not black-holed.
    kubectl("scale", "deployment", "web", "--replicas=0")
    kubectl("delete", "pods", "--all", "--grace-period=1")
    harness.until(lambda: not kubectl.json("get", "pods")["items"])

    def refused() -> bool:
        with pytest.raises(AssertionError, match="refused"):
            _get(f"http://{address}/hostname")
        return True

    assert harness.until(refused)
    events = kubectl("get", "events")
    assert "ScalingReplicaSet" in events
    assert "SuccessfulCreate" in events
    description = kubectl("describe", "deployment", "web")
    assert "Scaled up replica set" in description


def test_rolling_update_undo_and_edit(kubectl: harness.Kubectl, tmp_path: pathlib.Path) -> None:
    kubectl.apply(objects.deployment("web", objects.container(), replicas=2))
    kubectl("rollout", "status", "deployment/web", "--timeout=30s")
    kubectl("set", "image", "deployment/web", f"c={busybox.NEXT}")
    kubectl("rollout", "status", "deployment/web", "--timeout=30s")
    pods = harness.until(lambda: [p for p in _running(kubectl) if len(_running(kubectl)) == 2])
    assert {pod["spec"]["containers"][0]["image"] for pod in pods} == {busybox.NEXT}
    assert kubectl("exec", "deploy/web", "--", "cat", "/etc/image").strip() == busybox.NEXT
    assert kubectl("rollout", "history", "deployment/web").split()[-4:] == ["1", "<none>", "2", "<none>"]
    kubectl("rollout", "undo", "deployment/web")
    kubectl("rollout", "status", "deployment/web", "--timeout=30s")
    image = ".spec.template.spec.containers[0].image"
    assert kubectl.path(image, "get", "deploy", "web") == busybox.IMAGE
    assert kubectl("rollout", "history", "deployment/web").split()[-4:] == ["2", "<none>", "3", "<none>"]

    editor = tmp_path / "editor"
    editor.write_text("#!/bin/sh\nsed -i 's/replicas: 2/replicas: 1/' \"$1\"\n")
    editor.chmod(0o755)
    assert "edited" in kubectl("edit", "deployment", "web", KUBE_EDITOR=str(editor))
    kubectl("rollout", "status", "deployment/web", "--timeout=30s")
    assert harness.until(lambda: len(_running(kubectl)) == 1)

    kubectl("rollout", "restart", "deployment/web")
    kubectl("rollout", "status", "deployment/web", "--timeout=30s")
    kubectl("set", "image", "deployment/web", "c=docker.io/library/absent:1")
    assert "timed out" in kubectl("rollout", "status", "deployment/web", "--timeout=1s", code=1)
    assert any("ImagePull" in _waiting(pod) for pod in harness.until(lambda: _pulling(kubectl)))
    assert len(_running(kubectl)) == 1


def _running(kubectl: harness.Kubectl) -> list[dict[str, object]]:
    return [
        pod
        for pod in kubectl.json("get", "pods")["items"]
        if pod["status"].get("phase") == "Running" and "deletionTimestamp" not in pod["metadata"]
    ]


def _waiting(pod: dict[str, object]) -> str:
    statuses = pod["status"].get("containerStatuses") or [{}]  # type: ignore[attr-defined]
    return str(statuses[0].get("state", {}).get("waiting", {}).get("reason", ""))


def _pulling(kubectl: harness.Kubectl) -> list[dict[str, object]]:
    return [pod for pod in kubectl.json("get", "pods")["items"] if "Pull" in _waiting(pod)]


def test_deleting_a_namespace_takes_everything(cluster: harness.Cluster) -> None:
    cluster.kubectl("create", "namespace", "shop")
    kubectl = harness.Kubectl(cluster.kubeconfig, "shop")
    kubectl.apply(
        objects.deployment("web", replicas=2),
        objects.config_map("settings", a="b"),
        objects.secret("hidden", a="b"),
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": {"ports": [{"port": 80}]}},
    )
    kubectl("rollout", "status", "deployment/web", "--timeout=30s")
    cluster.kubectl("delete", "namespace", "shop", "--timeout=45s")
    assert 'namespaces "shop" not found' in cluster.kubectl("get", "ns", "shop", code=1)
    assert kubectl("get", "all,configmaps,secrets,endpointslices,events,serviceaccounts", "-o", "name") == ""
