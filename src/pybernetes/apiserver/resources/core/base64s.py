"""Base64 in API objects: what Go's decoder would say of it, as clients get to read that."""

from __future__ import annotations

import binascii
from collections.abc import Mapping
from typing import Any

from pybernetes.api import errors

_ALPHABET = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")


def decode(text: str) -> bytes:
    """The bytes. Raises ValueError with Go's words."""
    compact = text.replace("\n", "").replace("\r", "")
    try:
        if len(compact) % 4:
            raise ValueError("not padded")
        return binascii.a2b_base64(compact, strict_mode=True)
    except ValueError:
        raise ValueError(f"illegal base64 data at input byte {_offset(text)}") from None


def _offset(text: str) -> int:
    """Where Go's decoder stops."""
    quantum: list[int] = []
    for index, char in enumerate(text):
        if char in "\r\n":
            continue
        if char == "=":
            if len(quantum) < 2:
                return index
            rest = [place for place in range(index + 1, len(text)) if text[place] not in "\r\n"]
            if len(quantum) == 2 and (not rest or text[rest.pop(0)] != "="):
                return len(text) if not rest else index + 1
            return rest[0] if rest else index
        if char not in _ALPHABET:
            return index
        quantum = [] if len(quantum) == 3 else [*quantum, index]
    return quantum[0] if quantum else len(text)


def check(values: Mapping[str, str], obj: Any) -> None:
    """Raise the 400 that a body with broken base64 is answered with."""
    for text in values.values():
        try:
            decode(text)
        except ValueError as error:
            version = obj.apiVersion.rpartition("/")[2]
            words = f'{obj.kind} in version "{version}" cannot be handled as a {obj.kind}: {error}'
            raise errors.bad_request(words) from None


def size(values: Mapping[str, str]) -> int:
    """Bytes that all values stand for together."""
    return sum(len(text.replace("\n", "").rstrip("=")) * 3 // 4 for text in values.values())
