"""The server behind the flags: it starts from files, answers, and says what is wrong with them."""

from __future__ import annotations

import asyncio
import pathlib
import socket
import ssl

import pytest

from pybernetes.cluster import pki, processes
from pybernetes.cluster.hyperkube import flags as flags_
from pybernetes.cluster.hyperkube.kube_apiserver import flags, options, process
from pybernetes.kits.chance import Chance
from pybernetes.kits.clock import SystemClock


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def made(tmp_path: pathlib.Path, *words: str) -> process.Process:
    own = ("--bind-address=127.0.0.1", f"--data-dir={tmp_path}", *words)
    chosen = options.read(flags_.parse(flags.TABLE, own), address=lambda: "127.0.0.1")
    return process.Process(chosen, clock=SystemClock(), chance=Chance(1))


async def ask(port: int, path: str, ca: pathlib.Path, token: str = "") -> bytes:
    tls = ssl.create_default_context(cafile=str(ca))
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls)
    who = f"Authorization: Bearer {token}\r\n" if token else ""
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n{who}Connection: close\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


async def test_it_serves_with_what_it_makes(tmp_path: pathlib.Path) -> None:
    port = free_port()
    tokens = tmp_path / "tokens"
    tokens.write_text("t,alice,1\n")
    running = made(tmp_path, f"--secure-port={port}", f"--token-auth-file={tokens}")
    await running.start()
    try:
        ca = tmp_path / "pki" / "ca.crt"
        assert b" 200 OK" in await ask(port, "/api/v1/namespaces/default", ca, "t")
        assert b" 401 " in await ask(port, "/api/v1/namespaces/default", ca)
        assert (tmp_path / "store.db").exists()
    finally:
        await running.close()


async def test_it_makes_nothing_where_all_is_given(tmp_path: pathlib.Path) -> None:
    given = pki.Pki(tmp_path / "given", SystemClock())
    pair = given.server("apiserver", ["127.0.0.1"])
    given.service_account_key()
    client = given.client("kubelet-client", user="x")
    port = free_port()
    running = made(
        tmp_path,
        f"--secure-port={port}",
        "--store=memory",
        f"--tls-cert-file={pair.certificate}",
        f"--tls-private-key-file={pair.key}",
        f"--client-ca-file={given.ca}",
        f"--service-account-signing-key-file={tmp_path}/given/sa.key",
        f"--service-account-key-file={tmp_path}/given/sa.key",
        f"--kubelet-certificate-authority={given.ca}",
        f"--kubelet-client-certificate={client.certificate}",
        f"--kubelet-client-key={client.key}",
        "--authorization-mode=RBAC",
    )
    await running.start()
    try:
        assert b" 200 OK" in await ask(port, "/readyz", given.ca)
        assert b" 403 " in await ask(port, "/api/v1/pods", given.ca)
    finally:
        await running.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["given"]


async def test_what_is_wrong_is_said(tmp_path: pathlib.Path) -> None:
    bad = tmp_path / "bad"
    bad.write_text("nonsense")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refusals = {
            f"--secure-port={port}": f"failed to listen on 127.0.0.1:{port}: Address already in use",
            f"--token-auth-file={bad}": f"{bad}:1: a line is token,user,uid",
            f"--service-account-key-file={bad}": f"--service-account-key-file: {bad}: data does not contain any valid",
            f"--service-account-signing-key-file={bad}": f"--service-account-signing-key-file: {bad}: no unencrypted",
            f"--client-ca-file={bad}": "no TLS with ",
        }
        for word, why in refusals.items():
            running = made(tmp_path, "--store=memory", word)
            with pytest.raises(processes.CannotStart) as caught:
                await running.start()
            assert str(caught.value).startswith(why)
            await running.close()


async def test_files_that_configure_it(tmp_path: pathlib.Path) -> None:
    port, plain = free_port(), free_port()
    (tmp_path / "audit.yaml").write_text("apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: Metadata}]\n")
    (tmp_path / "seal.yaml").write_text(
        "apiVersion: apiserver.config.k8s.io/v1\nkind: EncryptionConfiguration\nresources:\n"
        "- resources: [secrets]\n  providers: [{secretbox: {keys: [{name: a, secret: "
        "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=}]}}]\n"
    )
    (tmp_path / "admission.yaml").write_text(
        "apiVersion: apiserver.config.k8s.io/v1\nkind: AdmissionConfiguration\nplugins: []\n"
    )
    running = made(
        tmp_path,
        f"--secure-port={port}",
        f"--insecure-port={plain}",
        f"--audit-policy-file={tmp_path}/audit.yaml",
        f"--audit-log-path={tmp_path}/audit.log",
        f"--encryption-provider-config={tmp_path}/seal.yaml",
        f"--admission-control-config-file={tmp_path}/admission.yaml",
        "--enable-priority-and-fairness=false",
        "--authorization-mode=RBAC",
    )
    await running.start()
    try:
        assert b" 403 " in await ask(port, "/api/v1/secrets", tmp_path / "pki" / "ca.crt")
        reader, writer = await asyncio.open_connection("127.0.0.1", plain)
        body = b'{"metadata":{"name":"s"},"stringData":{"a":"hidden"}}'
        writer.write(
            b"POST /api/v1/namespaces/default/secrets HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
            b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
        )
        assert b" 201 Created" in await reader.read()
        writer.close()
        await writer.wait_closed()
    finally:
        await running.close()
    assert b"aGlkZGVu" not in (tmp_path / "store.db").read_bytes()
    noted = (tmp_path / "audit.log").read_text()
    assert '"username":"system:unsecured"' in noted
    assert '"code":403' in noted


@pytest.mark.parametrize(
    ("flag", "words"),
    [
        ("audit-policy-file", "failed decoding"),
        ("encryption-provider-config", "error decoding encryption provider"),
        ("admission-control-config-file", "file"),
    ],
)
async def test_files_that_are_no_good(tmp_path: pathlib.Path, flag: str, words: str) -> None:
    (tmp_path / "file").write_text("a: [")
    running = made(tmp_path, f"--secure-port={free_port()}", f"--{flag}={tmp_path}/file", "--audit-log-path=-")
    with pytest.raises(processes.CannotStart, match=words):
        await running.start()
    await running.close()
