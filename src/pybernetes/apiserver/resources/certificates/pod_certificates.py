"""Keys and certificates of pods: proof that the key is the pod's, and that the certificate is for that key."""

from __future__ import annotations

import base64
from typing import Any

from cryptography import exceptions, x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from pybernetes.api import fields, times
from pybernetes.api.types import certificates_v1beta1
from pybernetes.apiserver.resources.certificates import pem

_SPEC = fields.Path("spec")
_STATUS = fields.Path("status")
_CURVES = ("secp256r1", "secp384r1", "secp521r1")
_MAX_CHAIN = 100 * 1024
_HOUR, _MARGIN = 3600, 600

Spec = certificates_v1beta1.PodCertificateRequestSpec


def _omitted(path: fields.Path, words: str) -> fields.FieldError:
    return fields.FieldError(fields.INVALID, str(path), f"Invalid value: {words}")


def wrong_key(spec: Spec) -> fields.FieldError | None:
    """What is wrong with the key that is asked for, or with the proof of having it."""
    if spec.stubPKCS10Request:
        path = _SPEC["stubPKCS10Request"]
        try:
            request = x509.load_der_x509_csr(base64.b64decode(spec.stubPKCS10Request))
            key: Any = request.public_key()
        except (ValueError, exceptions.UnsupportedAlgorithm):
            return _omitted(path, "must be a valid PKCS#10 CSR")
        problem = _weak(key, path, "P256, P384, or P521")
        if problem is None and not request.is_signature_valid:
            problem = _omitted(path, "invalid signature")
        return problem
    path = _SPEC["pkixPublicKey"]
    try:
        key = serialization.load_der_public_key(base64.b64decode(spec.pkixPublicKey))
    except (ValueError, exceptions.UnsupportedAlgorithm):
        return fields.invalid(path, spec.pkixPublicKey, "must be a valid PKIX-serialized public key")
    problem = _weak(key, path, "P256 or P384")
    if problem is None and not _proves(key, base64.b64decode(spec.proofOfPossession), spec.podUID.encode()):
        problem = _omitted(_SPEC["proofOfPossession"], "could not verify proof-of-possession signature")
    return problem


def _weak(key: Any, path: fields.Path, curves: str) -> fields.FieldError | None:
    if isinstance(key, ed25519.Ed25519PublicKey):
        return None
    if isinstance(key, ec.EllipticCurvePublicKey):
        if key.curve.name in _CURVES:
            return None
        return fields.invalid(path, f"curve {key.curve.name}", f"elliptic public keys must use curve {curves}")
    if isinstance(key, rsa.RSAPublicKey):
        if key.key_size in (3072, 4096):
            return None
        words = "RSA keys must have modulus size 3072 or 4096"
        return fields.invalid(path, f"{key.key_size}-bit modulus", words)
    return _omitted(path, "unknown public key type; supported types are Ed25519, ECDSA, and RSA")


def _proves(key: Any, signature: bytes, message: bytes) -> bool:
    try:
        if isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(signature, message)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, message, ec.ECDSA(hashes.SHA256()))
        else:
            scheme = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=padding.PSS.AUTO)
            key.verify(signature, message, scheme, hashes.SHA256())
    except exceptions.InvalidSignature:
        return False
    return True


def _bytes_of(key: Any) -> bytes:
    encoded: bytes = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return encoded


def _wanted_key(spec: Spec) -> bytes:
    if spec.stubPKCS10Request:
        return _bytes_of(x509.load_der_x509_csr(base64.b64decode(spec.stubPKCS10Request)).public_key())
    return base64.b64decode(spec.pkixPublicKey)


def wrong_certificate(request: certificates_v1beta1.PodCertificateRequest) -> fields.FieldError | None:
    """What is wrong with the chain that a signer issued, or with what the status says of its times."""
    status, path = request.status, _STATUS["certificateChain"]
    chain = status.certificateChain
    if len(chain.encode()) > _MAX_CHAIN:
        return fields.too_long(path, _MAX_CHAIN)
    blocks = list(pem.blocks(chain.encode()))
    if not blocks:
        return fields.invalid(path, chain, "issued certificate chain must contain at least one certificate")
    if any(block.type != "CERTIFICATE" for block in blocks):
        words = "issued certificate chain must consist entirely of CERTIFICATE PEM blocks"
        return fields.invalid(path, chain, words)
    for index, block in enumerate(blocks):
        try:
            x509.load_der_x509_certificate(block.data)
        except ValueError:
            which = "intermediate" if index else "leaf"
            does = "parse as valid X.509"
            return fields.invalid(path, chain, f"{which} certificate does not {does}")
    leaf = x509.load_der_x509_certificate(blocks[0].data)
    if _bytes_of(leaf.public_key()) != _wanted_key(request.spec):
        return fields.invalid(path, chain, "leaf certificate was not issued to the requested public key")
    return _wrong_times(request, leaf)


def _wrong_times(
    request: certificates_v1beta1.PodCertificateRequest, leaf: x509.Certificate
) -> fields.FieldError | None:
    status = request.status
    consistent = "must be present and consistent with the issued certificate"
    for name, words in (
        ("notBefore", consistent),
        ("notAfter", consistent),
        ("beginRefreshAt", "must be present and in the range [notbefore+10min, notafter-10min]"),
    ):
        if getattr(status, name) is None:
            return fields.required(_STATUS[name], words)
    start, end = leaf.not_valid_before_utc.timestamp(), leaf.not_valid_after_utc.timestamp()
    for name, value, word in (("notBefore", start, "NotBefore"), ("notAfter", end, "NotAfter")):
        if times.parse(getattr(status, name)) != value:
            words = f"must be set to the {word} time encoded in the leaf certificate"
            return fields.invalid(_STATUS[name], getattr(status, name), words)
    most = request.spec.maxExpirationSeconds or 0
    path = _STATUS["certificateChain"]
    if end - start < _HOUR:
        return fields.invalid(path, f"{int(end - start)}s", "leaf certificate lifetime must be >= 1 hour")
    if end - start > most:
        words = f"leaf certificate lifetime must be <= spec.maxExpirationSeconds ({most})"
        return fields.invalid(path, f"{int(end - start)}s", words)
    refresh = times.parse(status.beginRefreshAt or "")
    if refresh < start + _MARGIN:
        words = "must be at least 10 minutes after status.notBefore"
        return fields.invalid(_STATUS["beginRefreshAt"], status.beginRefreshAt, words)
    if refresh > end - _MARGIN:
        words = "must be at least 10 minutes before status.notAfter"
        return fields.invalid(_STATUS["beginRefreshAt"], status.beginRefreshAt, words)
    return None
