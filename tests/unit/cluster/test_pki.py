from __future__ import annotations

import pathlib
import stat

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from pybernetes.cluster import pki
from pybernetes.kits.clock import VirtualClock


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def authority(tmp_path: pathlib.Path, clock: VirtualClock) -> pki.Pki:
    return pki.Pki(tmp_path / "pki", clock)


def load(path: pathlib.Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def test_files_are_for_their_owner_alone(authority: pki.Pki, tmp_path: pathlib.Path) -> None:
    authority.server("s", {"a"})
    authority.client("c", user="u")
    folder = tmp_path / "pki"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    files = sorted(path.name for path in folder.iterdir())
    assert files == ["c.crt", "c.key", "ca.crt", "ca.key", "s.crt", "s.key"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_the_chain_verifies(authority: pki.Pki) -> None:
    ca = load(authority.ca)
    assert ca.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    for pair in (authority.server("s", {"localhost", "127.0.0.1"}), authority.client("c", user="u", groups=("g",))):
        certificate = load(pair.certificate)
        certificate.verify_directly_issued_by(ca)
        key = serialization.load_pem_private_key(pair.key.read_bytes(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        assert key.public_key() == certificate.public_key()


def test_what_certificates_say(authority: pki.Pki) -> None:
    client = load(authority.client("c", user="system:node:n", groups=("system:nodes",)).certificate)
    assert client.subject.rfc4514_string() == "CN=system:node:n,O=system:nodes"
    usage = client.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    server = load(authority.server("s", {"localhost", "10.0.0.1", "::1"}).certificate)
    names = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert {str(name.value) for name in names} == {"localhost", "10.0.0.1", "::1"}


def test_they_are_made_once(authority: pki.Pki, tmp_path: pathlib.Path, clock: VirtualClock) -> None:
    first = authority.server("s", ["b", "a"]).certificate.read_bytes()
    again = pki.Pki(tmp_path / "pki", clock)
    assert again.server("s", ["a", "b", "a"]).certificate.read_bytes() == first


async def test_they_are_renewed_before_they_expire(authority: pki.Pki, clock: VirtualClock) -> None:
    first = load(authority.client("c", user="u").certificate)
    await clock.advance(330 * 86400)
    assert load(authority.client("c", user="u").certificate) == first
    await clock.advance(10 * 86400)
    assert load(authority.client("c", user="u").certificate) != first


def test_they_are_made_anew_for_other_hosts(authority: pki.Pki) -> None:
    first = load(authority.server("s", {"a"}).certificate)
    assert load(authority.server("s", {"a", "b"}).certificate) != first


def test_they_are_made_anew_for_another_user(authority: pki.Pki) -> None:
    authority.client("kubelet", user="system:node:old", groups=("system:nodes",))
    renamed = load(authority.client("kubelet", user="system:node:new", groups=("system:nodes",)).certificate)
    assert "system:node:new" in renamed.subject.rfc4514_string()
    regrouped = load(authority.client("kubelet", user="system:node:new", groups=("other",)).certificate)
    assert "O=other" in regrouped.subject.rfc4514_string()


def test_they_are_made_anew_by_a_new_authority(authority: pki.Pki) -> None:
    authority.client("c", user="u")
    authority.ca.unlink()
    renewed = load(authority.client("c", user="u").certificate)
    renewed.verify_directly_issued_by(load(authority.ca))


def test_the_service_account_key_stays(authority: pki.Pki, tmp_path: pathlib.Path) -> None:
    numbers = authority.service_account_key().private_numbers()
    assert authority.service_account_key().private_numbers() == numbers
    assert stat.S_IMODE((tmp_path / "pki" / "sa.key").stat().st_mode) == 0o600
    (tmp_path / "pki" / "sa.key").write_bytes(authority.client("c", user="u").key.read_bytes())
    with pytest.raises(ValueError, match="holds no RSA key"):
        authority.service_account_key()
