"""`hyperkube kube-apiserver` by itself, on files and on a real etcd, with the stock kubectl."""

from __future__ import annotations

import asyncio
import contextlib
import json
import pathlib
import signal
import subprocess
from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.e2e import harness, objects
from tests.fakes import etcd as fakes

HYPERKUBE = harness.PYBERNETES.with_name("hyperkube")
ACCESS = ("--authorization-mode=Node,RBAC", "--bind-address=127.0.0.1")


class Server:
    """One API server; alice may do everything, bob nothing."""

    def __init__(self, data: pathlib.Path, *flags: str) -> None:
        self.data, self.port = data, harness.free_port()
        data.mkdir()
        tokens = data / "tokens.csv"
        tokens.write_text(harness.TOKENS)
        self._words = [
            str(HYPERKUBE), "kube-apiserver", f"--data-dir={data}", f"--secure-port={self.port}",
            "--token-auth-file", str(tokens), *ACCESS, *flags,
        ]  # fmt: skip
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self.data / "log").open("ab") as log:
            self._process = subprocess.Popen(self._words, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        harness.until(lambda: self.kubectl().result("get", "--raw", "/readyz").out == "ok")

    def stop(self) -> int:
        """Its exit status after SIGTERM."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(20)

    def kubectl(self, user: str = "alice") -> harness.Kubectl:
        """As a kubeconfig of that user's token."""
        file = self.data / f"kubeconfig-{user}"
        cluster = {"server": f"https://127.0.0.1:{self.port}", "certificate-authority": f"{self.data}/pki/ca.crt"}
        config = {
            "apiVersion": "v1", "kind": "Config", "current-context": "c",
            "clusters": [{"name": "c", "cluster": cluster}],
            "users": [{"name": "u", "user": {"token": f"{user}-token"}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u", "namespace": "default"}}],
        }  # fmt: skip
        file.write_text(json.dumps(config))
        return harness.Kubectl(file)

    def __enter__(self) -> Server:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None and self._process.poll() is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.stop()
            self._process.kill()
            self._process.wait()


@pytest.fixture
def etcd(tmp_path: pathlib.Path) -> Iterator[fakes.Etcd]:
    member = fakes.Etcd(tmp_path / "etcd")
    member.start()
    try:
        asyncio.run(member.ready())
        yield member
    finally:
        member.kill()


def _elliptic_key() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def test_on_files(tmp_path: pathlib.Path) -> None:
    server = Server(tmp_path / "data", "--runtime-config=apps/v1beta1=true", "--disable-admission-plugins=Priority")
    with server:
        kubectl = server.kubectl()
        kubectl.apply(objects.config_map("kept", a="b"))
        assert "apps/v1beta1" in kubectl("api-versions").split()
        assert 'User "bob" cannot list resource "configmaps"' in server.kubectl("bob")("get", "configmaps", code=1)
        assert "Unauthorized" in server.kubectl("eve").result("get", "--raw", "/api/v1/namespaces").err
        kubectl("create", "serviceaccount", "robot")
        assert kubectl("create", "token", "robot").count(".") == 2
        assert server.stop() == 0
        server.start()
        assert kubectl.path(".data.a", "get", "configmap", "kept") == "b"
    refused = harness.run(HYPERKUBE, "kube-apiserver", "--etcd-servers=http://x", "--store=sqlite", "--no-such=1")
    assert refused.code == 2
    assert "unknown flag: --no-such" in refused.err


def test_on_etcd(tmp_path: pathlib.Path, etcd: fakes.Etcd) -> None:
    """Two servers on one etcd are one; etcdctl finds what they keep, and both its snapshots and ours hold it."""
    flags = (
        f"--etcd-servers={etcd.url}",
        f"--service-account-signing-key-file={tmp_path}/sa.key",
        f"--service-account-key-file={tmp_path}/sa.key",
    )
    (tmp_path / "sa.key").write_bytes(_elliptic_key())
    etcdctl = fakes.binary("etcdctl")
    with Server(tmp_path / "one", *flags) as one, Server(tmp_path / "two", *flags) as two:
        first, second = one.kubectl(), two.kubectl()
        first.apply(objects.config_map("shared", a="b"))
        assert second.path(".data.a", "get", "configmap", "shared") == "b"
        second("label", "configmap", "shared", "seen=yes")
        assert first.path(".metadata.labels.seen", "get", "configmap", "shared") == "yes"
        first("create", "serviceaccount", "robot")
        token = first("create", "token", "robot").strip()
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}}
        done = json.loads(second("create", "-f", "-", "-o", "json", stdin=json.dumps(review)))
        assert done["status"]["user"]["username"] == "system:serviceaccount:default:robot"

        key = "/registry/configmaps/default/shared"
        kept = harness.run(etcdctl, "--endpoints", etcd.url, "get", key, "--print-value-only", ETCDCTL_API="3")
        assert kept.json["data"] == {"a": "b"}

        file = tmp_path / "snapshot"
        where = ("--data-dir", tmp_path / "none", "--etcd-servers", etcd.url)
        saved = harness.run(harness.PYBERNETES, "snapshot", "save", *where, file)
        assert saved.code == 0, saved.err
        status = harness.run(etcdctl, "snapshot", "status", file, "-w", "json", ETCDCTL_API="3").json
        assert status["totalKey"] > 100
        assert first("get", "--raw", "/readyz") == "ok"
