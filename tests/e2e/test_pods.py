"""What pods promise, kept by real containers."""

from __future__ import annotations

import contextlib
import json
import pathlib
from typing import Any

import pytest

from tests.e2e import harness, objects

pytestmark = pytest.mark.containers


def _status(kubectl: harness.Kubectl, name: str) -> dict[str, Any]:
    found: dict[str, Any] = kubectl.json("get", "pod", name)["status"]
    return found


def _in_network_of(container_id: str, *command: str) -> harness.Result:
    """Run a program of the host's in the network of a container."""
    for entry in pathlib.Path("/proc").glob("[0-9]*/cgroup"):
        with contextlib.suppress(OSError):
            if container_id in entry.read_text():
                return harness.run("nsenter", f"--net={entry.parent}/ns/net", *command)
    raise AssertionError(f"no process runs in {container_id}")


def test_configuration_reaches_containers(kubectl: harness.Kubectl) -> None:
    read = {"name": "all", "projected": {"sources": [
        {"configMap": {"name": "settings", "items": [{"key": "color", "path": "deep/color"}]}},
        {"secret": {"name": "hidden"}},
        {"downwardAPI": {"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]}},
    ]}}  # fmt: skip
    environment = [
        {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
        {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        {"name": "PASS", "valueFrom": {"secretKeyRef": {"name": "hidden", "key": "pass"}}},
        {"name": "LIMIT", "valueFrom": {"resourceFieldRef": {"resource": "limits.memory", "divisor": "1Mi"}}},
        {"name": "JOINED", "value": "$(PASS)-$(NODE)-$$(NODE)"},
    ]
    script = (
        "cat /all/deep/color /all/pass /all/labels /cm/color; echo; env; id; cat /proc/self/cgroup; " + objects.FOREVER
    )
    main = objects.container(
        script=script,
        env=environment,
        envFrom=[{"prefix": "CM_", "configMapRef": {"name": "settings"}}],
        volumeMounts=[
            {"name": "all", "mountPath": "/all", "readOnly": True},
            {"name": "settings", "mountPath": "/cm"},
            {"name": "scratch", "mountPath": "/scratch"},
            {"name": "host", "mountPath": "/host", "readOnly": True},
        ],
        resources={"limits": {"memory": "64Mi", "cpu": "500m"}},
        securityContext={"runAsUser": 1234, "runAsGroup": 5678},
    )
    kubectl.apply(
        objects.config_map("settings", color="green"),
        objects.secret("hidden", **{"pass": "word"}),
        objects.pod("p", main, volumes=[
            read,
            {"name": "settings", "configMap": {"name": "settings"}},
            {"name": "scratch", "emptyDir": {}},
            {"name": "host", "hostPath": {"path": "/etc"}},
        ], securityContext={"fsGroup": 4321}),
    )  # fmt: skip
    kubectl("wait", "pod/p", "--for=condition=Ready", "--timeout=30s")
    status, node = _status(kubectl, "p"), kubectl.path(".spec.nodeName", "get", "pod", "p")
    log = harness.until(lambda: kubectl("logs", "p"))
    assert log.startswith('greenwordapp="p"') or 'app="p"' in log
    for expected in (
        f"NODE={node}", f"IP={status['podIP']}", "PASS=word", "LIMIT=64", f"JOINED=word-{node}-$(NODE)",
        "CM_color=green", "HOSTNAME=p", "KUBERNETES_SERVICE_HOST=10.96.0.1", "uid=1234 gid=5678", "4321",
    ):  # fmt: skip
        assert expected in log
    assert kubectl("exec", "p", "--", "sh", "-c", "cat /host/hostname").strip() != "p"
    assert kubectl("exec", "p", "--", "sh", "-c", "touch /scratch/a && echo made").strip() == "made"
    assert "Read-only" in kubectl("exec", "p", "--", "touch", "/all/x", code=1)
    assert status["qosClass"] == "Burstable" or status["qosClass"] == "Guaranteed"

    # The limit is the kernel's.
    identity = status["containerStatuses"][0]["containerID"].removeprefix("containerd://")
    limits = [
        path
        for name in ("memory.limit_in_bytes", "memory.max")
        for path in pathlib.Path("/sys/fs/cgroup").rglob(f"*{identity}*/{name}")
    ]
    assert limits
    assert limits[0].read_text().strip() == str(64 << 20)

    # A changed configMap comes through to the volume; the environment stays as it was.
    kubectl("patch", "configmap", "settings", "-p", '{"data":{"color":"blue"}}')
    changed = harness.until(
        lambda: kubectl("exec", "p", "--", "cat", "/cm/color", "/all/deep/color") == "blueblue", seconds=90
    )
    assert changed


def test_ways_to_start_and_to_fail(kubectl: harness.Kubectl) -> None:
    check = {"exec": {"command": ["test", "-e", "/tmp/ok"]}, "periodSeconds": 1, "failureThreshold": 1}
    shared = {"volumeMounts": [{"name": "v", "mountPath": "/v"}]}
    kubectl.apply(
        objects.pod(
            "inits",
            objects.container(script="cat /v/order; " + objects.FOREVER, **shared),
            initContainers=[
                objects.container("first", "echo first >> /v/order", **shared),
                objects.container("second", "echo second >> /v/order", **shared),
            ],
            volumes=[{"name": "v", "emptyDir": {}}],
        ),
        objects.pod("gated", objects.container(readinessProbe=check)),
        objects.pod("unwell", objects.container(script="touch /tmp/ok; " + objects.FOREVER, livenessProbe=check)),
        objects.pod(
            "http",
            objects.container(
                script="httpd -f -p 8080 -h /etc & " + objects.FOREVER,
                startupProbe={"tcpSocket": {"port": 8080}, "periodSeconds": 1},
                readinessProbe={"httpGet": {"path": "/hostname", "port": 8080}, "periodSeconds": 1},
            ),
        ),
        objects.pod("crashes", objects.container(script="exit 3")),
        objects.pod("absent", {"name": "c", "image": "docker.io/library/absent:9"}),
        objects.pod("never", {"name": "c", "image": "docker.io/library/absent:9", "imagePullPolicy": "Never"}),
        objects.pod("once", objects.container(script="exit 5"), restartPolicy="Never"),
        objects.pod("badinit", initContainers=[objects.container("i", "exit 2")], restartPolicy="Never"),
        objects.pod("huge", objects.container(resources={"requests": {"cpu": "1000"}})),
        objects.pod("mapless", objects.container(envFrom=[{"configMapRef": {"name": "no-such-map"}}])),
        {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": "sum"},
            "spec": {"completions": 3, "parallelism": 2, "template": {"spec": {
                "restartPolicy": "Never", "containers": [objects.container(script="echo $((6*7))")]}}},
        },
    )  # fmt: skip
    kubectl("wait", "pod/inits", "pod/http", "--for=condition=Ready", "--timeout=30s")
    assert harness.until(lambda: kubectl("logs", "inits", "-c", "c")) == "first\nsecond\n"

    def waiting(name: str) -> str:
        statuses = _status(kubectl, name).get("containerStatuses") or [{}]
        return str(statuses[0].get("state", {}).get("waiting", {}).get("reason"))

    # Readiness gates, and liveness restarts.
    kubectl("wait", "pod/gated", "--for=condition=Initialized", "--timeout=20s")
    assert not _status(kubectl, "gated")["containerStatuses"][0]["ready"]
    harness.until(lambda: "Readiness probe failed" in kubectl("get", "events", "--field-selector=reason=Unhealthy"))
    kubectl("exec", "gated", "--", "touch", "/tmp/ok")
    kubectl("wait", "pod/gated", "--for=condition=Ready", "--timeout=20s")
    kubectl("exec", "unwell", "--", "rm", "/tmp/ok")
    harness.until(lambda: _status(kubectl, "unwell")["containerStatuses"][0]["restartCount"] >= 1)
    assert "Container c failed liveness probe, will be restarted" in kubectl("get", "events")

    # Failures have upstream's names.
    harness.until(lambda: waiting("crashes") == "CrashLoopBackOff")
    assert _status(kubectl, "crashes")["containerStatuses"][0]["lastState"]["terminated"]["exitCode"] == 3
    harness.until(lambda: waiting("absent") in ("ImagePullBackOff", "ErrImagePull"))
    harness.until(lambda: waiting("never") == "ErrImageNeverPull")
    harness.until(lambda: waiting("mapless") == "CreateContainerConfigError")
    kubectl("wait", "pod/once", "pod/badinit", "--for=jsonpath={.status.phase}=Failed", "--timeout=20s")
    assert _status(kubectl, "once")["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 5
    assert "Init:Error" in kubectl("get", "pod", "badinit")
    harness.until(lambda: "0/1 nodes are available: 1 Insufficient cpu." in kubectl("describe", "pod", "huge"))
    kubectl("wait", "job/sum", "--for=condition=Complete", "--timeout=30s")
    assert kubectl("logs", "-l", "job-name=sum") == "42\n42\n42\n"
    kubectl("delete", "job", "sum")
    harness.until(lambda: not kubectl.json("get", "pods", "-l", "job-name=sum")["items"])


def test_ending_well(kubectl: harness.Kubectl, tmp_path: pathlib.Path) -> None:
    """preStop runs first, then SIGTERM, and the pod object goes last."""
    noted = {"name": "v", "hostPath": {"path": str(tmp_path)}}
    script = "trap 'echo term >> /v/order; exit 0' TERM; " + objects.FOREVER
    stop = {"preStop": {"exec": {"command": ["sh", "-c", "echo stop >> /v/order"]}}}
    main = objects.container(script=script, lifecycle=stop, volumeMounts=[{"name": "v", "mountPath": "/v"}])
    kubectl.apply(
        objects.pod("p", main, volumes=[noted], terminationGracePeriodSeconds=10),
        objects.pod("deaf", {**objects.container(), "command": ["sleep", "1000"]}, terminationGracePeriodSeconds=2),
    )
    kubectl("wait", "pod/p", "pod/deaf", "--for=condition=Ready", "--timeout=30s")
    with kubectl.running("get", "pods", "-w", "--no-headers") as watching:
        kubectl("delete", "pod", "p", "deaf", "--timeout=20s")
        assert (tmp_path / "order").read_text() == "stop\nterm\n"
        assert watching.stdout is not None
        seen = ""
        while "Terminating" not in seen:
            seen += watching.stdout.readline()
    assert "not found" in kubectl("get", "pod", "p", code=1)


def test_service_account_from_inside(kubectl: harness.Kubectl, cluster: harness.Cluster) -> None:
    """What a pod is given is enough to reach the API through its Service, and no more than it is allowed."""
    kubectl("create", "role", "reader", "--verb=get,list", "--resource=pods")
    kubectl("create", "rolebinding", "reader", "--role=reader", f"--serviceaccount={kubectl.namespace}:default")
    kubectl.apply(objects.pod("p"))
    kubectl("wait", "pod/p", "--for=condition=Ready", "--timeout=30s")
    folder = "/var/run/secrets/kubernetes.io/serviceaccount"
    token = kubectl("exec", "p", "--", "cat", f"{folder}/token")
    assert kubectl("exec", "p", "--", "cat", f"{folder}/namespace") == kubectl.namespace
    authority = kubectl("exec", "p", "--", "cat", f"{folder}/ca.crt")
    assert authority.strip() == (cluster.data / "pki" / "ca.crt").read_text().strip()
    pods = f"/api/v1/namespaces/{kubectl.namespace}/pods"
    # busybox cannot check certificates: curl can, put into the pod's network.
    identity = _status(kubectl, "p")["containerStatuses"][0]["containerID"].removeprefix("containerd://")
    inside = _in_network_of(
        identity, "curl", "-s", "--noproxy", "*", "--max-time", "5",
        "--cacert", str(cluster.data / "pki" / "ca.crt"), "-H", f"Authorization: Bearer {token}",
        f"https://10.96.0.1{pods}/p",
    )  # fmt: skip
    assert inside.json["metadata"]["name"] == "p"
    allowed = harness.ask(cluster, "GET", pods, token=token)
    assert allowed.code == 200
    assert [item["metadata"]["name"] for item in allowed.json["items"]] == ["p"]
    refused = harness.ask(cluster, "DELETE", f"{pods}/p", token=token)
    assert refused.code == 403
    assert refused.message == (
        f'pods "p" is forbidden: User "system:serviceaccount:{kubectl.namespace}:default" cannot delete resource '
        f'"pods" in API group "" in the namespace "{kubectl.namespace}"'
    )
    # A bound token ends with its pod.
    kubectl("delete", "pod", "p")
    assert harness.until(lambda: harness.ask(cluster, "GET", pods, token=token).code == 401)


def test_cordon_drain(kubectl: harness.Kubectl) -> None:
    node = kubectl.path(".items[0].metadata.name", "get", "nodes")
    kubectl.apply(objects.deployment("web", replicas=2))
    kubectl("rollout", "status", "deployment/web", "--timeout=30s")
    try:
        assert f"node/{node} drained" in kubectl(
            "drain", node, "--ignore-daemonsets", "--force", "--delete-emptydir-data", "--timeout=45s",
            "--pod-selector=app=web",
        )  # fmt: skip
        assert "SchedulingDisabled" in kubectl("get", "node", node)
        pods = harness.until(lambda: kubectl.json("get", "pods", "--field-selector=status.phase=Pending")["items"])
        described = harness.until(lambda: kubectl("describe", "pod", pods[0]["metadata"]["name"]))
        assert "node(s) were unschedulable" in described
    finally:
        kubectl("uncordon", node)
    kubectl("rollout", "status", "deployment/web", "--timeout=30s")
    assert json.loads(kubectl("get", "deploy", "web", "-o", "json"))["status"]["availableReplicas"] == 2


def test_pods_find_services_by_name(kubectl: harness.Kubectl) -> None:
    script = "mkdir /www; echo found > /www/index.html; httpd -f -p 8080 -h /www"
    kubectl.apply(objects.pod("web", objects.container(script=script)), objects.pod("asks"))
    kubectl("expose", "pod", "web", "--port=80", "--target-port=8080")
    kubectl("wait", "pod", "--all", "--for=condition=Ready", "--timeout=30s")
    fetch = ("exec", "asks", "--", "wget", "-q", "-O", "-", "http://web")
    assert harness.until(lambda: kubectl.result(*fetch).out) == "found\n"
    found = kubectl("exec", "asks", "--", "nslookup", "kubernetes.default.svc.cluster.local")
    assert "Server:\t\t10.96.0.10" in found
    assert "Address: 10.96.0.1\n" in found
    nobody = kubectl.result("exec", "asks", "--", "nslookup", "nobody.default.svc.cluster.local")
    assert (nobody.code, "NXDOMAIN" in nobody.out) == (1, True)
