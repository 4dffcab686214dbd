"""What components serve besides their work, and to whom."""

from __future__ import annotations

import asyncio
import json
import pathlib
import socket
import ssl
from collections.abc import AsyncIterator
from typing import Any

import pytest

from pybernetes.api import errors
from pybernetes.api.types import rbac_v1
from pybernetes.apiserver import request as requests
from pybernetes.cluster import pki, processes
from pybernetes.cluster.hyperkube import flags as flags_
from pybernetes.cluster.hyperkube import ports
from pybernetes.cluster.hyperkube.kube_scheduler import command
from pybernetes.cluster.hyperkube.ports import access
from pybernetes.kits.clock import SystemClock, VirtualClock
from tests.fakes import apiserver as fakes
from tests.fakes import scrape


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def given(*words: str) -> dict[str, Any]:
    return flags_.parse(command.TABLE, ["--bind-address=127.0.0.1", *words])


async def ask(
    port: int, path: str, tls: ssl.SSLContext | None = None, *, method: str = "GET", token: str = ""
) -> tuple[int, bytes]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls)
    who = f"Authorization: Bearer {token}\r\n" if token else ""
    writer.write(f"{method} {path} HTTP/1.1\r\nHost: x\r\n{who}Connection: close\r\n\r\n".encode())
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    return int(head.split(b" ")[1]), body


@pytest.fixture
async def plain() -> AsyncIterator[tuple[ports.Shown, int]]:
    """A port of old, where nobody is asked who he is."""
    shown, port = ports.Shown("kube-scheduler", readyz=True), free_port()
    running = ports.Port(shown, given("--secure-port=0", f"--port={port}"), SystemClock())
    await running.start()
    yield shown, port
    await running.close()


class TestPort:
    async def test_health(self, plain: tuple[ports.Shown, int]) -> None:
        shown, port = plain
        assert await ask(port, "/healthz") == (200, b"ok")
        shown.checks["/readyz"]["sched-handler-sync"] = lambda: "not yet"
        code, body = await ask(port, "/readyz?verbose")
        assert code == 500
        assert b"[+]ping ok\n[-]sched-handler-sync failed: reason withheld\n" in body
        assert (await ask(port, "/livez"))[0] == 200
        assert (await ask(port, "/healthz/ping"))[0] == 200
        assert (await ask(port, "/healthz/none"))[0] == 404

    async def test_metrics(self, plain: tuple[ports.Shown, int]) -> None:
        shown, port = plain
        shown.leads = True
        shown.answered["200", "GET", "1.2.3.4:6443"] += 3
        found = scrape.parse((await ask(port, "/metrics"))[1].decode())
        assert found["leader_election_master_status", (("name", "kube-scheduler"),)] == 1
        labels = (("code", "200"), ("host", "1.2.3.4:6443"), ("method", "GET"))
        assert found["rest_client_requests_total", labels] == 3
        assert found["process_start_time_seconds", ()] > 0

    async def test_the_rest(self, plain: tuple[ports.Shown, int]) -> None:
        shown, port = plain
        shown.config = lambda: {"componentconfig": {"kind": "KubeSchedulerConfiguration"}}
        assert json.loads((await ask(port, "/configz"))[1]) == shown.config()
        assert "/metrics" in json.loads((await ask(port, "/"))[1])["paths"]
        assert (await ask(port, "/debug/pprof/goroutine"))[0] == 200
        assert (await ask(port, "/none"))[0] == 404
        assert (await ask(port, "/metrics", method="DELETE"))[0] == 405

    async def test_https_with_a_certificate_that_is_made(self, tmp_path: pathlib.Path) -> None:
        port = free_port()
        running = ports.Port(
            ports.Shown("kube-scheduler"), given(f"--secure-port={port}", f"--cert-dir={tmp_path}"), SystemClock()
        )
        await running.start()
        try:
            tls = ssl.create_default_context(cafile=str(tmp_path / "ca.crt"))
            assert await ask(port, "/healthz", tls) == (200, b"ok")
            code, body = await ask(port, "/metrics", tls)
            assert code == 403
            message = 'forbidden: User "system:anonymous" cannot get path "/metrics"'
            assert json.loads(body)["message"] == message
        finally:
            await running.close()

    async def test_superusers_by_certificate(self, tmp_path: pathlib.Path) -> None:
        port, made = free_port(), pki.Pki(tmp_path, SystemClock())
        root = made.client("root", user="root", groups=["system:masters"])
        words = (f"--secure-port={port}", f"--cert-dir={tmp_path}", f"--client-ca-file={made.ca}")
        running = ports.Port(ports.Shown("kube-scheduler"), given(*words), SystemClock())
        await running.start()
        try:
            tls = ssl.create_default_context(cafile=str(made.ca))
            tls.load_cert_chain(root.certificate, root.key)
            assert (await ask(port, "/metrics", tls))[0] == 200
        finally:
            await running.close()

    async def test_a_port_that_is_taken(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            running = ports.Port(ports.Shown("kube-scheduler"), given(f"--secure-port={port}"), SystemClock())
            with pytest.raises(processes.CannotStart, match=f"failed to listen on 127.0.0.1:{port}: Address already"):
                await running.start()

    async def test_files_that_are_none(self, tmp_path: pathlib.Path) -> None:
        (tmp_path / "x").write_text("nothing")
        words = (f"--tls-cert-file={tmp_path}/x", f"--tls-private-key-file={tmp_path}/x")
        running = ports.Port(ports.Shown("s"), given(f"--secure-port={free_port()}", *words), SystemClock())
        with pytest.raises(processes.CannotStart, match=f"no TLS with {tmp_path}/x"):
            await running.start()


class TestAccess:
    """The API server decides, once in ten seconds."""

    @pytest.fixture
    async def server(self) -> AsyncIterator[fakes.FakeServer]:
        async with fakes.FakeServer() as running:
            rules = [rbac_v1.PolicyRule(verbs=["get"], nonResourceURLs=["/metrics"])]
            role = rbac_v1.ClusterRole(rules=rules)
            role.metadata.name = "scraper"
            await running.client.create(role)
            binding = rbac_v1.ClusterRoleBinding(
                roleRef=rbac_v1.RoleRef(apiGroup="rbac.authorization.k8s.io", kind="ClusterRole", name="scraper"),
                subjects=[rbac_v1.Subject(kind="User", apiGroup="rbac.authorization.k8s.io", name="alice")],
            )
            binding.metadata.name = "scraper"
            await running.client.create(binding)
            yield running

    @pytest.mark.parametrize(
        ("path", "token", "code"),
        [
            ("/metrics", "alice", 200),
            ("/configz", "alice", 403),
            ("/configz", "admin", 200),
            ("/metrics", "", 403),
            ("/healthz", "", 200),
            ("/healthz/ping", "", 403),
            ("/healthz", "nobody's", 401),
        ],
    )
    async def test_who_may(self, server: fakes.FakeServer, path: str, token: str, code: int) -> None:
        gate = access.Access(given(), authentication=server.client, authorization=server.client, clock=VirtualClock())
        assert await asked(gate, path, token) == code

    async def test_it_is_asked_over_the_network(self, server: fakes.FakeServer, tmp_path: pathlib.Path) -> None:
        await server.wire()
        kubeconfig = tmp_path / "config"
        kubeconfig.write_text(
            "apiVersion: v1\nkind: Config\ncurrent-context: x\n"
            f"clusters: [{{name: c, cluster: {{server: 'http://127.0.0.1:{server.port}'}}}}]\n"
            "users: [{name: u, user: {token: admin}}]\ncontexts: [{name: x, context: {cluster: c, user: u}}]\n"
        )
        port = free_port()
        words = [f"--{one}-kubeconfig={kubeconfig}" for one in ("authentication", "authorization")]
        shown = ports.Shown("kube-scheduler")
        running = ports.Port(shown, given(f"--secure-port={port}", f"--cert-dir={tmp_path}", *words), SystemClock())
        await running.start()
        try:
            tls = ssl.create_default_context(cafile=str(tmp_path / "ca.crt"))
            assert (await ask(port, "/metrics", tls, token="alice"))[0] == 200
            assert (await ask(port, "/configz", tls, token="alice"))[0] == 403
            assert (await ask(port, "/configz", tls, token="bob"))[0] == 401
            assert sum(shown.answered.values()) == 4
        finally:
            await running.close()

    async def test_paths_for_everybody(self) -> None:
        words = given("--authorization-always-allow-paths=/metrics,/debug/*")
        gate = access.Access(words, authentication=None, authorization=None, clock=VirtualClock())
        found = [await asked(gate, path, "any") for path in ("/metrics", "/metrics/x", "/debug/pprof/", "/healthz")]
        assert found == [200, 403, 200, 403]


async def asked(gate: access.Access, path: str, token: str) -> int:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    request = requests.Request(method="GET", path=path, headers=headers)
    request.attributes = requests.parse("GET", path, False)
    try:
        await gate.check(request)
    except errors.StatusError as error:
        return error.code
    return 200
