from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
from wsproto import connection as wsconnections
from wsproto import events

from pybernetes.api import errors
from pybernetes.apiserver import request as requests
from pybernetes.apiserver import results
from pybernetes.apiserver.http import negotiate, websockets


class Connection:
    def __init__(self) -> None:
        self.written = b""
        self.closed = False
        self.sent = asyncio.Event()
        self.receive: Callable[[bytes], None] = lambda data: None

    def write(self, data: bytes) -> None:
        self.written += data

    async def drained(self) -> None:
        self.sent.set()

    def divert(self, sink: Callable[[bytes], None]) -> None:
        self.receive = sink

    def close(self) -> None:
        self.closed = True

    @property
    def frames(self) -> bytes:
        return self.written.partition(b"\r\n\r\n")[2]


def asked(protocols: str = "", **headers: str) -> requests.Request:
    given = {
        "connection": "keep-alive, Upgrade",
        "upgrade": "websocket",
        # The example of the specification.
        "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
        "sec-websocket-version": "13",
        **({"sec-websocket-protocol": protocols} if protocols else {}),
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    return requests.Request(method="GET", path="/", headers=given)


async def parts(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


def test_which_requests_are_meant() -> None:
    assert negotiate.wants_websocket(asked())
    assert not negotiate.wants_websocket(asked(upgrade="SPDY/3.1"))
    assert not negotiate.wants_websocket(asked(connection="keep-alive"))


async def test_a_log_as_messages() -> None:
    connection = Connection()
    await websockets.stream(connection, asked(), results.Streamed(parts(b"one\n", b"", b"x" * 70_000)))
    head, _, frames = connection.written.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 Switching Protocols\r\n")
    assert b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in head
    assert b"Sec-WebSocket-Protocol" not in head
    long = b"\x82\x7f" + (70_000).to_bytes(8, "big") + b"x" * 70_000
    assert frames == b"\x82\0" + b"\x82\4one\n" + long + b"\x88\2\x03\xe8"
    assert connection.closed


async def test_the_first_known_protocol_is_spoken() -> None:
    connection = Connection()
    request = asked("base64url.bearer.authorization.k8s.io.x, base64.binary.k8s.io, binary.k8s.io")
    await websockets.stream(connection, request, results.Streamed(parts(b"one\n")))
    assert b"\r\nSec-WebSocket-Protocol: base64.binary.k8s.io\r\n" in connection.written
    assert connection.frames == b"\x81\0" + b"\x81\x08b25lCg==" + b"\x88\2\x03\xe8"


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (asked("v4.channel.k8s.io"), 403),
        (asked(sec_websocket_version="8"), 400),
        (asked(sec_websocket_key=""), 400),
    ],
)
def test_what_is_refused(request_: requests.Request, code: int) -> None:
    with pytest.raises(errors.StatusError) as refused:
        websockets.accept(request_)
    assert refused.value.code == code


async def test_the_client_may_ask_and_go() -> None:
    connection, more = Connection(), asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        yield b"a"
        await more.wait()

    streaming = asyncio.ensure_future(websockets.stream(connection, asked(), results.Streamed(endless())))
    await connection.sent.wait()
    told = len(connection.frames)
    client = wsconnections.Connection(wsconnections.ConnectionType.CLIENT)
    said = client.send(events.TextMessage("y" * 200)) + client.send(events.Ping(b"there?"))
    for at in range(len(said)):
        connection.receive(said[at : at + 1])
    assert connection.frames[told:] == b"\x8a\6there?"
    assert not connection.closed
    connection.receive(client.send(events.CloseConnection(1000, "bye")))
    assert connection.frames.endswith(b"\x88\5\x03\xe8bye")
    assert connection.closed
    streaming.cancel()
    await asyncio.wait([streaming])


@pytest.mark.parametrize("data", [b"\x81\0", b"\xc1\x80\1\2\3\4", b"\x89\xfe\1\0\1\2\3\4"])
async def test_who_breaks_the_protocol_is_cut_off(data: bytes) -> None:
    connection, more = Connection(), asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        yield b"a"
        await more.wait()
        yield b"b"

    streaming = asyncio.ensure_future(websockets.stream(connection, asked(), results.Streamed(endless())))
    await connection.sent.wait()
    connection.receive(data)
    assert connection.closed
    more.set()
    await streaming
