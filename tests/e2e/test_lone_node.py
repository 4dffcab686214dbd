"""A master and a node made of `hyperkube`'s components, each started by hand, in a network namespace of their own."""

from __future__ import annotations

import contextlib
import json
import pathlib
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from pybernetes.cluster import containerd, pki
from pybernetes.kits import clock as clocks
from pybernetes.kubelet import cgroups
from tests.e2e import harness, objects

pytestmark = pytest.mark.containers

HYPERKUBE = harness.PYBERNETES.with_name("hyperkube")
ROOT = pathlib.Path(__file__).parents[2]
NAMESPACE, ADDRESS, NODE = "pyb-lone", "172.31.99.1", "slave1"
SERVER = f"https://{ADDRESS}:6443"
TOKENS = """\
alice-token,alice,7,"system:masters"
join-token,kubelet-bootstrap,9,"system:bootstrappers"
proxy-token,system:kube-proxy,10,"system:node-proxier"
"""
CONFIGURATION = f"""\
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: {ADDRESS}
authentication: {{x509: {{clientCAFile: FOLDER/pki/ca.crt}}}}
containerRuntimeEndpoint: unix://FOLDER/run/containerd.sock
clusterDNS: [10.96.0.10]
maxPods: 17
podLogsDir: FOLDER/pods
staticPodPath: /none
"""

# A program of its own, as it is run in the namespace.
GET = """\
import ssl, sys, urllib.error, urllib.request
try:
    opened = urllib.request.urlopen(sys.argv[1], timeout=2, context=ssl._create_unverified_context())
except urllib.error.HTTPError as error:
    opened = error
sys.stdout.write(opened.read().decode())
"""


class Machine:
    """Programs in one network namespace; what is still running at the end is ended, the last one first."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self._running: dict[str, subprocess.Popen[str]] = {}

    def words(self, *words: object) -> list[str]:
        return ["nsenter", f"--net=/run/netns/{NAMESPACE}", *map(str, words)]

    def start(self, name: str, *words: object, output: int | None = None) -> subprocess.Popen[str]:
        with self.log(name).open("a") as log:
            self._running[name] = made = subprocess.Popen(
                self.words(*words), stdin=subprocess.DEVNULL, stdout=output or log, stderr=log, text=True, cwd=ROOT
            )
        return made

    def hyperkube(self, name: str, *flags: str) -> None:
        self.start(name, HYPERKUBE, name, *flags)

    def stop(self, name: str) -> int:
        """Its exit status after SIGTERM."""
        ending = self._running.pop(name)
        ending.send_signal(signal.SIGTERM)
        return ending.wait(30)

    def log(self, name: str) -> pathlib.Path:
        return self.folder / f"{name}.log"

    def kubectl(self, *words: object, stdin: str | None = None) -> str:
        done = harness.run(*self.words(harness.KUBECTL, "--kubeconfig", self.config("alice"), *words), stdin=stdin)
        assert done.code == 0, done.out + done.err
        return done.out

    def get(self, url: str) -> str:
        """What a GET answers, whatever its status; empty where nobody answers."""
        return harness.run(*self.words(sys.executable, "-c", GET, url)).out

    def config(self, user: str) -> pathlib.Path:
        """A kubeconfig with that user's token."""
        file = self.folder / f"{user}.conf"
        cluster = {"server": SERVER, "certificate-authority": f"{self.folder}/pki/ca.crt"}
        config = {
            "apiVersion": "v1", "kind": "Config", "current-context": "c",
            "clusters": [{"name": "c", "cluster": cluster}],
            "users": [{"name": "u", "user": {"token": f"{user}-token"}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u", "namespace": "default"}}],
        }  # fmt: skip
        file.write_text(json.dumps(config))
        return file

    def close(self) -> None:
        for name in reversed(list(self._running)):
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.stop(name)


@pytest.fixture
def machine(tmp_path: pathlib.Path, busybox_archives: list[pathlib.Path]) -> Iterator[Machine]:
    made = Machine(tmp_path)
    harness.run("ip", "netns", "add", NAMESPACE)
    try:
        for words in ("link set lo up", "link add eth0 type veth peer name far0", f"addr add {ADDRESS}/24 dev eth0",
                      "link set eth0 up", "link set far0 up", "route add default dev eth0"):  # fmt: skip
            assert harness.run(*made.words("ip", *words.split())).code == 0
        _start_master(made)
        daemon = made.start(
            "containerd", sys.executable, "-m", "tests.fakes.lone_containerd", tmp_path, busybox_archives[0],
            output=subprocess.PIPE,
        )  # fmt: skip
        assert daemon.stdout is not None
        with daemon.stdout as told:
            assert told.readline() == "ready\n", made.log("containerd").read_text()
            yield made
            made.close()
    finally:
        made.close()
        # Its pods' volumes: the kubelet leaves them to the one that comes after it.
        for point in containerd.mounts_under(pathlib.Path("/proc/self/mountinfo").read_text(), [str(tmp_path)]):
            containerd.unmount(point)
        cgroups.remove("kubepods")
        harness.run("ip", "netns", "delete", NAMESPACE)


def _start_master(machine: Machine) -> None:
    folder = machine.folder
    authority = pki.Pki(folder / "pki", clocks.SystemClock())
    serving = authority.server("apiserver", [ADDRESS, "10.96.0.1"])
    towards = authority.client("kubelet-client", user="kube-apiserver-kubelet-client", groups=["system:masters"])
    authority.service_account_key()
    (folder / "tokens.csv").write_text(TOKENS)
    machine.hyperkube(
        "kube-apiserver",
        f"--data-dir={folder}/apiserver",
        f"--token-auth-file={folder}/tokens.csv",
        f"--advertise-address={ADDRESS}",
        "--service-cluster-ip-range=10.96.0.0/12",
        f"--tls-cert-file={serving.certificate}",
        f"--tls-private-key-file={serving.key}",
        f"--client-ca-file={authority.ca}",
        f"--kubelet-client-certificate={towards.certificate}",
        f"--kubelet-client-key={towards.key}",
        f"--service-account-signing-key-file={folder}/pki/sa.key",
        f"--service-account-key-file={folder}/pki/sa.key",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
    )
    machine.hyperkube(
        "kube-controller-manager",
        f"--kubeconfig={machine.config('alice')}",
        f"--cluster-signing-cert-file={authority.ca}",
        f"--cluster-signing-key-file={authority.ca_key}",
        f"--root-ca-file={authority.ca}",
        f"--service-account-private-key-file={folder}/pki/sa.key",
    )
    machine.hyperkube("kube-scheduler", f"--kubeconfig={machine.config('alice')}")
    harness.until(lambda: machine.kubectl("get", "--raw", "/readyz") == "ok")


def _start_kubelet(machine: Machine, *flags: str) -> None:
    folder = machine.folder
    (folder / "kubelet.yaml").write_text(CONFIGURATION.replace("FOLDER", str(folder)))
    machine.hyperkube(
        "kubelet",
        f"--config={folder}/kubelet.yaml",
        f"--bootstrap-kubeconfig={machine.config('join')}",
        f"--kubeconfig={folder}/kubelet.conf",
        f"--cert-dir={folder}/kubelet-pki",
        f"--root-dir={folder}/kubelet",
        f"--hostname-override={NODE}",
        "--node-labels=node.kubernetes.io/rack=7",
        "--max-pods=18",
        *flags,
    )


def _node(machine: Machine, path: str) -> str:
    return machine.kubectl("get", "node", NODE, "--ignore-not-found", "-o", "jsonpath={" + path + "}")


def _is_ready(machine: Machine) -> bool:
    return _node(machine, '.status.conditions[?(@.type=="Ready")].status') == "True"


def test_a_node_joins_runs_pods_and_serves(machine: Machine) -> None:
    for role, group in (("system:node-bootstrapper", "asks"), ("NODECLIENT", "is-approved")):
        role = role.replace("NODECLIENT", "system:certificates.k8s.io:certificatesigningrequests:nodeclient")
        machine.kubectl("create", "clusterrolebinding", group, f"--clusterrole={role}", "--group=system:bootstrappers")
    _start_kubelet(machine)
    harness.until(lambda: _is_ready(machine), seconds=30)
    assert machine.kubectl("get", "cs", "--no-headers").split() == [
        "scheduler", "Healthy", "ok", "etcd-0", "Healthy", "ok", "controller-manager", "Healthy", "ok",
    ]  # fmt: skip
    assert _node(machine, ".status.capacity.pods") == "18"
    assert _node(machine, r".metadata.labels.node\.kubernetes\.io/rack") == "7"
    assert "staticPodPath" in machine.log("kubelet").read_text()
    machine.hyperkube("kube-proxy", f"--kubeconfig={machine.config('proxy')}", f"--hostname-override={NODE}")
    harness.until(lambda: machine.kubectl("get", "serviceaccounts", "default", "-o", "name"))
    script = "echo hello from $HOSTNAME > /tmp/index.html; httpd -p 8080 -h /tmp; echo serving; " + objects.FOREVER
    web = objects.deployment("web", objects.container(script=script, ports=[{"containerPort": 8080}]))
    service = {
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
        "spec": {"selector": {"app": "web"}, "clusterIP": "10.96.7.7", "ports": [{"port": 80, "targetPort": 8080}]},
    }  # fmt: skip
    machine.kubectl("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": [web, service]}))
    machine.kubectl("rollout", "status", "deployment/web", "--timeout=40s")
    assert machine.kubectl("logs", "deployment/web") == "serving\n"
    assert "nameserver 10.96.0.10" in machine.kubectl("exec", "deployment/web", "--", "cat", "/etc/resolv.conf")

    def by_service() -> str:
        return machine.get("http://10.96.7.7/")

    harness.until(lambda: by_service().startswith("hello from web-"))
    answered = json.loads(machine.get("http://127.0.0.1:10256/healthz"))
    assert answered["nodeEligible"] is True
    assert machine.get("http://127.0.0.1:10249/proxyMode") == "nftables"
    assert machine.get("http://127.0.0.1:10248/healthz") == "ok"
    assert machine.get(f"https://{ADDRESS}:10250/pods") == "Unauthorized"

    # Programs end, pods and rules do not; started again, the kubelet knows its pods, and asks for nothing.
    running = ("get", "pods", "-o", "jsonpath={.items[0].status.containerStatuses[0].containerID}")
    started = machine.kubectl(*running)
    assert (machine.stop("kubelet"), machine.stop("kube-proxy")) == (0, 0)
    assert by_service().startswith("hello from web-")
    _start_kubelet(machine, "--v=2")
    harness.until(lambda: "hello" in machine.kubectl("exec", "deployment/web", "--", "cat", "/tmp/index.html"))
    assert machine.kubectl(*running) == started
    assert machine.kubectl("get", "csr", "-o", "name").count("\n") == 1
    machine.kubectl("delete", "deployment", "web", "--wait=false")
    harness.until(lambda: not machine.kubectl("get", "pods", "-o", "name"), seconds=40)
    assert harness.run(*machine.words(HYPERKUBE, "kube-proxy", "--cleanup")).code == 0
    assert "pybernetes" not in harness.run(*machine.words("nft", "list", "tables")).out
    assert machine.stop("kubelet") == 0


def test_a_node_that_others_register(machine: Machine) -> None:
    """As clusters of old: `nodes` from a List, without credentials of their own."""
    listed = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE}, "spec": {}}
    machine.hyperkube(
        "kubelet",
        f"--kubeconfig={machine.config('alice')}",
        f"--container-runtime-endpoint=unix://{machine.folder}/run/containerd.sock",
        f"--hostname-override={NODE}",
        f"--root-dir={machine.folder}/kubelet",
        f"--cert-dir={machine.folder}/kubelet-pki",
        f"--pod-logs-dir={machine.folder}/pods",
        "--address=127.0.0.1",
        "--register-node=false",
        "--allow-privileged=false",
        "--logtostderr=true",
    )
    harness.until(lambda: "cannot register node slave1 yet" in machine.log("kubelet").read_text())
    machine.kubectl("create", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": [listed]}))
    harness.until(lambda: _is_ready(machine), seconds=30)
    assert "everybody who reaches 127.0.0.1:10250" in machine.log("kubelet").read_text()
    assert machine.stop("kubelet") == 0
