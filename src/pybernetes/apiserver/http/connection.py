"""One HTTP/1.1 connection: bytes in, requests to the handler, answers out.

    waiting --first byte--> reading --complete--> answering --written--> waiting
                                                     |--watch--> streaming   |--upgrade--> tunnelling

A request is answered before the next one is read from a pipelining client. Everything that can hang has an end: the
listener's sweep closes connections that are too slow to send a request, a watch that does not read its events is
dropped when its buffer is full, and a connection that goes away cancels its work.
"""

from __future__ import annotations

import asyncio
import enum
import functools
import ssl
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import httptools

from pybernetes.api import errors
from pybernetes.apiserver import request as requests
from pybernetes.apiserver.authn import x509
from pybernetes.apiserver.http import responder
from pybernetes.apiserver.http import upload as uploads

MAX_BODY = 3 * 1024 * 1024
MAX_HEAD = 1024 * 1024
# What a watcher may lag behind, in bytes not yet sent, before it is dropped.
MAX_BACKLOG = 16 * 1024 * 1024

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class State(enum.Enum):
    WAITING = enum.auto()
    READING = enum.auto()
    ANSWERING = enum.auto()
    TUNNELLING = enum.auto()
    CLOSED = enum.auto()


class Message(NamedTuple):
    """A request that has arrived; `too_large` if it was given up on the way."""

    method: str
    url: bytes
    headers: dict[str, str]
    body: bytes | uploads.Upload
    keep_alive: bool
    too_large: bool


class Host(Protocol):
    """What a connection needs of its listener."""

    responder: responder.Responder
    peers: x509.Peers

    def opened(self, connection: Connection) -> None: ...

    def closed(self, connection: Connection) -> None: ...

    def spawn(self, work: Any) -> asyncio.Task[Any]: ...

    @property
    def monotonic(self) -> Callable[[], float]:
        """The clock, asked for once and then called for every request."""
        ...


@functools.lru_cache(maxsize=512)
def _lower(name: bytes) -> str:
    """A header's name; clients send the same few again and again."""
    return name.decode("latin-1").lower()


class Connection(asyncio.Protocol):
    """See the module. One instance per accepted connection."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._monotonic = host.monotonic
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpRequestParser(self)
        self._peer = ""
        self._sender = x509.NOBODY
        self._task: asyncio.Task[Any] | None = None
        self._backlog: list[bytes] = []
        self._url = b""
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []
        self._size = 0
        self._head_size = 0
        self._keep_alive = True
        self._partial = False
        self._too_large = False
        self._arrived: deque[Message] = deque()
        self._writable: asyncio.Event | None = None
        self._upload: uploads.Upload | None = None
        self._sink: Callable[[bytes], None] | None = None
        self._on_lost: Callable[[], None] | None = None
        self.state = State.WAITING
        self.since = 0.0

    # -- the transport's calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]
        peer = transport.get_extra_info("peername")
        self._peer = peer[0] if peer else ""
        tls: ssl.SSLObject | None = transport.get_extra_info("ssl_object")
        if tls is not None:
            self._sender = self._host.peers.of(tls)
        self.since = self._monotonic()
        self._host.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.state = State.CLOSED
        self._transport = None
        if self._writable is not None:
            self._writable.set()
        if self._upload is not None:
            self._upload.lose()
        if self._on_lost is not None:
            self._on_lost()
        if self._task is not None:
            self._task.cancel()
        self._host.closed(self)

    def data_received(self, data: bytes) -> None:
        if self._sink is not None:
            self._sink(data)
        elif self._upload is not None:
            self._feed_upload(data)
        elif self.state is State.ANSWERING:
            self._hold(data)
        else:
            self._feed(data)
            self._go_on()

    def eof_received(self) -> bool:
        return False

    def pause_writing(self) -> None:
        self._writable = asyncio.Event()

    def resume_writing(self) -> None:
        if self._writable is not None:
            self._writable.set()
            self._writable = None

    # -- the parser's calls

    def on_message_begin(self) -> None:
        self._url = b""
        self._headers = {}
        self._body = []
        self._size = self._head_size = 0
        self._too_large = False
        self._partial = True

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        key, text = _lower(name), value.decode("latin-1")
        known = self._headers.get(key)
        if known is not None:
            text = known + (requests.REPEATED if key.startswith(self._host.peers.repeated) else ", ") + text
        self._headers[key] = text

    def on_headers_complete(self) -> None:
        if self._headers.get("expect", "").lower() == "100-continue":
            self.write(CONTINUE)
        if b"/proxy" in self._url and self._passes_through():
            # Its answer begins while the body still comes.
            self._upload = uploads.Upload(self.pause_reading, self.resume_reading)
            self._arrived.append(self._message(keep_alive=self._parser.should_keep_alive(), body=self._upload))

    def on_body(self, body: bytes) -> None:
        if self._upload is not None:
            self._upload.feed(body)
            return
        self._size += len(body)
        if self._size > MAX_BODY:
            self._too_large = True
            self._body.clear()
        else:
            self._body.append(body)

    def on_message_complete(self) -> None:
        # More may follow in the same data: a client that pipelines.
        self._partial = False
        if self._upload is not None:
            self._upload.end()
            self._upload = None
            return
        self._arrived.append(self._message(keep_alive=self._parser.should_keep_alive()))

    # -- the responder's calls

    def write(self, data: bytes | memoryview) -> None:
        if self._transport is not None:
            self._transport.write(data)

    def writelines(self, parts: Sequence[bytes]) -> None:
        if self._transport is not None:
            self._transport.writelines(parts)

    @property
    def is_open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    @property
    def backlog(self) -> int:
        """Bytes written and not yet taken by the network."""
        return 0 if self._transport is None else self._transport.get_write_buffer_size()

    async def drained(self) -> None:
        """Wait until the peer has read enough. Raises ConnectionError when it has gone."""
        while self._writable is not None and self._transport is not None:
            await self._writable.wait()
        if self._transport is None:
            raise ConnectionError("the client has gone")

    def when_lost(self, callback: Callable[[], None] | None) -> None:
        self._on_lost = callback

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def divert(self, sink: Callable[[bytes], None]) -> None:
        """From now on, what arrives goes to the sink: the connection has been upgraded."""
        self.state = State.TUNNELLING
        self._sink = sink
        held, self._backlog = self._backlog, []
        for data in held:
            sink(data)
        self.resume_reading()

    def pause_reading(self) -> None:
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        if self._transport is not None:
            self._transport.resume_reading()

    # -- inside

    def _passes_through(self) -> bool:
        """Whether there is a body that is somebody else's."""
        headers = self._headers
        if "transfer-encoding" not in headers and headers.get("content-length", "0") == "0":
            return False
        path = self._url.partition(b"?")[0].decode("latin-1")
        return requests.passes_through(self._parser.get_method().decode(), path)

    def _message(self, *, keep_alive: bool, body: uploads.Upload | None = None) -> Message:
        return Message(
            self._parser.get_method().decode(),
            self._url,
            self._headers,
            body or (b"" if self._too_large else b"".join(self._body)),
            keep_alive and not self._too_large,
            self._too_large,
        )

    def _go_on(self) -> None:
        """Answer what has arrived, one after the other, until there is nothing, or one takes time."""
        while self.is_open and self._sink is None:
            if self._arrived:
                if not self._answer(self._arrived.popleft()):
                    return
                continue
            state = State.READING if self._partial else State.WAITING
            if state is not self.state:
                self.state = state
                self.since = self._monotonic()
            if not self._backlog:
                return
            data = self._backlog.pop(0)
            if not self._backlog:
                self.resume_reading()
            self._feed(data)

    def _hold(self, data: bytes) -> None:
        self._backlog.append(data)
        if len(self._backlog) > 16:
            self.pause_reading()

    def _feed(self, data: bytes) -> None:
        self._head_size += 0 if self._body else len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._parser = httptools.HttpRequestParser(self)
            rest = data[upgrade.args[0] :]
            if rest:
                self._backlog.insert(0, rest)
        except httptools.HttpParserError as error:
            self._refuse(400, f"400 Bad Request: {error}")
            return
        if self._partial and self.state is State.WAITING:
            # Most requests come in one piece, and are never waited for.
            self.state = State.READING
            self.since = self._monotonic()
        if self._partial and not self._body and self._head_size > MAX_HEAD:
            self._refuse(431, "431 Request Header Fields Too Large")
        elif self._partial and self._too_large:
            self._partial = False
            self._arrived.append(self._message(keep_alive=False))

    def _feed_upload(self, data: bytes) -> None:
        upload = self._upload
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            # Its answer may have begun.
            self.abort()
            return
        if upload is not None and upload.is_too_long:
            self.close()
        elif self.state is not State.ANSWERING:
            self._go_on()

    def _refuse(self, code: int, text: str) -> None:
        self._keep_alive = False
        self.write(responder.plain_head(code, len(text)) + text.encode())
        self.close()

    def _answer(self, message: Message) -> bool:
        """Whether it is answered, and the connection can go on at once."""
        self.state = State.ANSWERING
        self._keep_alive = message.keep_alive
        try:
            url = message.url.decode("ascii")
        except UnicodeDecodeError:
            self._refuse(400, "400 Bad Request: the URL is not ASCII")
            return False
        path, _, query = url.partition("?")
        request = requests.Request(
            method=message.method,
            path=path,
            raw_query=query,
            headers=message.headers,
            body=message.body,
            peer=self._peer,
            certificate_user=self._sender.user,
            is_proxy=self._sender.is_proxy,
        )
        refusal = None
        if message.too_large:
            refusal = errors.too_large(f"Request entity too large: limit is {MAX_BODY}")
        work = self._host.responder.respond(self, request, refusal)
        began = self._monotonic()
        # Most answers need nothing to wait for: those are done without a task of their own.
        try:
            waiting_for = work.send(None)
        except StopIteration:
            return self._answered()
        finally:
            if request.charge is not None:
                request.charge(self._monotonic() - began)
        self._task = self._host.spawn(_continue(_Resumed(work, waiting_for, request, self._monotonic)))
        self._task.add_done_callback(self._finished)
        self._host.responder.bound(request, self._task)
        return False

    def _answered(self) -> bool:
        """The answer is written: whether there may be another request, else close."""
        if self._transport is None or self._sink is not None:
            return False
        if not self._keep_alive:
            self._transport.close()
        elif self._upload is not None:
            self._upload.discard()
        return self._keep_alive

    def _finished(self, _: object) -> None:
        self._task = None
        if self._answered():
            self._go_on()


class _Resumed:
    """Awaits what a coroutine driven by hand was waiting for, then drives it on, and has its time charged."""

    def __init__(self, work: Any, waiting_for: Any, request: requests.Request, now: Callable[[], float]) -> None:
        self._work = work
        self._waiting_for = waiting_for
        self._request = request
        self._now = now

    def __await__(self) -> Any:
        work, waiting_for, request, now = self._work, self._waiting_for, self._request, self._now
        while True:
            failure: BaseException | None = None
            try:
                value = yield waiting_for
            except BaseException as error:
                failure = error
            began = now()
            try:
                waiting_for = work.send(value) if failure is None else work.throw(failure)
            except StopIteration:
                return
            finally:
                if request.charge is not None:
                    request.charge(now() - began)


async def _continue(resumed: _Resumed) -> None:
    await resumed
