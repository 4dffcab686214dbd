"""The HTTPS transport and kubeconfigs, against a real server over TLS."""

from __future__ import annotations

import asyncio
import pathlib
import socket
import stat
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import yaml

from pybernetes import client as clients
from pybernetes.api import codecs, errors
from pybernetes.api.types import core_v1
from pybernetes.apiserver.http import listener
from pybernetes.client import https, kubeconfig
from pybernetes.cluster import pki
from pybernetes.kits.clock import SystemClock
from tests.fakes import apiserver as fakes


class Served:
    """A server with TLS, and a client made from a kubeconfig file."""

    def __init__(self, server: fakes.FakeServer, client: clients.Client, path: pathlib.Path, port: int) -> None:
        self.server, self.client, self.path, self.port = server, client, path, port


@pytest.fixture
async def served(tmp_path: pathlib.Path) -> AsyncIterator[Served]:
    authority = pki.Pki(tmp_path / "pki", SystemClock())
    serving = authority.server("apiserver", {"127.0.0.1", "localhost"})
    admin = authority.client("admin", user="admin", groups=("system:masters",))
    async with fakes.FakeServer() as server:
        sock = socket.create_server(("127.0.0.1", 0))
        port = sock.getsockname()[1]
        context = listener.server_context(
            certificate=str(serving.certificate), key=str(serving.key), client_ca=(str(authority.ca),)
        )
        await server.api.listen(sock, context)
        path = tmp_path / "kubeconfig"
        config = kubeconfig.build(
            server=f"https://127.0.0.1:{port}",
            ca=authority.ca.read_bytes(),
            certificate=admin.certificate.read_bytes(),
            key=admin.key.read_bytes(),
        )
        kubeconfig.write(path, config)
        client = kubeconfig.client(path, user_agent="tester/1")
        yield Served(server, client, path, port)
        await client.close()


async def test_verbs(served: Served) -> None:
    client = served.client
    made = await client.create(fakes.config_map("a", k="v"))
    assert (await client.get(core_v1.ConfigMap, "a", "default")).data == {"k": "v"}
    changed = codecs.copy(made)
    changed.data = {"k": "w"}
    updated = await client.update(changed)
    assert updated.metadata.managedFields[0].manager == "tester/1"
    patched = await client.patch(core_v1.ConfigMap, "a", "default", {"data": {"x": "y"}})
    assert patched.data == {"k": "w", "x": "y"}
    applied = await client.patch(
        core_v1.ConfigMap, "a", "default", {"data": {"x": "z"}}, kind=clients.APPLY_PATCH, force=True
    )
    assert applied.data["x"] == "z"
    await client.create(fakes.config_map("b"))
    listing = await client.list(core_v1.ConfigMap, "default", limit=1)
    assert [item.metadata.name for item in listing.items] == ["a"]
    rest = await client.list(core_v1.ConfigMap, "default", limit=1, continue_token=listing.continue_token)
    assert ([item.metadata.name for item in rest.items], rest.revision) == (["b"], listing.revision)
    await client.delete(core_v1.ConfigMap, "a", "default")
    await client.delete_collection(core_v1.ConfigMap, "default")
    assert (await client.list(core_v1.ConfigMap, "default")).items == []
    assert (await client.raw("/version"))["minor"] == "36"
    assert await client.raw("/healthz") == "ok"


async def test_metadata_only(served: Served) -> None:
    await served.client.create(fakes.config_map("a", k="v"))
    resource = clients.resource_of(core_v1.ConfigMap).metadata_only()
    (found,) = (await served.client.list(resource, "default")).items
    assert (found.kind, found.metadata.name) == ("PartialObjectMetadata", "a")


async def test_errors_carry_the_servers_status(served: Served) -> None:
    with pytest.raises(errors.StatusError) as caught:
        await served.client.get(core_v1.ConfigMap, "missing", "default")
    assert (caught.value.code, caught.value.reason) == (404, "NotFound")
    assert str(caught.value) == 'configmaps "missing" not found'
    with pytest.raises(errors.StatusError) as caught:
        async with served.client.watch(core_v1.ConfigMap, revision="x"):
            pass
    assert caught.value.reason == "BadRequest"


async def test_watches(served: Served) -> None:
    async with served.client.watch(core_v1.ConfigMap, "default", initial_events=True) as stream:
        (mark,) = await stream.next()
        assert mark.type == "BOOKMARK"
        assert mark.object.metadata.annotations == {"k8s.io/initial-events-end": "true"}
        made = await served.client.create(fakes.config_map("a"))
        (event,) = await stream.next()
        assert (event.type, event.object.metadata.uid) == ("ADDED", made.metadata.uid)


async def test_a_watch_that_the_server_ends(served: Served) -> None:
    async with served.client.watch(core_v1.ConfigMap, "default", revision="1", timeout=5) as stream:
        await served.server.clock.advance(6)
        assert await stream.next() == []


async def test_nobody_there(tmp_path: pathlib.Path) -> None:
    transport = https.HttpsTransport("http://127.0.0.1:1")
    client = clients.Client(transport)
    with pytest.raises(ConnectionError, match=r"http://127.0.0.1:1: "):
        await client.raw("/version")
    with pytest.raises(ConnectionError):
        async with client.watch(core_v1.Pod):
            pass
    await client.close()


Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def _against(answer: bytes, use: Callable[[clients.Client], Awaitable[None]]) -> None:
    """Run against a server that sends this and hangs up."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    client = clients.Client(https.HttpsTransport(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"))
    try:
        await use(client)
    finally:
        await client.close()
        server.close()
        await server.wait_closed()


async def test_a_watch_that_is_cut() -> None:
    async def use(client: clients.Client) -> None:
        async with client.watch(core_v1.Pod) as stream:
            (event,) = await stream.next()
            assert event.type == "ADDED"
            with pytest.raises(ConnectionError):
                await stream.next()

    line = b'{"type":"ADDED","object":{"metadata":{"name":"a"}}}\n'
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    await _against(head + b"%x\r\n%b\r\n" % (len(line), line), use)


async def test_an_error_within_a_watch() -> None:
    async def use(client: clients.Client) -> None:
        async with client.watch(core_v1.Pod) as stream:
            with pytest.raises(errors.StatusError) as caught:
                await stream.next()
            assert (caught.value.code, caught.value.reason) == (410, "Expired")

    body = b'{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired","message":"old"}}\n'
    await _against(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body), use)


@pytest.mark.parametrize("body", [b"oops", b"{}", b'{"kind":"Status"}', b"\xff", b""])
async def test_answers_without_a_status(body: bytes) -> None:
    async def use(client: clients.Client) -> None:
        with pytest.raises(errors.StatusError) as caught:
            await client.raw("/version")
        assert caught.value.code == 502
        assert str(caught.value)

    await _against(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body), use)


async def test_lists_that_are_null() -> None:
    async def use(client: clients.Client) -> None:
        assert (await client.list(core_v1.Pod)).items == []

    body = b'{"metadata":{"resourceVersion":"5"},"items":null}'
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
    await _against(head + body, use)


class TestKubeconfig:
    def config(self, name: str = "one", user: str = "admin") -> dict[str, Any]:
        return kubeconfig.build(server="https://x", ca=b"ca", cluster=name, user=user, certificate=b"crt", key=b"key")

    def test_is_for_its_owner_alone(self, tmp_path: pathlib.Path) -> None:
        path = tmp_path / "deep" / "config"
        kubeconfig.write(path, self.config())
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert kubeconfig.read(path) == self.config()
        assert [p.name for p in path.parent.iterdir()] == ["config"]

    def test_a_link_stays_one(self, tmp_path: pathlib.Path) -> None:
        target, link = tmp_path / "target", tmp_path / "link"
        target.write_text("")
        link.symlink_to(target)
        kubeconfig.write(link, self.config())
        assert link.is_symlink()
        assert kubeconfig.read(target) == self.config()

    def test_merging_and_taking_out(self) -> None:
        both = kubeconfig.merged(self.config("one"), self.config("two"))
        assert [entry["name"] for entry in both["clusters"]] == ["one", "two"]
        assert both["current-context"] == "two"
        again = kubeconfig.merged(both, self.config("two"))
        assert again == both
        left = kubeconfig.without(both, self.config("two"))
        assert [entry["name"] for entry in left["users"]] == ["one-admin"]
        assert left["current-context"] == ""
        assert kubeconfig.without(both, self.config("one"))["current-context"] == "two"

    def test_other_settings_are_kept(self) -> None:
        merged = kubeconfig.merged({"preferences": {"colors": True}, "clusters": None}, self.config())
        assert merged["preferences"] == {"colors": True}
        assert len(merged["clusters"]) == 1

    def test_none_and_an_empty_one(self, tmp_path: pathlib.Path) -> None:
        assert kubeconfig.read(tmp_path / "none")["clusters"] == []
        (tmp_path / "empty").write_text("")
        assert kubeconfig.read(tmp_path / "empty")["contexts"] == []

    @pytest.mark.parametrize("text", ["a: [", "- 1", "just text"])
    def test_what_is_none(self, tmp_path: pathlib.Path, text: str) -> None:
        (tmp_path / "bad").write_text(text)
        with pytest.raises(kubeconfig.KubeconfigError, match="bad is not"):
            kubeconfig.read(tmp_path / "bad")

    @pytest.mark.parametrize(
        "change",
        [
            {"current-context": "nope"},
            {"clusters": []},
            {"clusters": [{"name": "one", "cluster": {}}]},
            {"users": None},
            {"contexts": [{"name": "one"}]},
        ],
    )
    def test_incomplete_ones(self, tmp_path: pathlib.Path, change: dict[str, Any]) -> None:
        path = tmp_path / "config"
        path.write_text(yaml.safe_dump({**self.config(), **change}))
        with pytest.raises(kubeconfig.KubeconfigError):
            kubeconfig.client(path)

    def test_a_wrong_certificate(self, tmp_path: pathlib.Path) -> None:
        path = tmp_path / "config"
        kubeconfig.write(path, self.config())
        with pytest.raises(kubeconfig.KubeconfigError):
            kubeconfig.client(path)
