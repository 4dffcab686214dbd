"""The server's side of WebSockets (RFC 6455) for answers that only go one way: container logs.

Connections that are a conversation (exec, port-forward) are carried to the kubelet, and end there.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator
from typing import Protocol

from pybernetes.api import errors
from pybernetes.apiserver import request as requests
from pybernetes.apiserver import results

# Of the messages; without a choice they are the bytes themselves.
BINARY, BASE64 = "binary.k8s.io", "base64.binary.k8s.io"
TEXT_FRAME, BINARY_FRAME, CLOSE, PING, PONG = 1, 2, 8, 9, 10
DONE = (1000).to_bytes(2, "big")
MAX_CONTROL = 125
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_FINAL, _MASKED, _RESERVED = 0x80, 0x80, 0x70
_MASK_SIZE = 4


class Malformed(Exception):
    """The client breaks the protocol."""


class Connection(Protocol):
    def write(self, data: bytes) -> None: ...
    async def drained(self) -> None: ...
    def divert(self, sink: Callable[[bytes], None]) -> None: ...
    def close(self) -> None: ...


def is_wanted(request: requests.Request) -> bool:
    return request.header("upgrade").lower() == "websocket" and "upgrade" in request.header("connection").lower()


async def stream(connection: Connection, request: requests.Request, streamed: results.Streamed) -> None:
    """Send the parts of the answer as messages, then close. Raises StatusError before anything is sent."""
    head, chosen = accept(request)
    incoming = Incoming()

    def receive(data: bytes) -> None:
        try:
            for kind, payload in incoming.feed(data):
                if kind == PING:
                    connection.write(frame(PONG, payload))
                elif kind == CLOSE:
                    connection.write(frame(CLOSE, payload[: len(DONE)]))
                    connection.close()
        except Malformed:
            connection.close()

    is_text = chosen == BASE64
    # An empty message tells the client that the connection stands, before there is any log.
    connection.write(head + frame(TEXT_FRAME if is_text else BINARY_FRAME, b""))
    connection.divert(receive)
    try:
        async for part in streamed.chunks:
            if part:
                sent = frame(TEXT_FRAME, base64.b64encode(part)) if is_text else frame(BINARY_FRAME, part)
                connection.write(sent)
                await connection.drained()
        connection.write(frame(CLOSE, DONE))
    finally:
        connection.close()


def accept(request: requests.Request) -> tuple[bytes, str]:
    """The head of the answer, and the protocol: the first of the client's that is known. Raises StatusError."""
    key = request.header("sec-websocket-key")
    if not key or request.header("sec-websocket-version") != "13":
        raise errors.bad_request("the request is not a WebSocket's of version 13")
    offered = [name.strip() for name in request.header("sec-websocket-protocol").split(",") if name.strip()]
    chosen = next((name for name in offered if name in (BINARY, BASE64)), "")
    if offered and not chosen:
        listed = f"requested protocol(s) are not supported: {offered}; supports {[BINARY, BASE64]}"
        raise errors.error(403, "Forbidden", listed)
    answer = base64.b64encode(hashlib.sha1(key.encode("latin-1") + _GUID, usedforsecurity=False).digest())
    head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    head += b"Sec-WebSocket-Accept: %b\r\n" % answer
    if chosen:
        head += b"Sec-WebSocket-Protocol: %b\r\n" % chosen.encode()
    return head + b"\r\n", chosen


def frame(kind: int, payload: bytes) -> bytes:
    size = len(payload)
    if size <= MAX_CONTROL:
        head = bytes((_FINAL | kind, size))
    elif size < 1 << 16:
        head = bytes((_FINAL | kind, 126)) + size.to_bytes(2, "big")
    else:
        head = bytes((_FINAL | kind, 127)) + size.to_bytes(8, "big")
    return head + payload


class Incoming:
    """The client's frames: control frames are told, what else it says is passed over without being kept."""

    def __init__(self) -> None:
        self._held = b""
        self._skip = 0

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Raises Malformed."""
        self._held += data
        while True:
            passed = min(self._skip, len(self._held))
            self._held, self._skip = self._held[passed:], self._skip - passed
            if self._skip or len(self._held) < 2:
                return
            kind, size, at = self._held[0] & 0x0F, self._held[1] & ~_MASKED, 2
            if self._held[0] & _RESERVED or not self._held[1] & _MASKED:
                raise Malformed("a frame with extensions, or one that is not masked")
            if size > MAX_CONTROL:
                width = 2 if size == 126 else 8
                if len(self._held) < at + width:
                    return
                size, at = int.from_bytes(self._held[at : at + width], "big"), at + width
            if kind < CLOSE:
                self._skip = at + _MASK_SIZE + size
                continue
            if size > MAX_CONTROL:
                raise Malformed("too long a control frame")
            end = at + _MASK_SIZE + size
            if len(self._held) < end:
                return
            mask, masked = self._held[at : at + _MASK_SIZE], self._held[at + _MASK_SIZE : end]
            self._held = self._held[end:]
            yield kind, bytes(byte ^ mask[number % _MASK_SIZE] for number, byte in enumerate(masked))
