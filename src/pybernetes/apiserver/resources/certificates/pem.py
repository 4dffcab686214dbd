"""PEM as Go reads it: blocks are found one after the other, and whatever lies between them is passed over."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from typing import NamedTuple

_BLOCK = re.compile(
    rb"(?:\A|(?<=\n))-----BEGIN ([^\n]*?)-----[ \t]*\r?\n(.*?)(?:\A|(?<=\n))-----END \1-----[ \t]*(?:\r?\n|\Z)",
    re.DOTALL,
)
_HEADER = re.compile(rb"([^:\n]+):([^\n]*)\n")


class Block(NamedTuple):
    """What stands between BEGIN and END."""

    type: str
    has_headers: bool
    data: bytes


def blocks(text: bytes) -> Iterator[Block]:
    """All well-formed blocks."""
    for match in _BLOCK.finditer(text):
        body, headers = match[2], False
        while (header := _HEADER.match(body)) is not None:
            headers = True
            body = body[header.end() :]
        try:
            data = base64.b64decode(b"".join(body.split()), validate=True)
        except binascii.Error:
            continue
        yield Block(match[1].decode(errors="replace"), headers, data)
