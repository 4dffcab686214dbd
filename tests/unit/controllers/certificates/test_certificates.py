"""CertificateSigningRequests from being asked for to being cleaned away."""

from __future__ import annotations

import base64
import contextlib
import datetime
import ipaddress
import re
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from pybernetes.api import codecs, times
from pybernetes.api.types import authorization_v1, certificates_v1
from pybernetes.client import Call
from pybernetes.controllers import Settings
from pybernetes.controllers.certificates import checking, cleaning, issuing
from tests.fakes.cluster import FakeCluster

KEY = ec.generate_private_key(ec.SECP256R1())
NOW = 1_800_000_000.0
DAY = 86400.0


def authority(*, at: float = NOW, days: int = 3650) -> tuple[bytes, bytes]:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kubernetes")])
    since = datetime.datetime.fromtimestamp(at - DAY, datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(KEY.public_key())
        .serial_number(1)
        .not_valid_before(since)
        .not_valid_after(since + datetime.timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(KEY.public_key()), critical=False)
        .sign(KEY, hashes.SHA256())
    )
    pem = KEY.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return certificate.public_bytes(serialization.Encoding.PEM), pem


def asked(name: str, *groups: str, dns: str = "", ip: str = "") -> str:
    attributes = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
    builder = x509.CertificateSigningRequestBuilder().subject_name(
        x509.Name([*attributes, x509.NameAttribute(NameOID.COMMON_NAME, name)])
    )
    names: list[x509.GeneralName] = [x509.DNSName(dns)] if dns else []
    names += [x509.IPAddress(ipaddress.ip_address(ip))] if ip else []
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    pem = builder.sign(KEY, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    return base64.b64encode(pem).decode()


NODE = asked("system:node:n1", "system:nodes")
SERVING = asked("system:node:n1", "system:nodes", dns="n1", ip="10.0.0.1")
KUBELET_USAGES = ["digital signature", "client auth"]


def request(signer: str, csr: str = NODE, *told: str, certificate: str = "", **spec: Any) -> Any:
    conditions = [{"type": kind, "status": "True", "lastUpdateTime": times.to_time(NOW)} for kind in told]
    tree = {
        "metadata": {"name": "r", "creationTimestamp": times.to_time(NOW)},
        "spec": {"signerName": signer, "request": csr, "usages": KUBELET_USAGES, "username": "boot"} | spec,
        "status": {"conditions": conditions, "certificate": certificate},
    }
    return codecs.from_tree(certificates_v1.CertificateSigningRequest, tree)


@pytest.mark.parametrize(
    ("signer", "csr", "usages", "why"),
    [
        (checking.CLIENT, asked("anybody"), ["client auth"], ""),
        (checking.CLIENT, NODE, ["server auth"], "invalid usage for client certificate: server auth"),
        (checking.CLIENT, NODE, ["digital signature"], "missing required usage for client certificate: client auth"),
        (checking.LEGACY, asked("anybody"), ["cert sign"], ""),
        (checking.KUBELET_CLIENT, NODE, KUBELET_USAGES, ""),
        (checking.KUBELET_CLIENT, NODE, [*KUBELET_USAGES, "key encipherment"], ""),
        (
            checking.KUBELET_CLIENT,
            NODE,
            ["client auth"],
            "usages did not match [client auth digital signature key encipherment]",
        ),
        (checking.KUBELET_CLIENT, SERVING, KUBELET_USAGES, "DNS subjectAltNames are not allowed"),
        (checking.KUBELET_CLIENT, asked("n1", "system:nodes"), KUBELET_USAGES, "system:node:"),
        (checking.KUBELET_CLIENT, asked("system:node:n1"), KUBELET_USAGES, "organization is not system:nodes"),
        (checking.KUBELET_SERVING, SERVING, ["digital signature", "server auth"], ""),
        (checking.KUBELET_SERVING, NODE, ["digital signature", "server auth"], "DNS or IP subjectAltName is required"),
    ],
)
def test_what_a_signer_lets_be_asked_for(signer: str, csr: str, usages: list[str], why: str) -> None:
    expected = pytest.raises(checking.Unfit, match=re.escape(why)) if why else contextlib.nullcontext()
    with expected:
        checking.check(signer, checking.parse(csr), usages)


def issued(seconds: int | None, *, days: int = 3650) -> x509.Certificate:
    signer = issuing.Authority(*authority(days=days), longest=365 * DAY)
    pem = signer.issue(
        checking.parse(SERVING), ["digital signature", "server auth"], asked=seconds, now=NOW, serial=b"\xff" * 16
    )
    return x509.load_pem_x509_certificate(pem)


def test_what_a_certificate_says() -> None:
    found = issued(None)
    found.verify_directly_issued_by(x509.load_pem_x509_certificate(authority()[0]))
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["n1"]
    assert list(found.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [
        ExtendedKeyUsageOID.SERVER_AUTH
    ]
    usage = found.extensions.get_extension_for_class(x509.KeyUsage).value
    assert (usage.digital_signature, usage.key_cert_sign) == (True, False)
    assert not found.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert found.serial_number.bit_length() <= 159


@pytest.mark.parametrize(
    ("seconds", "lasts"),
    [(None, 365 * DAY - 300), (10 * 365 * 86400, 365 * DAY - 300), (3600, 3600.0), (60, 600.0), (86400, DAY - 300)],
)
def test_how_long_a_certificate_lasts(seconds: int | None, lasts: float) -> None:
    found = issued(seconds)
    assert found.not_valid_before_utc.timestamp() == NOW - 300
    assert found.not_valid_after_utc.timestamp() == NOW + lasts


def test_no_longer_than_its_signer() -> None:
    assert issued(None, days=3).not_valid_after_utc.timestamp() == NOW + 2 * DAY
    with pytest.raises(ValueError, match="expired in the past"):
        issued(None, days=1)


def test_when_requests_go() -> None:
    assert cleaning.due(request(checking.CLIENT)) == NOW + DAY
    assert cleaning.due(request(checking.CLIENT, NODE, "Denied")) == NOW + 3600
    assert cleaning.due(request(checking.CLIENT, NODE, "Approved")) == NOW + DAY
    assert cleaning.due(request(checking.CLIENT, NODE, "Approved", "Failed")) == NOW + 3600
    expired = base64.b64encode(authority(at=NOW - 2 * DAY, days=2)[0]).decode()
    assert cleaning.due(request(checking.CLIENT, NODE, "Approved", certificate=expired)) == NOW - DAY
    lasting = base64.b64encode(authority()[0]).decode()
    assert cleaning.due(request(checking.CLIENT, NODE, "Approved", certificate=lasting)) == NOW + 3600


def cluster() -> FakeCluster:
    names = ("signing", "approving", "cleaner")
    certificate, key = authority(at=FakeCluster().clock.time())
    return FakeCluster(
        only=",".join(f"certificatesigningrequest-{name}-controller" for name in names),
        settings=Settings(signing_certificate=certificate, signing_key=key),
    )


async def test_what_is_approved_is_signed_and_cleaned_away() -> None:
    async with cluster() as running:
        one = request(checking.CLIENT, asked("jane"), "Approved", usages=["client auth"])
        stamp = times.to_time(running.clock.time())
        one.metadata.creationTimestamp = one.status.conditions[0].lastUpdateTime = stamp
        running.api.seed(one)
        await running.settled()
        found = running.api.find(certificates_v1.CertificateSigningRequest, "r")
        made = x509.load_pem_x509_certificate(base64.b64decode(found.status.certificate))
        assert made.subject.rfc4514_string() == "CN=jane"
        await running.clock.advance(3500)
        assert running.api.all(certificates_v1.CertificateSigningRequest)
        await running.clock.advance(200)
        await running.settled()
        assert not running.api.all(certificates_v1.CertificateSigningRequest)


async def test_what_is_unfit_fails() -> None:
    async with cluster() as running:
        running.api.seed(request(checking.CLIENT, NODE, "Approved", usages=["server auth"]))
        await running.settled()
        found = running.api.find(certificates_v1.CertificateSigningRequest, "r")
        assert [(one.type, one.reason) for one in found.status.conditions] == [
            ("Approved", ""),
            ("Failed", "SignerValidationFailure"),
        ]
        assert not found.status.certificate


@pytest.mark.parametrize("allowed", ["nodeclient", "nothing"])
async def test_kubelets_are_approved_where_who_asks_may(allowed: str) -> None:
    async with cluster() as running:
        reviewed: list[str] = []

        def answer(call: Call) -> Exception | None:
            if call.path.endswith("/subjectaccessreviews"):
                body: authorization_v1.SubjectAccessReview = call.body
                assert body.spec.resourceAttributes is not None
                reviewed.append(body.spec.resourceAttributes.subresource)
                body.status.allowed = body.spec.resourceAttributes.subresource == allowed
            return None

        running.api.fail(answer)
        running.api.seed(request(checking.KUBELET_CLIENT))
        await running.settled()
        found = running.api.find(certificates_v1.CertificateSigningRequest, "r")
        assert reviewed == ["nodeclient"]
        assert [one.reason for one in found.status.conditions] == (["AutoApproved"] if allowed == "nodeclient" else [])
        assert bool(found.status.certificate) == (allowed == "nodeclient")
