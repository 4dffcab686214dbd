from __future__ import annotations

import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybernetes.dns import message

EDNS = b"\0" + struct.pack("!HHIH", message.OPT, 4096, 0, 0)


def with_edns(asked: bytes) -> bytes:
    return asked[:10] + b"\0\1" + asked[12:] + EDNS


def test_a_query_is_read() -> None:
    asked = message.parse_query(message.query(7, "Web.default.SVC.cluster.local", message.A))
    assert (asked.number, asked.name, asked.type) == (7, "web.default.svc.cluster.local", message.A)
    assert (asked.size, asked.room) == (None, 512)


def test_how_much_an_asker_takes() -> None:
    asked = message.parse_query(with_edns(message.query(7, "web", message.AAAA)))
    assert (asked.type, asked.size, asked.room) == (message.AAAA, 4096, message.MAX_UDP_SIZE)


def test_an_answer_repeats_the_question_as_it_was_written() -> None:
    asked = message.parse_query(message.query(7, "wEb.x", message.A))
    answer = message.answer(asked, message.NO_ERROR, [message.address("web.x", "10.96.0.7", 5)])
    assert answer[:2] == b"\0\7"
    assert b"\3wEb\1x\0" in answer
    # The owner points to the question; type, class, time to live, length, address.
    assert answer.endswith(b"\xc0\x0c\0\1\0\1\0\0\0\5\0\4\x0a\x60\0\7")
    assert message.parse_answers(answer) == [message.Record("wEb.x", message.A, 5, b"\x0a\x60\0\7")]


def test_an_alias_is_read_with_its_pointers() -> None:
    asked = message.parse_query(message.query(1, "a.example.org", message.A))
    plain = message.answer(asked, message.NO_ERROR)
    # b.<example.org of the question>
    data = b"\1b\xc0\x0e"
    answer = plain[:6] + b"\0\1" + plain[8:] + b"\xc0\x0c" + struct.pack("!HHIH", message.CNAME, 1, 9, len(data)) + data
    (found,) = message.parse_answers(answer)
    assert (found.name, message.target(found), found.ttl) == ("a.example.org", "b.example.org", 9)


def test_what_does_not_fit_is_to_be_asked_for_over_tcp() -> None:
    asked = message.parse_query(message.query(7, "many", message.A))
    records = [message.address("many", f"10.0.0.{number}", 5) for number in range(40)]
    cut = message.answer(asked, message.NO_ERROR, records, room=asked.room)
    assert len(cut) <= 512
    assert struct.unpack_from("!H", cut, 2)[0] & 0x0200
    assert len(message.parse_answers(message.answer(asked, message.NO_ERROR, records))) == 40


def test_extras_go_before_answers_do() -> None:
    asked = message.parse_query(with_edns(message.query(7, "many", message.SRV)))
    records = [message.service("many", weight=1, port=80, target=f"h{number}", ttl=5) for number in range(40)]
    extras = [message.address(f"h{number}", "10.0.0.1", 5) for number in range(40)]
    cut = message.answer(asked, message.NO_ERROR, records, additional=extras, room=asked.room)
    flags, _, answers, _, additional = struct.unpack_from("!5H", cut, 2)
    # EDNS is answered with EDNS.
    assert (flags & 0x0200, answers, additional) == (0, 40, 1)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0\1",
        message.query(1, "a", 1)[:-1],
        message.query(1, "a", 1)[:12] + b"\xc0\x0c\0\1\0\1",
        message.query(1, "a", 1)[:12] + b"\x3fabc",
        message.query(1, "a", 1)[:12] + b"\x80abc",
        message.query(1, "a", 1)[:4] + b"\0\2" + message.query(1, "a", 1)[6:],
        message.query(1, "a", 1)[:2] + b"\x80" + message.query(1, "a", 1)[3:],
    ],
)
def test_what_is_no_question(data: bytes) -> None:
    with pytest.raises(message.Malformed):
        message.parse_query(data)


def test_refusals() -> None:
    assert message.refusal(b"\0", message.FORMAT_ERROR) == b""
    # An answer is never answered: two servers would go on for ever.
    assert message.refusal(b"\0\1\x80" + bytes(9), message.FORMAT_ERROR) == b""
    assert message.refusal(b"\0\1" + bytes(10), message.FORMAT_ERROR) == b"\0\1\x80\1" + bytes(8)


@pytest.mark.parametrize("name", ["a" * 64, "a..b", ".".join(["a" * 60] * 5)])
def test_names_that_cannot_be(name: str) -> None:
    with pytest.raises(message.Malformed):
        message.encode_name(name)


@given(st.binary(max_size=80), st.booleans())
def test_nothing_else_comes_of_noise(noise: bytes, framed: bool) -> None:
    data = message.query(1, "a", 1)[:12] + noise if framed else noise
    for read in (message.parse_query, message.parse_answers):
        with contextlib.suppress(message.Malformed):
            read(data)
