"""Takes one request through the chain and writes what comes out of it to the connection."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any, Protocol

from pybernetes.api import codecs, errors
from pybernetes.api.types import meta_v1
from pybernetes.apiserver import request as requests
from pybernetes.apiserver import results
from pybernetes.apiserver.flowcontrol import longrunning
from pybernetes.apiserver.http import compression, negotiate, pacing, render, tunnel
from pybernetes.apiserver.resources import kind as kinds
from pybernetes.apiserver.storage import changes
from pybernetes.apiserver.storage import item as items
from pybernetes.kits import clock as clocks

log = logging.getLogger(__name__)

# Bodies of more bytes are handed to the transport a part at a time, each of which TLS encrypts in a millisecond or two.
LARGE, PART = 2 << 20, 512 << 10
LAST_CHUNK = b"0\r\n\r\n"
_REASONS = {status.value: status.phrase for status in HTTPStatus}
_LINES = {code: f"HTTP/1.1 {code} {phrase}\r\n".encode() for code, phrase in _REASONS.items()}
_COMMON = b"Cache-Control: no-cache, private\r\nContent-Type: %b\r\n"
_JSON = _COMMON % b"application/json"
OK_JSON = _LINES[200] + _JSON


class Connection(Protocol):
    """The side of a connection that answers are written to."""

    @property
    def is_open(self) -> bool: ...
    @property
    def backlog(self) -> int: ...
    def write(self, data: bytes | memoryview) -> None: ...
    def writelines(self, parts: Sequence[bytes]) -> None: ...
    async def drained(self) -> None: ...
    def when_lost(self, callback: Callable[[], None] | None) -> None: ...
    def abort(self) -> None: ...
    def close(self) -> None: ...
    def divert(self, sink: Callable[[bytes], None]) -> None: ...
    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...


def plain_head(code: int, length: int) -> bytes:
    return _LINES[code] + b"Content-Type: text/plain\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % length


class Responder:
    """`handler` is the chain; `max_backlog` is how many unsent bytes a watcher may lag behind; `timeout` bounds what a
    request that does not last may take in the chain, in seconds, 0 for any time."""

    def __init__(
        self, handler: results.Handler, clock: clocks.Clock, *, max_backlog: int, timeout: float = 0.0
    ) -> None:
        self._handler = handler
        self._clock = clock
        self._render = render.Renderer(clock)
        self._max_backlog = max_backlog
        self._timeout = timeout
        self._watches: set[_HttpWatch] = set()
        # What a network connection costs, it costs in real time, also where the cluster's is virtual.
        self._pacer = pacing.Pacer(clocks.SystemClock())
        self._stopping = False

    async def respond(
        self, connection: Connection, request: requests.Request, refusal: errors.StatusError | None
    ) -> None:
        """Answer one request; never raises but for cancellation."""
        form = negotiate.PLAIN
        try:
            if refusal is not None:
                raise refusal
            accept = request.headers.get("accept")
            if accept is not None and negotiate.negotiates(request.path):
                form = negotiate.form(accept, request.path)
            result = await self._handler(request)
            if form is negotiate.PLAIN and type(result) is results.Stored and _is_small(request, result):
                # What most requests come to.
                data = result.item.data
                connection.write(b"%b%bContent-Length: %d\r\n\r\n%b" % (OK_JSON, request.head, len(data), data))
                return
            request.handled = True
            if request.timer is not None:
                request.timer.cancel()
            await self._write(connection, request, result, form)
        except errors.StatusError as error:
            self._write_error(connection, request, error, form)
        except ConnectionError:
            connection.abort()
        except asyncio.CancelledError:
            raise
        except Exception:
            log.exception("%s %s failed", request.method, request.path)
            failure = errors.internal("the server could not finish the request")
            self._write_error(connection, request, failure, form)
        finally:
            if request.timer is not None:
                request.timer.cancel()
            if request.seats is not None:
                request.seats.leave()
            if request.finished is not None:
                request.finished()

    def bound(self, request: requests.Request, task: asyncio.Task[Any]) -> None:
        """The request has begun to wait, and the task goes on with it: end it when it has taken too long.

        Most requests never wait, and need no timer.
        """
        if request.handled or not self._timeout or longrunning.is_long(request.attributes):
            return

        def expire() -> None:
            request.expired = True
            task.cancel()

        seconds = min(request.timeout or self._timeout, self._timeout)
        request.timer = self._clock.call_later(seconds, expire)

    def stop(self) -> None:
        """End all watches, so that their clients reconnect elsewhere or later."""
        self._stopping = True
        for watch in tuple(self._watches):
            watch.end()

    async def _write(
        self, connection: Connection, request: requests.Request, result: results.Result, form: negotiate.Form
    ) -> None:
        include = request.query.get("includeObject", "") if request.raw_query else ""
        if isinstance(result, (results.Stored, results.Made)):
            if form.shown == negotiate.TABLE and _has_no_table(result):
                form = negotiate.untabled(request.header("accept"), request.path)
            body = self._render.one(result, form, include)
            await self._write_compressible(connection, request, result.code, body, form.media)
        elif isinstance(result, results.Listed):
            if form is negotiate.PLAIN:
                body = self._render.plain_list(result)
            else:
                body = await self._render.listing(result, form, include)
            await self._write_compressible(connection, request, 200, body, form.media)
        elif isinstance(result, results.Document):
            code, media, headers = result.code, result.content_type, result.headers
            await self._write_compressible(connection, request, code, result.body, media, headers=headers)
        elif isinstance(result, results.Watched):
            await self._watch(connection, request, result, form, include)
        elif isinstance(result, results.Streamed):
            if negotiate.wants_websocket(request):
                # Slow to import, and hardly ever wanted.
                from pybernetes.apiserver.http import websockets

                await websockets.stream(connection, request, result)
            else:
                await self._stream(connection, request, result)
        elif isinstance(result, results.Forwarded):
            await self._pass_on(connection, result)
        else:
            await tunnel.run(connection, result)

    async def _write_compressible(
        self,
        connection: Connection,
        request: requests.Request,
        code: int,
        body: bytes,
        content_type: str,
        *,
        headers: Sequence[tuple[str, str]] = (),
    ) -> None:
        is_large = len(body) > compression.THRESHOLD and request.method == "GET"
        if is_large and compression.accepted(request.header("accept-encoding")):
            body = await compression.packed(body)
            headers = (*headers, *compression.HEADERS)
        if request.sized is not None:
            request.sized(len(body))
        if is_large and len(body) > LARGE:
            await self._write_large(connection, request, body, content_type, headers)
            return
        self._write_body(connection, request, code, body, content_type, headers=headers)

    def _write_body(
        self,
        connection: Connection,
        request: requests.Request,
        code: int,
        body: bytes,
        content_type: str,
        *,
        headers: Sequence[tuple[str, str]] = (),
    ) -> None:
        head = _head(code, content_type, request, headers)
        head.append(b"Content-Length: %d\r\n\r\n" % len(body))
        if request.method == "HEAD":
            connection.write(b"".join(head))
        elif len(body) < 65536:
            connection.write(b"".join(head) + body)
        else:
            connection.writelines([b"".join(head), body])

    async def _write_large(
        self,
        connection: Connection,
        request: requests.Request,
        body: bytes,
        content_type: str,
        headers: Sequence[tuple[str, str]],
    ) -> None:
        """A part at a time, as the client takes them: encrypting it all at once would hold up everybody else.

        Who does not take it in the time that a request has is cut off, as its seats and the body are kept till then.
        """
        head = _head(200, content_type, request, headers)
        head.append(b"Content-Length: %d\r\n\r\n" % len(body))
        timer = self._clock.call_later(self._timeout, connection.abort) if self._timeout else None
        try:
            connection.write(b"".join(head))
            view = memoryview(body)
            for start in range(0, len(body), PART):
                if start and request.seats is not None:
                    await request.seats.again()
                connection.write(view[start : start + PART])
                await connection.drained()
        finally:
            if timer is not None:
                timer.cancel()

    def _write_error(
        self, connection: Connection, request: requests.Request, error: errors.StatusError, form: negotiate.Form
    ) -> None:
        headers: list[tuple[str, str]] = []
        details = error.status.details
        if details is not None and details.retryAfterSeconds:
            headers.append(("Retry-After", str(details.retryAfterSeconds)))
        if error.code == 401:
            headers.append(("WWW-Authenticate", 'Bearer realm="kubernetes-master"'))
        body = render.as_media(codecs.encode(error.status) + b"\n", form)
        self._write_body(connection, request, error.code or 500, body, form.media, headers=headers)

    async def _stream(self, connection: Connection, request: requests.Request, streamed: results.Streamed) -> None:
        head = _LINES[200] + _COMMON % streamed.content_type.encode() + b"Transfer-Encoding: chunked\r\n\r\n"
        connection.write(head)
        async for part in streamed.chunks:
            if part:
                connection.write(b"%x\r\n%b\r\n" % (len(part), part))
                await connection.drained()
        connection.write(LAST_CHUNK)

    async def _pass_on(self, connection: Connection, forwarded: results.Forwarded) -> None:
        """Another server's answer; where it ends too early, so does the connection."""
        head = [_line(forwarded.code), b"Cache-Control: no-cache, private\r\n"]
        head += [f"{name}: {value}\r\n".encode("latin-1") for name, value in forwarded.headers]
        is_chunked = forwarded.length is None and not forwarded.bodiless
        if is_chunked:
            head.append(b"Transfer-Encoding: chunked\r\n")
        elif forwarded.length is not None:
            head.append(b"Content-Length: %d\r\n" % forwarded.length)
        head.append(b"\r\n")
        try:
            connection.write(b"".join(head))
            if forwarded.bodiless:
                return
            async for part in forwarded.chunks:
                if part:
                    connection.write(b"%x\r\n%b\r\n" % (len(part), part) if is_chunked else part)
                    await connection.drained()
            if is_chunked:
                connection.write(LAST_CHUNK)
        finally:
            forwarded.close()

    async def _watch(
        self,
        connection: Connection,
        request: requests.Request,
        watched: results.Watched,
        form: negotiate.Form,
        include: str,
    ) -> None:
        if form.media == negotiate.YAML:
            form = negotiate.streaming(request.header("accept"), request.path)
        encode = self._render.encoder(watched.kind, form, include)
        watch = _HttpWatch(connection, self._pacer, self._render, watched, form, include, self._max_backlog)
        if form.shown == negotiate.TABLE:
            watch.encode_first = self._render.encoder(watched.kind, form, include, True)
        binary = form.media == negotiate.PROTOBUF
        head = _head(200, form.media + negotiate.STREAM if binary else form.media, request, ())
        head.append(b"Transfer-Encoding: chunked\r\n\r\n")
        # The head goes out with the first events; a watch that cannot start is answered with its error.
        watch.head = b"".join(head)
        try:
            leave = await watched.join(encode, watch)
        except errors.StatusError as error:
            if error.code != HTTPStatus.GONE:
                raise
            # Clients look for this one among the events.
            watch.begin()
            connection.write(render.error_frame(error.status, form) + LAST_CHUNK)
            return
        timer = self._clock.call_later(watched.timeout, watch.end)
        self._watches.add(watch)
        try:
            watch.begin()
            connection.when_lost(watch.end)
            if self._stopping:
                watch.end()
            await watch.ended
        finally:
            connection.when_lost(None)
            timer.cancel()
            leave()
            self._watches.discard(watch)
            self._pacer.discard(watch)
        watch.flush()
        connection.write(LAST_CHUNK)


class _HttpWatch:
    """The receiver of one HTTP watch: gathers frames and writes them when it is told to."""

    def __init__(
        self,
        connection: Connection,
        pacer: pacing.Pacer,
        renderer: render.Renderer,
        watched: results.Watched,
        form: negotiate.Form,
        include: str,
        max_backlog: int,
    ) -> None:
        self._connection = connection
        self._pacer = pacer
        self._frames: list[bytes] = []
        self._render = renderer
        self._kind: kinds.Kind[Any] = watched.kind
        self._form, self._include = form, include
        self._bookmarks = watched.bookmarks
        self._max_backlog = max_backlog
        self.head = b""
        self.encode_first: changes.Encoder | None = None
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def begin(self) -> None:
        """Send the head, if no event has."""
        if self.head:
            head, self.head = self.head, b""
            self._connection.write(head)

    def events(self, events: Sequence[tuple[str, items.Item]], frames: Sequence[bytes]) -> None:
        if self.encode_first is not None:
            first, self.encode_first = self.encode_first(*events[0]), None
            frames = [first, *frames[1:]]
        self._frames += frames
        self._pacer.add(self)

    def flush(self) -> None:
        """Write what has been gathered."""
        frames, self._frames = self._frames, []
        if not frames:
            return
        self.begin()
        self._connection.write(frames[0] if len(frames) == 1 else b"".join(frames))
        if self._connection.backlog > self._max_backlog:
            # It does not read what it asked for; it will be told 410 or resume when it comes back.
            self._connection.abort()
            self.end()

    def initial_events_end(self, revision: int) -> None:
        self._bookmark(revision, initial=True)

    def bookmark(self, revision: int) -> None:
        if self._bookmarks:
            self._bookmark(revision, initial=False)

    def _bookmark(self, revision: int, *, initial: bool) -> None:
        columns, self.encode_first = self.encode_first is not None, None
        frame = self._render.bookmark(self._kind, self._form, self._include, revision, initial=initial, columns=columns)
        self._frames.append(frame)
        self._pacer.add(self)

    def end(self) -> None:
        if not self.ended.done():
            self.ended.set_result(None)


def _is_small(request: requests.Request, result: results.Stored) -> bool:
    """An object as it is stored, with nothing to be said about it, and too small to be compressed."""
    plain = result.code == 200 and not request.warnings and request.method != "HEAD"
    return plain and len(result.item.data) <= compression.THRESHOLD


def _has_no_table(result: results.Stored | results.Made) -> bool:
    """Reviews and the like; a Status is answered as it is, whatever was asked for."""
    return result.kind is None and not isinstance(result.obj, meta_v1.Status)


def _line(code: int) -> bytes:
    """The first line of a head; other servers have codes of their own."""
    return _LINES.get(code) or b"HTTP/1.1 %d status code %d\r\n" % (code, code)


def _head(code: int, content_type: str, request: requests.Request, headers: Sequence[tuple[str, str]]) -> list[bytes]:
    """The lines of a head but for the last."""
    if any(name == "Cache-Control" for name, _ in headers):
        head = [_line(code), b"Content-Type: %b\r\n" % content_type.encode()]
    else:
        head = [_line(code), _COMMON % content_type.encode()]
    # The same warning may come from several objects.
    head += [_warning(text) for text in dict.fromkeys(request.warnings)]
    head += [f"{name}: {value}\r\n".encode() for name, value in headers]
    head.append(request.head)
    return head


def _warning(text: str) -> bytes:
    quoted = text.replace("\\", "\\\\").replace('"', '\\"').replace("\r", " ").replace("\n", " ")
    return f'Warning: 299 - "{quoted}"\r\n'.encode()
