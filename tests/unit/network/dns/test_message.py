from __future__ import annotations

import contextlib

import dns.flags
import dns.message
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybernetes.network.dns import message


def asked(name: str, kind: int = message.A, *, size: int | None = None) -> message.Query:
    """As it comes from somebody who takes so many bytes over UDP."""
    return message.parse_query(question(name, kind, size=size))


def question(name: str, kind: int = message.A, *, size: int | None = None) -> bytes:
    made = dns.message.make_query(name, kind, id=7)
    if size is not None:
        made.use_edns(payload=size)
    return made.to_wire()


def test_a_query_is_read() -> None:
    found = message.parse_query(message.query(7, "Web.default.SVC.cluster.local", message.A))
    assert (found.name, found.type, found.room) == ("web.default.svc.cluster.local", message.A, 512)


def test_how_much_an_asker_takes() -> None:
    assert asked("web", message.AAAA, size=4096).room == message.MAX_UDP_SIZE
    assert asked("web", size=100).room == message.PLAIN_SIZE


def test_an_answer_repeats_the_question_as_it_was_written() -> None:
    answer = message.answer(asked("wEb.x"), message.NO_ERROR, [message.address("web.x", "10.96.0.7", 5)])
    assert answer[:2] == b"\0\7"
    assert b"\3wEb\1x\0" in answer
    # The owner points to the question; type, class, time to live, length, address.
    assert answer.endswith(b"\xc0\x0c\0\1\0\1\0\0\0\5\0\4\x0a\x60\0\7")
    (found,) = message.parse_answers(answer)
    assert (found.name, found.type, found.ttl, found.text) == ("web.x", message.A, 5, "10.96.0.7")


def test_answers_come_in_their_order_with_what_they_are_aliases_of() -> None:
    records = [
        message.alias("a.example.org", "B.example.org", 9),
        *(message.address("b.example.org", ip, 9) for ip in ("10.0.0.3", "10.0.0.1", "10.0.0.2")),
    ]
    found = message.parse_answers(message.answer(asked("a.example.org"), message.NO_ERROR, records))
    assert message.target(found[0]) == "b.example.org"
    assert [record.text for record in found[1:]] == ["10.0.0.3", "10.0.0.1", "10.0.0.2"]


def test_what_does_not_fit_is_to_be_asked_for_over_tcp() -> None:
    many = asked("many")
    records = [message.address("many", f"10.0.0.{number}", 5) for number in range(40)]
    cut = message.answer(many, message.NO_ERROR, records, room=many.room)
    assert len(cut) <= 512
    read = dns.message.from_wire(cut)
    assert (bool(read.flags & dns.flags.TC), read.answer) == (True, [])
    assert len(message.parse_answers(message.answer(many, message.NO_ERROR, records))) == 40


def test_extras_go_before_answers_do() -> None:
    many = asked("many", message.SRV, size=4096)
    records = [message.service("many", weight=1, port=80, target=f"h{number}", ttl=5) for number in range(40)]
    extras = [message.address(f"h{number}", "10.0.0.1", 5) for number in range(40)]
    cut = dns.message.from_wire(message.answer(many, message.NO_ERROR, records, additional=extras, room=many.room))
    # EDNS is answered with EDNS.
    assert (cut.flags & dns.flags.TC, len(cut.answer[0]), cut.additional, cut.edns) == (0, 40, [], 0)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0\1",
        question("a")[:-1],
        question("a")[:12] + b"\xc0\x0c\0\1\0\1",
        question("a")[:12] + b"\x3fabc",
        question("a")[:12] + b"\x80abc",
        question("a")[:4] + b"\0\2" + question("a")[6:],
        question("a")[:2] + b"\x80" + question("a")[3:],
        bytes(12),
    ],
)
def test_what_is_no_question(data: bytes) -> None:
    with pytest.raises(message.Malformed):
        message.parse_query(data)


def test_what_is_no_plain_question() -> None:
    with pytest.raises(message.NotUnderstood, match="NOTIFY"):
        message.parse_query(question("a")[:2] + (4 << 11).to_bytes(2, "big") + question("a")[4:])


def test_refusals() -> None:
    assert message.refusal(b"\0", message.FORMAT_ERROR) == b""
    # An answer is never answered: two servers would go on for ever.
    assert message.refusal(b"\0\1\x80" + bytes(9), message.FORMAT_ERROR) == b""
    assert message.refusal(b"\0\1" + bytes(10), message.FORMAT_ERROR) == b"\0\1\x80\1" + bytes(8)


@pytest.mark.parametrize("name", ["a" * 64, "a..b", ".".join(["a" * 60] * 5)])
def test_names_that_cannot_be(name: str) -> None:
    with pytest.raises(message.Malformed):
        message.query(1, name, message.A)
    with pytest.raises(message.Malformed):
        message.alias("a", name, 5)


@given(st.binary(max_size=80), st.booleans())
def test_nothing_else_comes_of_noise(noise: bytes, framed: bool) -> None:
    data = question("a")[:12] + noise if framed else noise
    for read in (message.parse_query, message.parse_answers):
        with contextlib.suppress(message.Malformed, message.NotUnderstood):
            read(data)
