"""JSON Web Key Sets: public keys as documents, ours for others to read and those of others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.asymmetric import ec, rsa

from pybernetes.apiserver.authn import jwt, signing

_CURVES = {"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1(), "P-521": ec.SECP521R1()}
_NAMES = {curve.name: name for name, curve in _CURVES.items()}


class Key(NamedTuple):
    """`key_id` and `algorithm` are "" where the set does not say."""

    key_id: str
    algorithm: str
    key: signing.PublicKey


def document(keys: Iterable[signing.PublicKey]) -> dict[str, Any]:
    return {"keys": [_shown(key) for key in keys]}


def _shown(key: signing.PublicKey) -> dict[str, str]:
    common = {"use": "sig", "kid": signing.key_id(key), "alg": signing.algorithm(key)}
    if isinstance(key, rsa.RSAPublicKey):
        numbers = key.public_numbers()
        return {**common, "kty": "RSA", "n": _large(numbers.n), "e": _large(numbers.e)}
    size = (key.curve.key_size + 7) // 8
    point = key.public_numbers()
    return {
        **common,
        "kty": "EC",
        "crv": _NAMES[key.curve.name],
        "x": jwt.part(point.x.to_bytes(size, "big")),
        "y": jwt.part(point.y.to_bytes(size, "big")),
    }


def _large(number: int) -> str:
    return jwt.part(number.to_bytes((number.bit_length() + 7) // 8, "big"))


def read(tree: Any) -> list[Key]:
    """The keys that can be used; others in the set are passed over. Raises ValueError for what is no set."""
    listed = tree.get("keys") if isinstance(tree, dict) else None
    if not isinstance(listed, list):
        raise ValueError("the document has no keys")
    return list(_keys(listed))


def _keys(listed: list[Any]) -> Iterator[Key]:
    for one in listed:
        if not isinstance(one, dict) or one.get("use", "sig") != "sig":
            continue
        try:
            key = _key({name: value for name, value in one.items() if isinstance(value, str)})
        except (ValueError, KeyError):
            continue
        yield Key(str(one.get("kid") or ""), str(one.get("alg") or ""), key)


def _key(one: dict[str, str]) -> signing.PublicKey:
    """Raises ValueError and KeyError."""
    if one["kty"] == "RSA":
        return rsa.RSAPublicNumbers(jwt.number(one["e"]), jwt.number(one["n"])).public_key()
    if one["kty"] != "EC":
        raise ValueError(f"unsupported kind of key {one['kty']}")
    curve = _CURVES[one["crv"]]
    return ec.EllipticCurvePublicNumbers(jwt.number(one["x"]), jwt.number(one["y"]), curve).public_key()
