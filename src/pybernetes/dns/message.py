"""DNS messages on the wire: queries read, answers written (RFC 1035; RFC 6891 for sizes beyond 512 bytes). Pure."""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Sequence
from dataclasses import dataclass

A, CNAME, SOA, PTR, TXT, AAAA, SRV, OPT = 1, 5, 6, 12, 16, 28, 33, 41
ADDRESSES = (A, AAAA)
INTERNET = 1
NO_ERROR, FORMAT_ERROR, SERVER_FAILURE, NO_SUCH_NAME, NOT_IMPLEMENTED = range(5)

PLAIN_SIZE = 512
# What fits into one packet on any network: larger UDP answers are cut, whatever the asker would take.
MAX_UDP_SIZE = 1232
MAX_SIZE = 65535
_MAX_NAME, _MAX_LABEL = 253, 63
_MAX_POINTERS = 32
_HEADER = struct.Struct("!6H")
_TAIL = struct.Struct("!HHIH")
_RESPONSE, _AUTHORITATIVE, _TRUNCATED, _DESIRED, _AVAILABLE = 0x8000, 0x0400, 0x0200, 0x0100, 0x0080
_OPCODE = 0x7800
_POINTER = 0xC0


class Malformed(Exception):
    """Not a message, or one that breaks off."""


@dataclass(frozen=True, slots=True)
class Query:
    """One question. `name` is in lower case, without the dot at the end; `question` is as it came.

    `size` is how many bytes the asker takes over UDP; None if it did not say, and then must not be told either.
    """

    number: int
    flags: int
    name: str
    type: int
    question: bytes
    size: int | None = None

    @property
    def room(self) -> int:
        """For an answer over UDP."""
        return PLAIN_SIZE if self.size is None else max(PLAIN_SIZE, min(self.size, MAX_UDP_SIZE))


@dataclass(frozen=True, slots=True)
class Record:
    """`data` is as on the wire, without compressed names; `ttl` in seconds."""

    name: str
    type: int
    ttl: int
    data: bytes


def address(name: str, ip: str, ttl: int) -> Record:
    parsed = ipaddress.ip_address(ip)
    return Record(name, A if parsed.version == 4 else AAAA, ttl, parsed.packed)


def alias(name: str, target: str, ttl: int) -> Record:
    return Record(name, CNAME, ttl, encode_name(target))


def pointer(name: str, target: str, ttl: int) -> Record:
    return Record(name, PTR, ttl, encode_name(target))


def service(name: str, *, weight: int, port: int, target: str, ttl: int) -> Record:
    return Record(name, SRV, ttl, struct.pack("!HHH", 0, weight, port) + encode_name(target))


def text(name: str, value: str, ttl: int) -> Record:
    return Record(name, TXT, ttl, bytes((len(value),)) + value.encode())


def authority(zone: str, ttl: int) -> Record:
    """Who says that there is no such thing, and for how long that holds."""
    names = encode_name(f"ns.dns.{zone}") + encode_name(f"hostmaster.{zone}")
    return Record(zone, SOA, ttl, names + struct.pack("!5I", 1, 7200, 1800, 86400, ttl))


def target(record: Record) -> str:
    """The name that an alias or a pointer leads to, in lower case."""
    return _read_name(record.data, 0)[0].lower()


def encode_name(name: str) -> bytes:
    """Raises Malformed for a name that DNS cannot carry."""
    encoded = bytearray()
    for label in name.rstrip(".").split(".") if name.strip(".") else ():
        data = label.encode("latin-1", errors="replace")
        if not data or len(data) > _MAX_LABEL:
            raise Malformed(f"no name: {name!r}")
        encoded += bytes((len(data),)) + data
    if len(encoded) > _MAX_NAME + 1:
        raise Malformed(f"too long a name: {name!r}")
    return bytes(encoded) + b"\0"


def query(number: int, name: str, kind: int) -> bytes:
    """The question for another server, whose recursion is desired."""
    return _HEADER.pack(number, _DESIRED, 1, 0, 0, 0) + encode_name(name) + struct.pack("!HH", kind, INTERNET)


def parse_query(data: bytes) -> Query:
    """Raises Malformed; also for what is an answer, and for more than one question."""
    number, flags, questions, answers, authorities, additional = _header(data)
    if flags & _RESPONSE or questions != 1:
        raise Malformed("not one question")
    name, at = _read_name(data, _HEADER.size)
    (kind, _), end = _unpack("!HH", data, at), at + 4
    size, at = None, end
    for _ in range(answers + authorities + additional):
        _, at = _read_name(data, at)
        extra, payload, _, length = _unpack(_TAIL.format, data, at)
        at += _TAIL.size + length
        if extra == OPT:
            size = payload
    return Query(number, flags, name.lower(), kind, data[_HEADER.size : end], size)


def is_understood(asked: Query) -> bool:
    """Whether it is a plain question: neither a status, a notification nor an update."""
    return not asked.flags & _OPCODE


def parse_answers(data: bytes) -> list[Record]:
    """Addresses and aliases that a server answered. Raises Malformed."""
    _, _, questions, answers, _, _ = _header(data)
    at = _HEADER.size
    for _ in range(questions):
        at = _read_name(data, at)[1] + 4
    found = []
    for _ in range(answers):
        name, at = _read_name(data, at)
        kind, _, ttl, length = _unpack(_TAIL.format, data, at)
        at += _TAIL.size
        if kind == CNAME:
            found.append(alias(name, _read_name(data, at)[0], ttl))
        elif kind in ADDRESSES:
            found.append(Record(name, kind, ttl, data[at : at + length]))
        at += length
    return found


def answer(
    asked: Query,
    code: int,
    answers: Sequence[Record] = (),
    *,
    authorities: Sequence[Record] = (),
    additional: Sequence[Record] = (),
    room: int = MAX_SIZE,
    authoritative: bool = True,
) -> bytes:
    """What does not fit into `room` bytes is left out, and the answer says so: the asker comes back over TCP."""
    flags = _RESPONSE | _AVAILABLE | (asked.flags & (_OPCODE | _DESIRED)) | code
    if authoritative:
        flags |= _AUTHORITATIVE
    options = [] if asked.size is None else [b"\0" + _TAIL.pack(OPT, MAX_UDP_SIZE, 0, 0)]
    sections = [
        [_encode(record, asked) for record in answers],
        [_encode(record, asked) for record in authorities],
        [*(_encode(record, asked) for record in additional), *options],
    ]
    size = _HEADER.size + len(asked.question) + sum(len(record) for section in sections for record in section)
    if size > room and additional:
        sections[2] = options
        size = _HEADER.size + len(asked.question) + sum(len(record) for section in sections for record in section)
    if size > room:
        flags |= _TRUNCATED
        sections = [[], [], options]
    header = _HEADER.pack(asked.number, flags, 1, *map(len, sections))
    return header + asked.question + b"".join(record for section in sections for record in section)


def refusal(data: bytes, code: int) -> bytes:
    """The answer to what could not be read; b"" where there is not even a number to answer to, or it is an answer."""
    if len(data) < _HEADER.size:
        return b""
    number, flags, *_ = _HEADER.unpack_from(data)
    if flags & _RESPONSE:
        return b""
    return _HEADER.pack(number, _RESPONSE | (flags & (_OPCODE | _DESIRED)) | code, 0, 0, 0, 0)


def _encode(record: Record, asked: Query) -> bytes:
    # The name asked for is at the beginning, and is pointed to there.
    name = struct.pack("!H", _POINTER << 8 | _HEADER.size) if record.name == asked.name else encode_name(record.name)
    return name + _TAIL.pack(record.type, INTERNET, record.ttl, len(record.data)) + record.data


def _header(data: bytes) -> tuple[int, ...]:
    return _unpack(_HEADER.format, data, 0)


def _unpack(form: str, data: bytes, at: int) -> tuple[int, ...]:
    try:
        return struct.unpack_from(form, data, at)
    except struct.error as error:
        raise Malformed(str(error)) from None


def _read_name(data: bytes, at: int) -> tuple[str, int]:
    """A name and where it ends; pointers to earlier names are followed."""
    labels: list[str] = []
    end, size, jumps = 0, 0, 0
    while True:
        if at >= len(data):
            raise Malformed("a name breaks off")
        length = data[at]
        if length & _POINTER == _POINTER:
            jumps += 1
            if jumps > _MAX_POINTERS:
                raise Malformed("names point in circles")
            end = end or at + 2
            at = _unpack("!H", data, at)[0] & 0x3FFF
        elif length & _POINTER:
            raise Malformed("a label of no known kind")
        elif length == 0:
            return ".".join(labels), end or at + 1
        else:
            label = data[at + 1 : at + 1 + length]
            size += length + 1
            if len(label) < length or size > _MAX_NAME + 1:
                raise Malformed("a name breaks off, or is too long")
            labels.append(label.decode("latin-1"))
            at += length + 1
