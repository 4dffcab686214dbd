"""The wire format of protobuf: numbered fields of four kinds, whatever they mean."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

# Wire types.
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


def varint(data: bytes, at: int) -> tuple[int, int]:
    """(number, where it ends). Raises ValueError, and IndexError at the end of the data."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise ValueError("varint overflow")


def fields(data: bytes) -> Iterator[tuple[int, int, Any]]:
    """(number, wire type, value): ints as sent, bytes for what has a length. Raises as `varint` does."""
    at, end = 0, len(data)
    while at < end:
        tag, at = varint(data, at)
        wire = tag & 7
        if wire == VARINT:
            value: Any
            value, at = varint(data, at)
        elif wire == BYTES:
            size, at = varint(data, at)
            if at + size > end:
                raise ValueError("unexpected EOF")
            value = data[at : at + size]
            at += size
        elif wire == FIXED64:
            value, at = data[at : at + 8], at + 8
        elif wire == FIXED32:
            value, at = data[at : at + 4], at + 4
        else:
            raise ValueError(f"wrong wireType = {wire}")
        yield tag >> 3, wire, value
