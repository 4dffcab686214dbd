"""Certificates of clients, of servers in front, and what becomes of them when the authorities change."""

from __future__ import annotations

import json
import pathlib
import shutil
import socket
import ssl
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from pybernetes.apiserver.authn import frontproxy, settings, x509
from pybernetes.apiserver.http import following, listener
from pybernetes.cluster import pki
from pybernetes.kits import clock as clocks
from tests.fakes import apiserver as fakes

WHOAMI = "/apis/authentication.k8s.io/v1/selfsubjectreviews"


class Tls:
    """A server over TLS, the authority of its clients, and that of the servers in front of it."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.clients = pki.Pki(folder / "clients", clocks.SystemClock())
        self.fronts = pki.Pki(folder / "fronts", clocks.SystemClock())
        self.client_ca = folder / "client-ca.crt"
        shutil.copy(self.clients.ca, self.client_ca)
        self.port = 0

    async def listen(self, server: fakes.FakeServer) -> None:
        serving = self.clients.server("serving", {"127.0.0.1"})
        files = (str(serving.certificate), str(serving.key), str(self.client_ca), str(self.fronts.ca))

        def make() -> ssl.SSLContext:
            return listener.server_context(certificate=files[0], key=files[1], client_ca=files[2:])

        def changed() -> None:
            server.api.trust(self.client_ca.read_bytes(), self.fronts.ca.read_bytes())

        sock = socket.create_server(("127.0.0.1", 0))
        self.port = sock.getsockname()[1]
        await server.api.listen(sock, following.context(make, files, changed=changed))

    async def whoami(self, pair: pki.Pair | None, *headers: tuple[str, str]) -> Any:
        tls = ssl.create_default_context(cafile=str(self.clients.ca))
        if pair is not None:
            tls.load_cert_chain(pair.certificate, pair.key)
        async with (
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=tls)) as session,
            session.post(f"https://127.0.0.1:{self.port}{WHOAMI}", json={}, headers=headers) as response,
        ):
            body = json.loads(await response.read())
            return body["status"]["userInfo"] if response.status == 201 else response.status


@pytest.fixture
def tls(tmp_path: pathlib.Path) -> Tls:
    return Tls(tmp_path)


@pytest.fixture
async def server(tls: Tls) -> AsyncIterator[fakes.FakeServer]:
    proxy = frontproxy.Settings(ca=tls.fronts.ca.read_bytes(), allowed_names=("front",), uids=("X-Remote-Uid",))
    who = settings.Authentication(client_ca=tls.clients.ca.read_bytes(), proxy=proxy)
    async with fakes.FakeServer(authentication=who) as running:
        await tls.listen(running)
        yield running


async def test_clients(server: fakes.FakeServer, tls: Tls) -> None:
    jane = tls.clients.client("jane", user="jane", groups=("dev", "ops"))
    info = await tls.whoami(jane, ("X-Remote-User", "admin"), ("X-Remote-Group", "system:masters"))
    assert (info["username"], info["groups"]) == ("jane", ["dev", "ops", "system:authenticated"])
    (credential,) = info["extra"]["authentication.kubernetes.io/credential-id"]
    assert credential.startswith("X509SHA256=")
    assert await tls.whoami(None) == 403


async def test_servers_in_front(server: fakes.FakeServer, tls: Tls) -> None:
    front = tls.fronts.client("front", user="front")
    info = await tls.whoami(
        front,
        ("X-Remote-User", "jane"),
        ("X-Remote-Uid", "7"),
        ("X-Remote-Group", "dev"),
        ("X-Remote-Group", "ops, more"),
        ("X-Remote-Extra-Example.com%2fA", "b"),
    )
    assert info == {
        "username": "jane",
        "uid": "7",
        "groups": ["dev", "ops, more", "system:authenticated"],
        "extra": {"example.com/a": ["b"]},
    }
    # Without a user it is nobody, as its certificate is no client's.
    assert await tls.whoami(front) == 401
    token = ("Authorization", "Bearer alice")
    assert (await tls.whoami(front, token))["username"] == "alice"


async def test_others_do_not_speak_for_anybody(server: fakes.FakeServer, tls: Tls) -> None:
    speaking = (("X-Remote-User", "admin"), ("X-Remote-Group", "system:masters"))
    other = tls.fronts.client("other", user="other")
    assert await tls.whoami(other, *speaking) == 401
    # The name alone does not do: it must be of the right authority.
    client = tls.clients.client("front-client", user="front")
    assert (await tls.whoami(client, *speaking))["username"] == "front"
    admin = tls.fronts.client("admin", user="admin", groups=("system:masters",))
    assert await tls.whoami(admin) == 401


async def test_authorities_are_replaced(server: fakes.FakeServer, tls: Tls, tmp_path: pathlib.Path) -> None:
    jane = tls.clients.client("jane", user="jane")
    other = pki.Pki(tmp_path / "other", clocks.SystemClock())
    bob = other.client("bob", user="bob")
    with pytest.raises((aiohttp.ClientError, OSError)):
        await tls.whoami(bob)
    tls.client_ca.write_bytes(other.ca.read_bytes())
    assert (await tls.whoami(bob))["username"] == "bob"
    with pytest.raises((aiohttp.ClientError, OSError)):
        await tls.whoami(jane)
    # What cannot be read changes nothing.
    tls.client_ca.write_text("nothing")
    assert (await tls.whoami(bob))["username"] == "bob"


class Resumed:
    """A TLS session that goes on."""

    session_reused = True

    def __init__(self, pair: pki.Pair) -> None:
        self._certificate = pair.certificate

    def getpeercert(self, binary_form: bool = False) -> Any:
        if binary_form:
            return ssl.PEM_cert_to_DER_cert(self._certificate.read_text())
        return {"subject": ((("commonName", "jane"),),)}


def test_sessions_do_not_outlive_their_authority(tls: Tls) -> None:
    peers = x509.Peers(tls.clients.ca.read_bytes())
    session: Any = Resumed(tls.clients.client("jane", user="jane"))
    user = peers.of(session).user
    assert user is not None
    assert user.name == "jane"
    peers.trust(tls.fronts.ca.read_bytes(), None)
    assert peers.of(session).user is x509.REFUSED
    peers.trust(tls.clients.ca.read_bytes(), None)
    assert peers.of(session).user == user


def test_subjects() -> None:
    def user(*subject: tuple[str, str]) -> Any:
        return x509.user({"subject": tuple((pair,) for pair in subject)}, b"der")

    assert user() is None
    assert user(("organizationName", "a")) is None
    assert user(("commonName", "a"), (x509.UID, "7")).uid == "7"
    # More than one uid, and an empty one, are none.
    assert user(("commonName", "a"), (x509.UID, "7"), (x509.UID, "8")) is None
    assert user(("commonName", "a"), (x509.UID, "")) is None
