"""JSON Web Tokens taken apart, and put together. Pure; nothing here believes what a token says."""

from __future__ import annotations

import base64
import binascii
from typing import Any, NamedTuple

import msgspec

_object = msgspec.json.Decoder(dict[str, Any])


class InvalidToken(Exception):
    """Why a token is not accepted."""


class NotOurs(InvalidToken):
    """A token that is somebody else's business: of another form, or from another issuer."""


class Parsed(NamedTuple):
    """`signed` is what the signature is of."""

    header: dict[str, Any]
    claims: dict[str, Any]
    signed: bytes
    signature: bytes

    @property
    def algorithm(self) -> str:
        return _text(self.header.get("alg"))

    @property
    def key_id(self) -> str:
        return _text(self.header.get("kid"))

    @property
    def issuer(self) -> str:
        return _text(self.claims.get("iss"))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def part(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(text: str) -> int:
    """A large number, as keys have them. Raises ValueError."""
    return int.from_bytes(decoded(text), "big")


def decoded(text: str) -> bytes:
    """Raises ValueError."""
    try:
        return base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise ValueError(str(error)) from None


def parse(token: str) -> Parsed:
    """Raises NotOurs for what is none."""
    try:
        header, body, signature = token.split(".")
        parsed = Parsed(
            _object.decode(decoded(header)),
            _object.decode(decoded(body)),
            f"{header}.{body}".encode("ascii"),
            decoded(signature),
        )
    except (ValueError, msgspec.DecodeError, RecursionError):
        raise NotOurs("the token is malformed") from None
    return parsed


def audiences(claims: dict[str, Any]) -> tuple[str, ...]:
    """Of one audience, and of several."""
    found = claims.get("aud")
    if isinstance(found, str):
        return (found,)
    return tuple(one for one in found if isinstance(one, str)) if isinstance(found, list) else ()


def seconds(claims: dict[str, Any], name: str) -> float | None:
    """A point in time, in epoch seconds. Raises InvalidToken where it is none."""
    found = claims.get(name)
    if found is None:
        return None
    if isinstance(found, bool) or not isinstance(found, int | float):
        raise InvalidToken(f"the token's {name} is not a number")
    return float(found)
