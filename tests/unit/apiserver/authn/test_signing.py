"""Keys and signatures of service-account tokens."""

from __future__ import annotations

import base64
import json

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from pybernetes.apiserver import request as requests
from pybernetes.apiserver.authn import serviceaccounts, signing
from pybernetes.kits.chance import Chance
from pybernetes.kits.clock import VirtualClock
from tests.fakes import apiserver as fakes

CURVES = [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()]


def private_pem(key: signing.PrivateKey | ed25519.Ed25519PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def public_pem(key: signing.PrivateKey) -> bytes:
    return key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def signer(
    key: signing.PrivateKey, *issuers: str, more: list[signing.PublicKey] | None = None
) -> serviceaccounts.Signer:
    return serviceaccounts.Signer(
        key,
        issuers=issuers or ("https://here",),
        audiences=("https://here",),
        clock=VirtualClock(),
        chance=Chance(1),
        more_keys=more or [],
    )


def issue(by: serviceaccounts.Signer) -> str:
    token, _ = by.issue(namespace="ns", name="sa", uid="u", audiences=("https://here",), seconds=600, bound=None)
    return token


def user(by: serviceaccounts.Signer, token: str) -> requests.User:
    return by.authenticate(token, lambda kind, namespace, name: "u", used=lambda *secret: None)[0]


@pytest.mark.parametrize("curve", CURVES, ids=lambda curve: curve.name)
def test_elliptic_keys_sign(curve: ec.EllipticCurve) -> None:
    one = signer(ec.generate_private_key(curve))
    token = issue(one)
    header = token.split(".")[0]
    assert json.loads(base64.urlsafe_b64decode(header + "=="))["alg"] == f"ES{min(curve.key_size, 512)}"
    assert user(one, token).name == "system:serviceaccount:ns:sa"
    with pytest.raises(serviceaccounts.InvalidToken, match="no keys found"):
        user(signer(ec.generate_private_key(curve)), token)


def test_a_header_does_not_choose_the_key() -> None:
    elliptic, token = signer(ec.generate_private_key(CURVES[0])), issue(signer(fakes.signing_key()))
    with pytest.raises(serviceaccounts.InvalidToken):
        user(elliptic, token)
    head, body, signature = token.split(".")
    forged = base64.urlsafe_b64encode(b'{"alg":"ES256"}').rstrip(b"=").decode()
    with pytest.raises(serviceaccounts.InvalidToken):
        user(elliptic, f"{forged}.{body}.{signature}")
    assert head != forged


def test_tokens_of_older_keys_and_issuers_are_taken() -> None:
    old, new = ec.generate_private_key(CURVES[0]), fakes.signing_key()
    before, after = signer(old, "https://old"), signer(new, "https://here", "https://old", more=[old.public_key()])
    assert user(after, issue(before)).name == "system:serviceaccount:ns:sa"
    assert user(after, issue(after)).name == "system:serviceaccount:ns:sa"
    with pytest.raises(serviceaccounts.InvalidToken, match="another issuer"):
        user(before, issue(after))
    with pytest.raises(serviceaccounts.InvalidToken, match="another issuer"):
        user(signer(old, "https://here"), issue(before))


def test_files_of_keys() -> None:
    elliptic, other = ec.generate_private_key(CURVES[1]), fakes.signing_key()
    found = signing.read_public(b"# two\n" + private_pem(elliptic) + public_pem(other))
    assert [signing.key_id(key) for key in found] == [signing.key_id(key.public_key()) for key in (elliptic, other)]
    assert isinstance(signing.read_private(private_pem(other)), rsa.RSAPrivateKey)
    for nothing in (b"", b"hello", b"-----BEGIN PUBLIC KEY-----\nxx\n-----END PUBLIC KEY-----\n"):
        with pytest.raises(signing.KeyFileError, match="does not contain any valid RSA or ECDSA public keys"):
            signing.read_public(nothing)
    for bad in (b"", public_pem(other), private_pem(ed25519.Ed25519PrivateKey.generate())):
        with pytest.raises(signing.KeyFileError):
            signing.read_private(bad)
    with pytest.raises(signing.KeyFileError, match="unknown private key curve, must be 256, 384, or 521"):
        signing.read_private(private_pem(ec.generate_private_key(ec.SECP256K1())))
