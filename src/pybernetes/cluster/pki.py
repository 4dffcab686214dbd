"""The cluster's certificate authority, certificates and service-account key: made once, readable by their owner alone.

Elliptic keys (P-256) because they are made in a millisecond; the service-account key is RSA, as the RS256 tokens that
every client library can check want it.
"""

from __future__ import annotations

import datetime
import ipaddress
import os
import pathlib
from collections.abc import Iterable
from typing import NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from pybernetes.kits import clock as clocks

CA_YEARS = 10
LEAF_YEARS = 1
RENEW_DAYS = 30


class Pair(NamedTuple):
    """PEM files of a certificate and its key."""

    certificate: pathlib.Path
    key: pathlib.Path


class Pki:
    """The files under `folder`; each is made when first asked for, and made anew when it is about to expire, or is
    for somebody else or by another authority than is wanted."""

    def __init__(self, folder: pathlib.Path, clock: clocks.Clock) -> None:
        self._folder = folder
        self.clock = clock
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    @property
    def ca(self) -> pathlib.Path:
        """The CA's certificate."""
        return self._authority().certificate

    @property
    def ca_key(self) -> pathlib.Path:
        """The CA's key."""
        return self._authority().key

    def server(self, name: str, hosts: Iterable[str]) -> Pair:
        """A serving certificate for host names and addresses; made anew when the hosts change."""
        wanted = sorted(set(hosts))
        return self._leaf(name, common_name=name, hosts=wanted, usage=ExtendedKeyUsageOID.SERVER_AUTH)

    def client(self, name: str, *, user: str, groups: Iterable[str] = ()) -> Pair:
        """A client certificate of a user in groups."""
        return self._leaf(name, common_name=user, groups=groups, usage=ExtendedKeyUsageOID.CLIENT_AUTH)

    def service_account_key(self) -> rsa.RSAPrivateKey:
        path = self._folder / "sa.key"
        if not path.exists():
            write(path, pem(rsa.generate_private_key(public_exponent=65537, key_size=2048)))
        key = serialization.load_pem_private_key(path.read_bytes(), None)
        if not isinstance(key, rsa.RSAPrivateKey):
            raise ValueError(f"{path} holds no RSA key; remove it to have one made")
        return key

    def _authority(self) -> Pair:
        pair = Pair(self._folder / "ca.crt", self._folder / "ca.key")
        if not pair.certificate.exists() or not pair.key.exists():
            key = ec.generate_private_key(ec.SECP256R1())
            name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kubernetes")])
            builder = self._builder(name, name, key.public_key(), CA_YEARS)
            certificate = (
                builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
                .add_extension(_key_usage(authority=True), critical=True)
                .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
                .sign(key, hashes.SHA256())
            )
            write(pair.key, pem(key))
            write(pair.certificate, certificate.public_bytes(serialization.Encoding.PEM))
        return pair

    def _leaf(
        self,
        name: str,
        *,
        common_name: str,
        usage: x509.ObjectIdentifier,
        hosts: Iterable[str] = (),
        groups: Iterable[str] = (),
    ) -> Pair:
        pair = Pair(self._folder / f"{name}.crt", self._folder / f"{name}.key")
        hosts = list(hosts)
        attributes = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
        subject = x509.Name([*attributes, x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
        authority = self._authority()
        issuer = x509.load_pem_x509_certificate(authority.certificate.read_bytes())
        if pair.certificate.exists() and pair.key.exists() and self._is_good(pair.certificate, subject, hosts, issuer):
            return pair
        issuer_key = serialization.load_pem_private_key(authority.key.read_bytes(), None)
        if not isinstance(issuer_key, ec.EllipticCurvePrivateKey):
            raise ValueError(f"{authority.key} holds no elliptic key; remove the folder to have all made anew")
        key = ec.generate_private_key(ec.SECP256R1())
        builder = (
            self._builder(subject, issuer.subject, key.public_key(), LEAF_YEARS)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(authority=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
        )
        if hosts:
            builder = builder.add_extension(x509.SubjectAlternativeName(_names(hosts)), critical=False)
        certificate = builder.sign(issuer_key, hashes.SHA256())
        write(pair.key, pem(key))
        write(pair.certificate, certificate.public_bytes(serialization.Encoding.PEM))
        return pair

    def _builder(
        self, subject: x509.Name, issuer: x509.Name, public: ec.EllipticCurvePublicKey, years: int
    ) -> x509.CertificateBuilder:
        now = self._now()
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(minutes=5))
            .not_valid_after(now + datetime.timedelta(days=365 * years))
        )

    def _is_good(self, path: pathlib.Path, subject: x509.Name, hosts: list[str], issuer: x509.Certificate) -> bool:
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
        try:
            certificate.verify_directly_issued_by(issuer)
        except (ValueError, TypeError, InvalidSignature):
            return False
        if certificate.subject != subject:
            return False
        if certificate.not_valid_after_utc - self._now() < datetime.timedelta(days=RENEW_DAYS):
            return False
        if not hosts:
            return True
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        return sorted(str(name.value) for name in names) == hosts

    def _now(self) -> datetime.datetime:
        return datetime.datetime.fromtimestamp(self.clock.time(), datetime.UTC)


def _names(hosts: Iterable[str]) -> list[x509.GeneralName]:
    names: list[x509.GeneralName] = []
    for host in hosts:
        try:
            names.append(x509.IPAddress(ipaddress.ip_address(host)))
        except ValueError:
            names.append(x509.DNSName(host))
    return names


def _key_usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_encipherment=not authority,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    """A private key, not enciphered."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def write(path: pathlib.Path, data: bytes) -> None:
    """Replace the file at once, readable by its owner alone."""
    temporary = path.with_suffix(".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    temporary.replace(path)
