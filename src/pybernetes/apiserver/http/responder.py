"""Takes one request through the chain and writes what comes out of it to the connection."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any, Protocol

from pybernetes.api import codecs, errors
from pybernetes.apiserver import request as requests
from pybernetes.apiserver import results
from pybernetes.apiserver.http import negotiate, render, tunnel
from pybernetes.apiserver.resources import kind as kinds
from pybernetes.apiserver.storage import item as items
from pybernetes.kits import clock as clocks

log = logging.getLogger(__name__)

# How much of a body is handed to the transport in one go, in bytes: what TLS encrypts in about 4 ms.
MAX_AT_ONCE = 4 << 20
LAST_CHUNK = b"0\r\n\r\n"
_REASONS = {status.value: status.phrase for status in HTTPStatus}
_LINES = {code: f"HTTP/1.1 {code} {phrase}\r\n".encode() for code, phrase in _REASONS.items()}
_COMMON = b"Cache-Control: no-cache, private\r\nContent-Type: %b\r\n"
_JSON = _COMMON % b"application/json"
OK_JSON = _LINES[200] + _JSON + b"Content-Length: "


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
    """`handler` is the chain; `max_backlog` is how many unsent bytes a watcher may lag behind."""

    def __init__(self, handler: results.Handler, clock: clocks.Clock, *, max_backlog: int) -> None:
        self._handler = handler
        self._clock = clock
        self._render = render.Renderer(clock)
        self._max_backlog = max_backlog
        self._watches: set[_HttpWatch] = set()
        self._stopping = False

    async def respond(
        self, connection: Connection, request: requests.Request, refusal: errors.StatusError | None
    ) -> None:
        """Answer one request; never raises but for cancellation."""
        try:
            form = negotiate.PLAIN
            if refusal is not None:
                raise refusal
            accept = request.headers.get("accept")
            if accept is not None and negotiate.negotiates(request.path):
                form = negotiate.form(accept)
            result = await self._handler(request)
            await self._write(connection, request, result, form)
        except errors.StatusError as error:
            self._write_error(connection, request, error)
        except ConnectionError:
            connection.abort()
        except asyncio.CancelledError:
            raise
        except Exception:
            log.exception("%s %s failed", request.method, request.path)
            self._write_error(connection, request, errors.internal("the server could not finish the request"))

    def stop(self) -> None:
        """End all watches, so that their clients reconnect elsewhere or later."""
        self._stopping = True
        for watch in tuple(self._watches):
            watch.end()

    async def _write(
        self, connection: Connection, request: requests.Request, result: results.Result, form: negotiate.Form
    ) -> None:
        plain = form is negotiate.PLAIN and not request.warnings and request.method != "HEAD"
        if plain and isinstance(result, results.Stored) and result.code == 200:
            data = result.item.data
            connection.write(b"%b%d\r\n\r\n%b" % (OK_JSON, len(data), data))
            return
        include = request.query.get("includeObject", "") if request.raw_query else ""
        if isinstance(result, (results.Stored, results.Made)):
            self._write_body(connection, request, result.code, self._render.one(result, form, include), form.media)
        elif isinstance(result, results.Listed):
            body = self._render.listing(result, form, include)
            if len(body) <= MAX_AT_ONCE or request.method == "HEAD":
                self._write_body(connection, request, 200, body, form.media)
            else:
                await self._write_large(connection, request, body, form.media)
        elif isinstance(result, results.Document):
            self._write_body(connection, request, result.code, result.body, result.content_type, headers=result.headers)
        elif isinstance(result, results.Watched):
            await self._watch(connection, request, result, form, include)
        elif isinstance(result, results.Streamed):
            await self._stream(connection, request, result)
        else:
            await tunnel.run(connection, result)

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
        head = [_LINES[code], _COMMON % content_type.encode()]
        head += [_warning(text) for text in request.warnings]
        head += [f"{name}: {value}\r\n".encode() for name, value in headers]
        head.append(b"Content-Length: %d\r\n\r\n" % len(body))
        if request.method == "HEAD":
            connection.write(b"".join(head))
        elif len(body) < 65536:
            connection.write(b"".join(head) + body)
        else:
            connection.writelines([b"".join(head), body])

    async def _write_large(
        self, connection: Connection, request: requests.Request, body: bytes, content_type: str
    ) -> None:
        """A part at a time, as the client takes them: encrypting it all at once would hold up everybody else."""
        head = [_LINES[200], _COMMON % content_type.encode(), *map(_warning, request.warnings)]
        head.append(b"Content-Length: %d\r\n\r\n" % len(body))
        connection.write(b"".join(head))
        view = memoryview(body)
        for start in range(0, len(body), MAX_AT_ONCE):
            connection.write(view[start : start + MAX_AT_ONCE])
            await connection.drained()

    def _write_error(self, connection: Connection, request: requests.Request, error: errors.StatusError) -> None:
        headers: list[tuple[str, str]] = []
        details = error.status.details
        if details is not None and details.retryAfterSeconds:
            headers.append(("Retry-After", str(details.retryAfterSeconds)))
        if error.code == 401:
            headers.append(("WWW-Authenticate", 'Bearer realm="kubernetes-master"'))
        body = codecs.encode(error.status) + b"\n"
        self._write_body(connection, request, error.code or 500, body, "application/json", headers=headers)

    async def _stream(self, connection: Connection, request: requests.Request, streamed: results.Streamed) -> None:
        head = _LINES[200] + _COMMON % streamed.content_type.encode() + b"Transfer-Encoding: chunked\r\n\r\n"
        connection.write(head)
        async for part in streamed.chunks:
            if part:
                connection.write(b"%x\r\n%b\r\n" % (len(part), part))
                await connection.drained()
        connection.write(LAST_CHUNK)

    async def _watch(
        self,
        connection: Connection,
        request: requests.Request,
        watched: results.Watched,
        form: negotiate.Form,
        include: str,
    ) -> None:
        encode = self._render.encoder(watched.kind, form, include)
        watch = _HttpWatch(connection, self._render, watched, form, self._max_backlog)
        content_type = b"application/json;stream=watch" if form.shown == negotiate.WHOLE else b"application/json"
        head = [_LINES[200], _COMMON % content_type, *map(_warning, request.warnings)]
        head.append(b"Transfer-Encoding: chunked\r\n\r\n")
        # The head goes out with the first events; a watch that cannot start is answered with its error.
        watch.head = b"".join(head)
        leave = await watched.join(encode, watch)
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
        connection.write(LAST_CHUNK)


class _HttpWatch:
    """The receiver of one HTTP watch: writes frames as they come."""

    def __init__(
        self,
        connection: Connection,
        renderer: render.Renderer,
        watched: results.Watched,
        form: negotiate.Form,
        max_backlog: int,
    ) -> None:
        self._connection = connection
        self._render = renderer
        self._kind: kinds.Kind[Any] = watched.kind
        self._form = form
        self._bookmarks = watched.bookmarks
        self._max_backlog = max_backlog
        self.head = b""
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def begin(self) -> None:
        """Send the head, if no event has."""
        if self.head:
            head, self.head = self.head, b""
            self._connection.write(head)

    def events(self, events: Sequence[tuple[str, items.Item]], frames: Sequence[bytes]) -> None:
        self.begin()
        self._connection.write(frames[0] if len(frames) == 1 else b"".join(frames))
        if self._connection.backlog > self._max_backlog:
            # It does not read what it asked for; it will be told 410 or resume when it comes back.
            self._connection.abort()
            self.end()

    def initial_events_end(self, revision: int) -> None:
        self.begin()
        self._connection.write(self._render.bookmark(self._kind, self._form, revision, initial=True))

    def bookmark(self, revision: int) -> None:
        if self._bookmarks:
            self._connection.write(self._render.bookmark(self._kind, self._form, revision, initial=False))

    def end(self) -> None:
        if not self.ended.done():
            self.ended.set_result(None)


def _warning(text: str) -> bytes:
    quoted = text.replace("\\", "\\\\").replace('"', '\\"').replace("\r", " ").replace("\n", " ")
    return f'Warning: 299 - "{quoted}"\r\n'.encode()
