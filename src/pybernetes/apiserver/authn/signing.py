"""Signatures of JSON Web Tokens: RS256 for RSA keys, ES256, ES384 and ES512 for elliptic ones, as upstream chooses.

A token names its algorithm, but the key decides: a header cannot talk a key into another one.
"""

from __future__ import annotations

import base64
import hashlib

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric import utils as ec_signatures

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey

_CURVES: dict[str, tuple[str, hashes.HashAlgorithm]] = {
    "secp256r1": ("ES256", hashes.SHA256()),
    "secp384r1": ("ES384", hashes.SHA384()),
    "secp521r1": ("ES512", hashes.SHA512()),
}
_DIGESTS = (hashes.SHA256(), hashes.SHA384(), hashes.SHA512())


def _salted(digest: hashes.HashAlgorithm) -> padding.PSS:
    return padding.PSS(padding.MGF1(digest), padding.PSS.DIGEST_LENGTH)


# `alg` of tokens signed with RSA keys -> digest and padding.
_RSA: dict[str, tuple[hashes.HashAlgorithm, padding.AsymmetricPadding]] = {
    **{f"RS{8 * one.digest_size}": (one, padding.PKCS1v15()) for one in _DIGESTS},
    **{f"PS{8 * one.digest_size}": (one, _salted(one)) for one in _DIGESTS},
}
ALGORITHMS = (*_RSA, *(name for name, _ in _CURVES.values()))
_END = b"-----END "


class KeyFileError(ValueError):
    """A file that holds no key of the wanted kind."""


def algorithm(key: PrivateKey | PublicKey) -> str:
    """The `alg` of tokens signed with the key. Raises KeyFileError for curves that JSON Web Tokens have no name for."""
    if isinstance(key, rsa.RSAPrivateKey | rsa.RSAPublicKey):
        return "RS256"
    if key.curve.name not in _CURVES:
        raise KeyFileError("unknown private key curve, must be 256, 384, or 521")
    return _CURVES[key.curve.name][0]


def key_id(key: PublicKey) -> str:
    """What `kid` says of it: a hash, from which the key cannot be had."""
    der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return base64.urlsafe_b64encode(hashlib.sha256(der).digest()).rstrip(b"=").decode()


def sign(key: PrivateKey, data: bytes) -> bytes:
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(data, padding.PKCS1v15(), hashes.SHA256())
    size = (key.curve.key_size + 7) // 8
    der = key.sign(data, ec.ECDSA(_CURVES[key.curve.name][1]))
    return b"".join(number.to_bytes(size, "big") for number in ec_signatures.decode_dss_signature(der))


def fits(key: PublicKey, name: str) -> bool:
    """Whether tokens with that `alg` can be signed with the key."""
    return name in _RSA if isinstance(key, rsa.RSAPublicKey) else name == _CURVES.get(key.curve.name, ("",))[0]


def verifies(key: PublicKey, signature: bytes, data: bytes, name: str = "") -> bool:
    """`name` is an `alg` that fits the key; "" for the one that tokens of service accounts have."""
    try:
        if isinstance(key, rsa.RSAPublicKey):
            digest, padded = _RSA[name or "RS256"]
            key.verify(signature, data, padded, digest)
            return True
        size = (key.curve.key_size + 7) // 8
        if len(signature) != 2 * size:
            return False
        r, s = int.from_bytes(signature[:size], "big"), int.from_bytes(signature[size:], "big")
        key.verify(ec_signatures.encode_dss_signature(r, s), data, ec.ECDSA(_CURVES[key.curve.name][1]))
    except InvalidSignature:
        return False
    return True


def read_private(pem: bytes) -> PrivateKey:
    """Raises KeyFileError."""
    try:
        key = serialization.load_pem_private_key(pem, None)
    except (ValueError, TypeError) as error:
        raise KeyFileError(f"no unencrypted private key: {error}") from None
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise KeyFileError("the private key is neither RSA nor ECDSA")
    algorithm(key)
    return key


def read_public(pem: bytes) -> list[PublicKey]:
    """The keys in a file of public or private ones; other blocks in it are passed over. Raises KeyFileError."""
    keys = []
    for block in _blocks(pem):
        key = _public(block)
        if key is not None:
            algorithm(key)
            keys.append(key)
    if not keys:
        raise KeyFileError("data does not contain any valid RSA or ECDSA public keys")
    return keys


def _blocks(pem: bytes) -> list[bytes]:
    blocks, lines = [], list[bytes]()
    for line in pem.splitlines(keepends=True):
        lines.append(line)
        if line.startswith(_END):
            blocks.append(b"".join(lines))
            lines = []
    return blocks


def _public(block: bytes) -> PublicKey | None:
    try:
        if b"PRIVATE KEY" in block:
            return read_private(block).public_key()
        key = serialization.load_pem_public_key(block)
    except ValueError:
        return None
    return key if isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey) else None
