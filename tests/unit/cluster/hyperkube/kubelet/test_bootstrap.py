"""How a kubelet comes by a certificate."""

from __future__ import annotations

import asyncio
import base64
import json
import pathlib

import pytest
from cryptography import x509

from pybernetes.api import codecs
from pybernetes.api.types import certificates_v1
from pybernetes.client import kubeconfig
from pybernetes.cluster.hyperkube.kubelet import bootstrap
from pybernetes.kits import clock as clocks
from tests.fakes import api

REQUEST = certificates_v1.CertificateSigningRequest
CLUSTER = {"server": "https://10.0.0.1:6443", "certificate-authority-data": "Q0E="}


class World:
    """A kubelet of node n1 that asks; `answer` decides about its request."""

    def __init__(self, folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clock = clocks.VirtualClock()
        self.fake = api.FakeApi(clock=self.clock)
        self.folder = folder
        self.ask_with = folder / "bootstrap.conf"
        self.ask_with.write_text(
            json.dumps(
                {
                    "current-context": "x",
                    "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
                    "clusters": [{"name": "c", "cluster": CLUSTER}],
                    "users": [{"name": "u", "user": {"token": "t"}}],
                }
            )
        )
        monkeypatch.setattr(kubeconfig, "client", lambda path, **_: self.fake.client())

    async def run(self) -> None:
        await bootstrap.run(
            ask_with=self.ask_with,
            write_to=self.folder / "kubelet.conf",
            folder=self.folder / "pki",
            node="n1",
            agent="kubelet",
            clock=self.clock,
        )

    def request(self) -> certificates_v1.CertificateSigningRequest:
        (found,) = self.fake.all(REQUEST)
        return found

    async def decide(self, kind: str, certificate: bytes = b"") -> None:
        fresh = codecs.copy(self.request())
        fresh.status.conditions = [
            certificates_v1.CertificateSigningRequestCondition(type=kind, status="True", reason="R", message="why")
        ]
        fresh.status.certificate = base64.b64encode(certificate).decode()
        await self.fake.client().update_status(fresh)


@pytest.fixture
def world(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(tmp_path, monkeypatch)


async def test_a_certificate_makes_a_kubeconfig(world: World) -> None:
    asking = asyncio.create_task(world.run())
    await clocks.settle()
    spec = world.request().spec
    assert (spec.signerName, spec.usages) == (bootstrap.SIGNER, ["digital signature", "client auth"])
    asked = x509.load_pem_x509_csr(base64.b64decode(spec.request))
    assert asked.subject.rfc4514_string() == "CN=system:node:n1,O=system:nodes"
    await world.decide("Approved")
    await clocks.settle()
    assert not asking.done()
    await world.decide("Approved", b"CERTIFICATE\n")
    await asking
    config = kubeconfig.read(world.folder / "kubelet.conf")
    assert config["clusters"][0]["cluster"] == CLUSTER
    pair = pathlib.Path(config["users"][0]["user"]["client-certificate"])
    assert pair.read_bytes().startswith(b"CERTIFICATE\n-----BEGIN PRIVATE KEY-----")
    assert pair.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in pair.parent.iterdir()] == [bootstrap.CURRENT]


async def test_one_that_was_started_again_waits_for_the_same_request(world: World) -> None:
    first = asyncio.create_task(world.run())
    await clocks.settle()
    name = world.request().metadata.name
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    second = asyncio.create_task(world.run())
    await clocks.settle()
    assert world.request().metadata.name == name
    await world.decide("Approved", b"CERTIFICATE\n")
    await second
    assert (world.folder / "kubelet.conf").exists()


@pytest.mark.parametrize(("kind", "came"), [("Denied", "is denied"), ("Failed", "failed")])
async def test_who_is_refused_is_told_why(world: World, kind: str, came: str) -> None:
    asking = asyncio.create_task(world.run())
    await clocks.settle()
    await world.decide(kind)
    with pytest.raises(bootstrap.Refused, match=f"^certificate signing request {came}, reason: R, message: why$"):
        await asking
    assert not (world.folder / "kubelet.conf").exists()


async def test_a_server_that_is_away_is_asked_again(world: World) -> None:
    world.fake.fail(lambda call: ConnectionError("away"))
    asking = asyncio.create_task(world.run())
    await world.clock.advance(5)
    world.fake.refuse.clear()
    await world.clock.advance(20)
    await world.decide("Approved", b"CERTIFICATE\n")
    await asking
