from __future__ import annotations

import asyncio
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybernetes.kits import channels, spdy, spdy_session


def test_the_dictionary_is_the_drafts() -> None:
    assert len(spdy.DICTIONARY) == 1423
    assert zlib.adler32(spdy.DICTIONARY) == 0xE3C6A7C2


@given(st.lists(st.binary(max_size=100_000), max_size=4), st.integers(1, 5000))
def test_what_is_sent_arrives_however_it_is_cut(chunks: list[bytes], size: int) -> None:
    client, server = spdy.Connection(client=True), spdy.Connection(client=False)
    stream, sent = client.open({"streamtype": "data", "Port": "80"})
    for chunk in chunks:
        sent += client.data(stream, chunk)
    sent += client.data(stream, b"", end=True)
    events = [event for at in range(0, len(sent), size) for event in server.receive(sent[at : at + size])]
    assert events[0] == spdy.StreamOpened(1, {"streamtype": "data", "port": "80"}, False)
    data = [event for event in events if isinstance(event, spdy.Data)]
    assert b"".join(event.data for event in data) == b"".join(chunks)
    assert [event.ended for event in data].index(True) == len(data) - 1


def test_pings_of_the_peer_are_answered() -> None:
    client, server = spdy.Connection(client=True), spdy.Connection(client=False)
    assert server.receive(client.ping(1)) == []
    assert bytes(server.pending) == client.ping(1)


@given(st.binary(min_size=8, max_size=200))
def test_garbage_never_does_worse_than_a_protocol_error(data: bytes) -> None:
    try:
        spdy.Connection(client=False).receive(data)
    except spdy.ProtocolError:
        return


async def pair() -> tuple[spdy_session.Session, spdy_session.Session]:
    sessions: list[spdy_session.Session] = []

    async def drained() -> None:
        await asyncio.sleep(0)

    client = spdy_session.Session(client=True, write=lambda data: sessions[1].feed(data), drain=drained)
    server = spdy_session.Session(client=False, write=lambda data: sessions[0].feed(data), drain=drained)
    sessions += [client, server]
    return client, server


async def test_a_session_half_closes() -> None:
    client, server = await pair()
    mine = await client.open({"streamtype": "stdin"})
    theirs = await server.accept()
    assert theirs is not None
    await mine.write(b"hello")
    await mine.end()
    assert await theirs.read_all() == b"hello"
    await theirs.write(b"bye")
    await theirs.end()
    assert await mine.read_all() == b"bye"


async def test_a_lost_connection_ends_every_stream() -> None:
    client, _ = await pair()
    stream = await client.open({})
    client.lost()
    assert await stream.read() == b""
    assert await client.accept() is None
    with pytest.raises(ConnectionError):
        await stream.write(b"x")


@pytest.mark.parametrize("protocol", channels.PROTOCOLS)
def test_channels_round_trip(protocol: str) -> None:
    payload = channels.encode(channels.STDOUT, b"\x00\xffdata", protocol)
    assert channels.decode(payload, protocol) == channels.Message(channels.STDOUT, b"\x00\xffdata")


def test_v5_closes_a_channel() -> None:
    assert channels.decode(channels.close(channels.STDIN), channels.V5) == channels.Message(0, b"", closed=True)
    with pytest.raises(ValueError, match="without"):
        channels.decode(b"", channels.V5)
