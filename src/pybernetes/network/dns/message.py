"""DNS messages: queries read, answers written. Names are texts in lower case, without the dot at the end. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype

A, AAAA, CNAME = dns.rdatatype.A, dns.rdatatype.AAAA, dns.rdatatype.CNAME
PTR, SRV, TXT = dns.rdatatype.PTR, dns.rdatatype.SRV, dns.rdatatype.TXT
ADDRESSES = (A, AAAA)
NO_ERROR, FORMAT_ERROR, SERVER_FAILURE = dns.rcode.NOERROR, dns.rcode.FORMERR, dns.rcode.SERVFAIL
NO_SUCH_NAME, NOT_IMPLEMENTED = dns.rcode.NXDOMAIN, dns.rcode.NOTIMP

PLAIN_SIZE = 512
# What fits into one packet on any network: larger UDP answers are cut, whatever the asker would take.
MAX_UDP_SIZE = 1232
MAX_SIZE = 65535
_HEADER = 12
_INTERNET = dns.rdataclass.IN


class Malformed(Exception):
    """Not a message, or one that breaks off; or a name that cannot be."""


class NotUnderstood(Exception):
    """No plain question: a status, a notification, an update."""


@dataclass(frozen=True, slots=True)
class Query:
    """One question."""

    message: dns.message.Message
    name: str
    type: int

    @property
    def room(self) -> int:
        """For an answer over UDP, in bytes."""
        if self.message.edns < 0:
            return PLAIN_SIZE
        return max(PLAIN_SIZE, min(self.message.payload, MAX_UDP_SIZE))


class Record(NamedTuple):
    """`ttl` in seconds."""

    name: str
    ttl: int
    data: dns.rdata.Rdata

    @property
    def type(self) -> int:
        return int(self.data.rdtype)

    @property
    def text(self) -> str:
        """The data, as zone files have it."""
        return self.data.to_text()


def address(name: str, ip: str, ttl: int) -> Record:
    return _record(name, ttl, A if ipaddress.ip_address(ip).version == 4 else AAAA, ip)


def alias(name: str, target: str, ttl: int) -> Record:
    """Raises Malformed, as do all that name others."""
    return _record(name, ttl, CNAME, f"{target}.")


def pointer(name: str, target: str, ttl: int) -> Record:
    return _record(name, ttl, PTR, f"{target}.")


def service(name: str, *, weight: int, port: int, target: str, ttl: int) -> Record:
    return _record(name, ttl, SRV, f"0 {weight} {port} {target}.")


def text(name: str, value: str, ttl: int) -> Record:
    return _record(name, ttl, TXT, f'"{value}"')


def authority(zone: str, ttl: int) -> Record:
    """Who says that there is no such thing, and for how long that holds."""
    return _record(zone, ttl, dns.rdatatype.SOA, f"ns.dns.{zone}. hostmaster.{zone}. 1 7200 1800 86400 {ttl}")


def target(record: Record) -> str:
    """The name that an alias or a pointer leads to."""
    name: dns.name.Name = getattr(record.data, "target", dns.name.root)
    return _shown(name)


def query(number: int, name: str, kind: int) -> bytes:
    """The question for another server, whose recursion is desired. Raises Malformed."""
    return dns.message.make_query(_name(name), dns.rdatatype.RdataType.make(kind), id=number).to_wire()


def parse_query(data: bytes) -> Query:
    """Raises Malformed, also for what is an answer, and for more than one question; NotUnderstood."""
    found = _parse(data)
    if found.flags & dns.flags.QR:
        raise Malformed("an answer")
    if found.opcode() != dns.opcode.QUERY:
        raise NotUnderstood(dns.opcode.to_text(found.opcode()))
    if len(found.question) != 1:
        raise Malformed("not one question")
    (question,) = found.question
    return Query(found, _shown(question.name), question.rdtype)


def parse_answers(data: bytes) -> list[Record]:
    """Addresses and aliases that a server answered. Raises Malformed."""
    return [
        Record(_shown(rrset.name), rrset.ttl, one)
        for rrset in _parse(data).answer
        if rrset.rdtype in (*ADDRESSES, CNAME)
        for one in rrset
    ]


def answer(
    asked: Query,
    code: dns.rcode.Rcode,
    answers: Sequence[Record] = (),
    *,
    authorities: Sequence[Record] = (),
    additional: Sequence[Record] = (),
    room: int = MAX_SIZE,
    authoritative: bool = True,
) -> bytes:
    """What does not fit into `room` bytes is left out, and the answer says so: the asker comes back over TCP."""
    made = dns.message.make_response(asked.message, recursion_available=True, our_payload=MAX_UDP_SIZE)
    made.set_rcode(code)
    if authoritative:
        made.flags |= dns.flags.AA
    sections = ((made.answer, answers), (made.authority, authorities), (made.additional, additional))
    for section, records in sections:
        for record in records:
            kind = record.data.rdtype
            rrset = made.find_rrset(section, _name(record.name), _INTERNET, kind, create=True)
            rrset.add(record.data, record.ttl)
    try:
        return _wire(made, room)
    except dns.exception.TooBig:
        made.additional.clear()
    try:
        return _wire(made, room)
    except dns.exception.TooBig:
        made.answer.clear()
        made.authority.clear()
        made.flags |= dns.flags.TC
        return _wire(made, room)


def refusal(data: bytes, code: dns.rcode.Rcode) -> bytes:
    """The answer to what could not be read; b"" where there is not even a number to answer to, or it is an answer."""
    if len(data) < _HEADER:
        return b""
    number, flags = (int.from_bytes(data[at : at + 2], "big") for at in (0, 2))
    if flags & dns.flags.QR:
        return b""
    made = dns.message.Message(id=number)
    made.flags = dns.flags.QR | (flags & dns.flags.RD)
    made.set_opcode(dns.opcode.from_flags(flags))
    made.set_rcode(code)
    return made.to_wire()


def _wire(made: dns.message.Message, room: int) -> bytes:
    # In what order records come is decided by whoever gives them.
    return made.to_wire(max_size=room, want_shuffle=False)


def _parse(data: bytes) -> dns.message.Message:
    try:
        return dns.message.from_wire(data, ignore_trailing=True)
    except (dns.exception.DNSException, ValueError) as error:
        raise Malformed(str(error)) from None


def _record(name: str, ttl: int, kind: dns.rdatatype.RdataType, data: str) -> Record:
    """`data` as zone files have it."""
    try:
        return Record(name, ttl, dns.rdata.from_text(_INTERNET, kind, data))
    except dns.exception.DNSException as error:
        raise Malformed(f"{data!r}: {error}") from None


def _name(text: str) -> dns.name.Name:
    try:
        return dns.name.from_text(text)
    except dns.exception.DNSException as error:
        raise Malformed(f"no name: {text!r}: {error}") from None


def _shown(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True).lower()
