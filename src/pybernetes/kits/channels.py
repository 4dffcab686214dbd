"""Several byte streams over one WebSocket: every binary message starts with the number of its channel.

v5 adds closing one channel: a message on channel 255 that names it. Text messages of the base64 variants carry the
channel as a digit. Pure.
"""

from __future__ import annotations

import base64
from typing import NamedTuple

STDIN, STDOUT, STDERR, ERROR, RESIZE = range(5)
CLOSE = 255

V5 = "v5.channel.k8s.io"
V4 = "v4.channel.k8s.io"
V4_BASE64 = "v4.base64.channel.k8s.io"
# The first ones: nobody can see how a command ended but by an error's text.
V1 = "channel.k8s.io"
V1_BASE64 = "base64.channel.k8s.io"
PROTOCOLS = (V5, V4, V4_BASE64, V1, V1_BASE64)
PLAIN_ERRORS = (V1, V1_BASE64)
TEXT = (V4_BASE64, V1_BASE64)


class Message(NamedTuple):
    """`closed` says that the far side ended the channel; there is no data then."""

    channel: int
    data: bytes
    closed: bool = False


def decode(payload: bytes | str, protocol: str) -> Message:
    """Raises ValueError."""
    if not payload:
        raise ValueError("a message without a channel")
    if protocol in TEXT:
        text = payload if isinstance(payload, str) else payload.decode("ascii")
        return Message(int(text[0]), base64.b64decode(text[1:]))
    data = payload.encode() if isinstance(payload, str) else payload
    if protocol == V5 and data[0] == CLOSE:
        if len(data) < 2:
            raise ValueError("a close without a channel")
        return Message(data[1], b"", closed=True)
    return Message(data[0], data[1:])


def encode(channel: int, data: bytes, protocol: str) -> bytes:
    """The message's payload; to be sent as text for the base64 variant, as binary for the others."""
    if protocol in TEXT:
        return str(channel).encode() + base64.b64encode(data)
    return bytes([channel]) + data


def close(channel: int) -> bytes:
    """v5: this channel carries no more from us."""
    return bytes([CLOSE, channel])
