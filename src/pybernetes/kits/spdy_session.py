"""Streams over a SPDY connection for asyncio: what `kits.spdy` frames, with reading, writing and back-pressure.

A `Session` does not care what carries its bytes: a socket (`Socket` below, after an HTTP upgrade) or WebSocket
messages (port-forward tunnels). When the streams hold more than HIGH_WATER unread bytes the carrier is asked to
pause; SPDY's own flow control is not in use (see `kits.spdy`).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping

from pybernetes.kits import spdy

HIGH_WATER = 1 << 20


class Stream:
    """One stream: two directions that end separately."""

    def __init__(self, session: Session, number: int, headers: Mapping[str, str]) -> None:
        self.number = number
        self.headers = headers
        self.accepted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._session = session
        self._chunks: deque[bytes] = deque()
        self._readable = asyncio.Event()
        self._ended = False
        self._ended_here = False
        self._discard = False

    async def read(self) -> bytes:
        """The next bytes; b"" once the far side has ended the stream or the connection is gone."""
        while not self._chunks:
            if self._ended:
                return b""
            self._readable.clear()
            await self._readable.wait()
        chunk = self._chunks.popleft()
        self._session.consumed(len(chunk))
        return chunk

    async def read_all(self) -> bytes:
        return b"".join([chunk async for chunk in self])

    def __aiter__(self) -> Stream:
        return self

    async def __anext__(self) -> bytes:
        chunk = await self.read()
        if not chunk:
            raise StopAsyncIteration
        return chunk

    async def write(self, data: bytes) -> None:
        """Raises ConnectionError once either side has given the stream up."""
        if self._ended_here:
            raise ConnectionResetError("stream closed")
        await self._session.send(self._session.framing.data(self.number, data))

    async def end(self) -> None:
        """Close our direction."""
        if not self._ended_here:
            self._ended_here = True
            await self._session.send(self._session.framing.data(self.number, b"", end=True))
            self._forget_when_done()

    def reset(self) -> None:
        """Give both directions up."""
        if not (self._ended and self._ended_here):
            self._session.send_now(self._session.framing.reset(self.number))
        self.discard()
        self.finish(reset=True)

    def discard(self) -> None:
        """Drop what arrives from now on, so that it holds up no other stream."""
        self._discard = True
        while self._chunks:
            self._session.consumed(len(self._chunks.popleft()))

    def arrived(self, data: bytes) -> None:
        if data and not self._discard and not self._ended:
            self._chunks.append(data)
            self._session.buffered(len(data))
            self._readable.set()

    def finish(self, *, reset: bool = False) -> None:
        self._ended = True
        self._ended_here = self._ended_here or reset
        self._readable.set()
        if not self.accepted.done():
            self.accepted.set_exception(ConnectionResetError("stream refused"))
            self.accepted.exception()
        self._forget_when_done()

    def _forget_when_done(self) -> None:
        if self._ended and self._ended_here:
            self._session.forget(self.number)


class Session:
    """One end of a connection. Feed it bytes with `feed`, tell it of the end with `lost`."""

    def __init__(
        self,
        *,
        client: bool,
        write: Callable[[bytes], None],
        drain: Callable[[], Awaitable[None]],
        pause: Callable[[bool], None] = lambda _: None,
    ) -> None:
        self.framing = spdy.Connection(client=client)
        self._write, self._drain, self._pause = write, drain, pause
        self._streams: dict[int, Stream] = {}
        self._incoming: asyncio.Queue[Stream | None] = asyncio.Queue()
        self._held = 0
        self._paused = False
        self._lost = False

    async def open(self, headers: Mapping[str, str]) -> Stream:
        """A new stream, accepted by the far side. Raises ConnectionError."""
        number, opening = self.framing.open(headers)
        stream = self._streams[number] = Stream(self, number, headers)
        await self.send(opening)
        await stream.accepted
        return stream

    async def accept(self) -> Stream | None:
        """The next stream that the far side opens; None once the connection is gone."""
        return await self._incoming.get()

    def feed(self, data: bytes) -> None:
        """Raises spdy.ProtocolError."""
        for event in self.framing.receive(data):
            self._handle(event)
        if self.framing.pending:
            answers = bytes(self.framing.pending)
            self.framing.pending.clear()
            self.send_now(answers)

    def _handle(self, event: spdy.Event) -> None:
        if isinstance(event, spdy.StreamOpened):
            stream = self._streams[event.stream] = Stream(self, event.stream, event.headers)
            stream.accepted.set_result(None)
            self.send_now(self.framing.reply(event.stream))
            self._incoming.put_nowait(stream)
        elif isinstance(event, spdy.GoneAway):
            return
        found = self._streams.get(event.stream)
        if found is None:
            return
        if isinstance(event, spdy.Reset):
            found.finish(reset=True)
            return
        if isinstance(event, spdy.Replied) and not found.accepted.done():
            found.accepted.set_result(None)
        if isinstance(event, spdy.Data):
            found.arrived(event.data)
        if event.ended:
            found.finish()

    def lost(self) -> None:
        """The carrier is gone: every stream ends."""
        self._lost = True
        for stream in list(self._streams.values()):
            stream.finish(reset=True)
        self._incoming.put_nowait(None)

    async def send(self, data: bytes) -> None:
        self.send_now(data)
        await self._drain()

    def send_now(self, data: bytes) -> None:
        if self._lost:
            raise ConnectionResetError("connection lost")
        self._write(data)

    def buffered(self, size: int) -> None:
        self._held += size
        if self._held > HIGH_WATER and not self._paused:
            self._paused = True
            self._pause(True)

    def consumed(self, size: int) -> None:
        self._held -= size
        if self._paused and self._held <= HIGH_WATER // 2:
            self._paused = False
            self._pause(False)

    def forget(self, number: int) -> None:
        self._streams.pop(number, None)


class Socket(asyncio.Protocol):
    """Carries a session over a stream transport, as a client also through the HTTP upgrade that comes first."""

    def __init__(self, *, client: bool) -> None:
        self._transport: asyncio.Transport | None = None
        self._head: asyncio.Future[bytes] | None = None
        self._buffer = bytearray()
        self._writable = asyncio.Event()
        self._writable.set()
        self.session = Session(client=client, write=self._send, drain=self._drained, pause=self._hold)

    async def upgrade(self, request: bytes) -> bytes:
        """Send the request's head; the response's head, up to its empty line. Raises ConnectionError."""
        self._head = asyncio.get_running_loop().create_future()
        self._send(request)
        try:
            return await self._head
        finally:
            self._head = None

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def close_when_sent(self) -> None:
        """Say goodbye; what has been written is still sent."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(self.session.framing.go_away())
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport) or hasattr(transport, "write")
        self._transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        if self._head is not None and not self._head.done():
            self._buffer += data
            head, end, rest = bytes(self._buffer).partition(b"\r\n\r\n")
            if not end:
                return
            self._head.set_result(head)
            self._buffer.clear()
            data = rest
        try:
            self.session.feed(data)
        except spdy.ProtocolError:
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._writable.set()
        if self._head is not None and not self._head.done():
            self._head.set_exception(ConnectionResetError("connection closed before the upgrade"))
        self.session.lost()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def _send(self, data: bytes) -> None:
        if self._transport is None:
            raise ConnectionResetError("connection lost")
        self._transport.write(data)

    async def _drained(self) -> None:
        await self._writable.wait()

    def _hold(self, hold: bool) -> None:
        if self._transport is not None and not self._transport.is_closing():
            if hold:
                self._transport.pause_reading()
            else:
                self._transport.resume_reading()
