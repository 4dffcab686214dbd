"""SPDY/3.1 framing without I/O: bytes in, events out; commands in, bytes out.

Kubernetes still speaks SPDY where HTTP/2 and WebSocket came too late: exec, attach and port-forward of container
runtimes and older clients. Only what those use is here: streams with headers, data, half-close, reset, ping, goaway.
Flow-control windows are not kept, because the peers in use (moby/spdystream) neither send nor honour window updates;
back-pressure is the socket's.

Facts come from the SPDY/3 draft (chromium.org/spdy/spdy-protocol). Headers are compressed over the life of the
connection, one zlib stream per direction, primed with a dictionary of 1,423 bytes that both ends know.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from typing import NamedTuple

_WORDS = (
    "options head post put delete trace accept accept-charset accept-encoding accept-language accept-ranges age allow "
    "authorization cache-control connection content-base content-encoding content-language content-length "
    "content-location content-md5 content-range content-type date etag expect expires from host if-match "
    "if-modified-since if-none-match if-range if-unmodified-since last-modified location max-forwards pragma "
    "proxy-authenticate proxy-authorization range referer retry-after server te trailer transfer-encoding upgrade "
    "user-agent vary via warning www-authenticate method get status 200_OK version HTTP/1.1 url public set-cookie "
    "keep-alive origin"
)
_TAIL = (
    "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505203 Non-Authoritative "
    "Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden404 Not Found500 "
    "Internal Server Error501 Not Implemented503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec "
    "00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,image/gif,application/xml,"
    "application/xhtml+xml,text/plain,text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-8"
    "charset=iso-8859-1,utf-,*,enq=0."
)
DICTIONARY = (
    b"".join(struct.pack(">I", len(word)) + word.replace("_", " ").encode() for word in _WORDS.split()) + _TAIL.encode()
)

VERSION = 3
SYN_STREAM, SYN_REPLY, RST_STREAM, SETTINGS, PING, GOAWAY, HEADERS, WINDOW_UPDATE = 1, 2, 3, 4, 6, 7, 8, 9
FLAG_FIN = 0x01
PROTOCOL_ERROR, REFUSED_STREAM, CANCEL = 1, 3, 5

# A frame's length has 24 bits; smaller frames let streams of one connection take turns.
MAX_DATA = 32 * 1024
MAX_HEADERS = 256 * 1024


class ProtocolError(Exception):
    """The peer broke the protocol; the connection is of no more use."""


class StreamOpened(NamedTuple):
    """The peer opened a stream; answer with `reply` or `reset`."""

    stream: int
    headers: Mapping[str, str]
    ended: bool


class Replied(NamedTuple):
    """The peer accepted a stream of ours."""

    stream: int
    headers: Mapping[str, str]
    ended: bool


class Data(NamedTuple):
    stream: int
    data: bytes
    ended: bool


class Reset(NamedTuple):
    """The peer gave the stream up, both ways."""

    stream: int
    status: int


class GoneAway(NamedTuple):
    """The peer accepts no more streams."""

    last_stream: int


Event = StreamOpened | Replied | Data | Reset | GoneAway


class Connection:
    """One end of a SPDY connection.

    Flow: give what arrives to `receive`, act on its events; send what every method returns and what
    `pending` holds after `receive` (answers to pings), in order.
    """

    def __init__(self, *, client: bool) -> None:
        self._next = 1 if client else 2
        self._buffer = bytearray()
        self._deflate = zlib.compressobj(level=6, wbits=15, zdict=DICTIONARY)
        self._inflate = zlib.decompressobj(zdict=DICTIONARY)
        self._ours = 1 if client else 0
        self.pending = bytearray()

    def open(self, headers: Mapping[str, str], *, end: bool = False) -> tuple[int, bytes]:
        """A new stream: its id, and the bytes that open it."""
        stream = self._next
        self._next += 2
        body = struct.pack(">IIBB", stream, 0, 0, 0) + self._pack_headers(headers)
        return stream, _control(SYN_STREAM, FLAG_FIN if end else 0, body)

    def reply(self, stream: int, headers: Mapping[str, str] | None = None, *, end: bool = False) -> bytes:
        body = struct.pack(">I", stream) + self._pack_headers(headers or {})
        return _control(SYN_REPLY, FLAG_FIN if end else 0, body)

    def data(self, stream: int, data: bytes, *, end: bool = False) -> bytes:
        """Data in frames of at most MAX_DATA; with `end`, the last closes our direction."""
        pieces = [data[at : at + MAX_DATA] for at in range(0, len(data), MAX_DATA)] or [b""]
        framed = bytearray()
        for number, piece in enumerate(pieces, 1):
            flags = FLAG_FIN if end and number == len(pieces) else 0
            framed += struct.pack(">II", stream, (flags << 24) | len(piece)) + piece
        return bytes(framed)

    def reset(self, stream: int, status: int = CANCEL) -> bytes:
        return _control(RST_STREAM, 0, struct.pack(">II", stream, status))

    def go_away(self) -> bytes:
        return _control(GOAWAY, 0, struct.pack(">II", 0, 0))

    def ping(self, number: int) -> bytes:
        return _control(PING, 0, struct.pack(">I", number))

    def receive(self, data: bytes) -> list[Event]:
        """The events in what arrived so far. Raises ProtocolError."""
        self._buffer += data
        events: list[Event] = []
        while len(self._buffer) >= 8:
            first, second = struct.unpack_from(">II", self._buffer)
            flags, length = second >> 24, second & 0xFFFFFF
            if len(self._buffer) < 8 + length:
                break
            body = bytes(self._buffer[8 : 8 + length])
            del self._buffer[: 8 + length]
            if first & 0x8000_0000:
                event = self._control(first, flags, body)
            else:
                event = Data(first & 0x7FFF_FFFF, body, bool(flags & FLAG_FIN))
            if event is not None:
                events.append(event)
        return events

    def _control(self, first: int, flags: int, body: bytes) -> Event | None:
        version, kind = (first >> 16) & 0x7FFF, first & 0xFFFF
        if version != VERSION:
            raise ProtocolError(f"SPDY version {version}, not {VERSION}")
        ended = bool(flags & FLAG_FIN)
        try:
            match kind:
                case 1:  # SYN_STREAM
                    return StreamOpened(_id(body), self._unpack_headers(body[10:]), ended)
                case 2:  # SYN_REPLY
                    return Replied(_id(body), self._unpack_headers(body[4:]), ended)
                case 3:  # RST_STREAM
                    return Reset(_id(body), struct.unpack_from(">I", body, 4)[0])
                case 6:  # PING: odd ones are the client's; the peer's go back as they came
                    if _id(body) % 2 != self._ours:
                        self.pending += self.ping(_id(body))
                case 7:  # GOAWAY
                    return GoneAway(_id(body))
                case 8:  # HEADERS: of no use here, but the inflater must see them
                    self._unpack_headers(body[4:])
        except (struct.error, zlib.error, UnicodeDecodeError) as error:
            raise ProtocolError(f"malformed control frame of type {kind}: {error}") from None
        return None

    def _pack_headers(self, headers: Mapping[str, str]) -> bytes:
        block = bytearray(struct.pack(">I", len(headers)))
        for name, value in headers.items():
            for text in (name.lower().encode(), value.encode()):
                block += struct.pack(">I", len(text)) + text
        return self._deflate.compress(bytes(block)) + self._deflate.flush(zlib.Z_SYNC_FLUSH)

    def _unpack_headers(self, packed: bytes) -> dict[str, str]:
        block = self._inflate.decompress(packed, MAX_HEADERS)
        if self._inflate.unconsumed_tail:
            raise ProtocolError("headers too large")
        (count,) = struct.unpack_from(">I", block)
        at, texts = 4, []
        for _ in range(2 * count):
            (length,) = struct.unpack_from(">I", block, at)
            if at + 4 + length > len(block):
                raise ProtocolError("header block cut short")
            texts.append(block[at + 4 : at + 4 + length].decode())
            at += 4 + length
        return dict(zip(texts[::2], texts[1::2], strict=True))


def _id(body: bytes) -> int:
    (stream,) = struct.unpack_from(">I", body)
    return int(stream) & 0x7FFF_FFFF


def _control(kind: int, flags: int, body: bytes) -> bytes:
    return struct.pack(">HHI", 0x8000 | VERSION, kind, (flags << 24) | len(body)) + body
