"""Certificates from requests: who it is for is taken over, what for and how long is the signer's to say. Pure."""

from __future__ import annotations

import datetime
from collections.abc import Iterable

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

# Seconds.
BACKDATED = 300.0
SHORT = 8 * 3600.0
SHORTEST = 600.0

_KEY_USAGES = {
    "signing": "digital_signature",
    "digital signature": "digital_signature",
    "content commitment": "content_commitment",
    "key encipherment": "key_encipherment",
    "key agreement": "key_agreement",
    "data encipherment": "data_encipherment",
    "cert sign": "key_cert_sign",
    "crl sign": "crl_sign",
    "encipher only": "encipher_only",
    "decipher only": "decipher_only",
}
_EXTENDED = {
    "any": ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,
    "server auth": ExtendedKeyUsageOID.SERVER_AUTH,
    "client auth": ExtendedKeyUsageOID.CLIENT_AUTH,
    "code signing": ExtendedKeyUsageOID.CODE_SIGNING,
    "email protection": ExtendedKeyUsageOID.EMAIL_PROTECTION,
    "s/mime": ExtendedKeyUsageOID.EMAIL_PROTECTION,
    "ipsec end system": x509.ObjectIdentifier("1.3.6.1.5.5.7.3.5"),
    "ipsec tunnel": x509.ObjectIdentifier("1.3.6.1.5.5.7.3.6"),
    "ipsec user": x509.ObjectIdentifier("1.3.6.1.5.5.7.3.7"),
    "timestamping": ExtendedKeyUsageOID.TIME_STAMPING,
    "ocsp signing": ExtendedKeyUsageOID.OCSP_SIGNING,
    "microsoft sgc": x509.ObjectIdentifier("1.3.6.1.4.1.311.10.3.3"),
    "netscape sgc": x509.ObjectIdentifier("2.16.840.1.113730.4.1"),
}


class Authority:
    """A certificate and its key, in PEM; certificates last `longest` seconds at most. Raises ValueError."""

    def __init__(self, certificate: bytes, key: bytes, *, longest: float) -> None:
        self._certificate = x509.load_pem_x509_certificate(certificate)
        loaded = serialization.load_pem_private_key(key, None)
        if not isinstance(loaded, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey):
            raise ValueError("the signing key is of a kind that signs no certificates")
        self._key, self._longest = loaded, longest

    def seconds(self, asked: int | None) -> float:
        """How long a certificate is to last for which so many seconds are asked."""
        return self._longest if asked is None else max(min(float(asked), self._longest), SHORTEST)

    def issue(
        self,
        request: x509.CertificateSigningRequest,
        usages: Iterable[str],
        *,
        asked: int | None,
        now: float,
        serial: bytes,
    ) -> bytes:
        """The certificate, in PEM; `serial` is 16 random bytes. Raises ValueError, saying why not."""
        if not request.is_signature_valid:
            raise ValueError("unable to verify certificate request signature")
        at = datetime.datetime.fromtimestamp(now, datetime.UTC)
        ends = self._certificate.not_valid_after_utc
        if at >= ends:
            raise ValueError(f"refusing to sign a certificate that expired in the past: NotAfter={ends}")
        seconds = self.seconds(asked)
        # One that lasts a few hours only is not shortened by what it is backdated.
        last = at + datetime.timedelta(seconds=seconds - (BACKDATED if seconds >= SHORT else 0.0))
        builder = (
            x509.CertificateBuilder()
            .subject_name(request.subject)
            .issuer_name(self._certificate.subject)
            .public_key(request.public_key())
            .serial_number((int.from_bytes(serial) >> 1) or 1)
            .not_valid_before(at - datetime.timedelta(seconds=BACKDATED))
            .not_valid_after(min(last, ends))
        )
        for extension, critical in self._extensions(request, list(usages)):
            builder = builder.add_extension(extension, critical=critical)
        algorithm = None if isinstance(self._key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
        return builder.sign(self._key, algorithm).public_bytes(serialization.Encoding.PEM)

    def _extensions(
        self, request: x509.CertificateSigningRequest, usages: list[str]
    ) -> list[tuple[x509.ExtensionType, bool]]:
        found: list[tuple[x509.ExtensionType, bool]] = []
        flags = {_KEY_USAGES[usage] for usage in usages if usage in _KEY_USAGES}
        if flags:
            # Those two say how keys are agreed upon, and mean nothing without that.
            enciphers = "key_agreement" in flags
            stated = {name: name in flags for name in dict.fromkeys(_KEY_USAGES.values())}
            for name in ("encipher_only", "decipher_only"):
                stated[name] = stated[name] and enciphers
            found.append((x509.KeyUsage(**stated), True))
        extended = list(dict.fromkeys(_EXTENDED[usage] for usage in usages if usage in _EXTENDED))
        if extended:
            found.append((x509.ExtendedKeyUsage(extended), False))
        found.append((x509.BasicConstraints(ca=False, path_length=None), True))
        try:
            own = self._certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
            found.append((x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own), False))
        except x509.ExtensionNotFound:
            pass
        try:
            names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
            found.append((names, not request.subject.rdns))
        except x509.ExtensionNotFound:
            pass
        return found
