"""The talking to servers behind the API server: requests over aiohttp, upgraded connections byte for byte.

Bodies pass through both ways as they come, with back-pressure, and no connection outlives its request: a pod's
address may be another pod's the next moment. What connecting takes has an end; how long a server thinks before it
answers is its own and its client's matter, as upstream: when either goes, or its machine does, the other is told.
"""

from __future__ import annotations

import asyncio
import importlib
import socket
import ssl
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, NamedTuple

from pybernetes.apiserver.endpoints import kubelets
from pybernetes.apiserver.forwarding import failures, headers, locations
from pybernetes.kits import clock as clocks

if TYPE_CHECKING:
    import aiohttp

CONNECT_SECONDS = 30.0
# Longest line and header of an answer, and how many headers, before it is not HTTP any more.
LONGEST_LINE = 256 * 1024
MOST_HEADERS = 1024
# Go tells a dead peer after 15 s of silence, and so many times 15 s more.
PROBE_SECONDS, PROBES = 15, 9
# What aiohttp would add.
ADDED = ("Accept", "Accept-Encoding", "User-Agent", "Content-Type")


class Answer(NamedTuple):
    """A server's answer; its body comes from `chunks`, and `close` must be called whatever becomes of it."""

    code: int
    headers: headers.Pairs
    response: aiohttp.ClientResponse

    async def chunks(self, size: int) -> AsyncIterator[bytes]:
        """At most `size` bytes each, as they arrive. Raises ConnectionError where they end too early."""
        import aiohttp

        try:
            while part := await self.response.content.read(size):
                yield part
        except (aiohttp.ClientError, TimeoutError) as error:
            raise ConnectionError(str(error)) from None

    def close(self) -> None:
        self.response.close()


class Backend:
    """`kubelet_tls` is the client side towards kubelets, None where they speak plain HTTP."""

    def __init__(self, kubelet_tls: ssl.SSLContext | None, clock: clocks.Clock) -> None:
        self._kubelet_tls = kubelet_tls
        self._clock = clock
        self._session: aiohttp.ClientSession | None = None
        self._any: ssl.SSLContext | None = None

    async def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def ask(
        self, method: str, location: locations.Location, target: str, *, pairs: headers.Pairs, body: Any
    ) -> Answer:
        """Send a request, and wait for the head of its answer. Raises StatusError 503 if there is none.

        `body` is bytes, or gives them as they come.
        """
        # aiohttp wants to be in a task; a request gets its own by waiting.
        await self._clock.sleep(0)
        session = await self._open_session()
        import aiohttp
        from yarl import URL

        there = location._replace(port=str(location.number))
        try:
            response = await session.request(
                method,
                URL(f"{there.scheme}://{there.authority}{target or '/'}", encoded=True),
                headers=[(name, _text(value)) for name, value in pairs],
                data=body or None,
                allow_redirects=False,
                ssl=self._trust(location) or True,
                server_hostname=location.name or None,
            )
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            raise locations.unreachable(failures.text(error, location)) from None
        raw = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in response.raw_headers]
        return Answer(response.status, raw, response)

    async def upgrade(
        self, method: str, location: locations.Location, target: str, *, pairs: headers.Pairs
    ) -> kubelets.Answer:
        """Send a request for another protocol. Raises OSError, TimeoutError or EOFError."""
        lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in pairs)]
        async with self._clock.timeout(CONNECT_SECONDS):
            reader, writer = await asyncio.open_connection(
                location.host,
                location.number,
                ssl=self._trust(location),
                server_hostname=location.name or None,
                limit=kubelets.HEAD_LIMIT,
            )
        try:
            _probe(writer.get_extra_info("socket"))
            writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
            head = await reader.readuntil(b"\r\n\r\n")
            code = int(head.split(b" ", 2)[1])
        except asyncio.LimitOverrunError:
            writer.close()
            raise OSError("net/http: server response headers exceeded limit") from None
        except (ValueError, IndexError):
            writer.close()
            raise OSError(f"malformed HTTP response {head[:64]!r}") from None
        except BaseException:
            writer.close()
            raise
        return kubelets.Answer(code, head, reader, writer)

    def _trust(self, location: locations.Location) -> ssl.SSLContext | None:
        if location.scheme != "https":
            return None
        if location.tls is not None:
            return location.tls
        if location.is_kubelet:
            return self._kubelet_tls
        if self._any is None:
            # Certificates of pods are for names, and they are asked by address.
            self._any = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            self._any.check_hostname = False
            self._any.verify_mode = ssl.CERT_NONE
        return self._any

    async def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            # This takes a tenth of a second.
            aiohttp = await asyncio.to_thread(importlib.import_module, "aiohttp")
            if self._session is None:
                self._session = aiohttp.ClientSession(
                    connector=aiohttp.TCPConnector(force_close=True, limit=0, socket_factory=_socket),
                    cookie_jar=aiohttp.DummyCookieJar(),
                    timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
                    skip_auto_headers=ADDED,
                    auto_decompress=False,
                    trust_env=False,
                    max_line_size=LONGEST_LINE,
                    max_field_size=LONGEST_LINE,
                    max_headers=MOST_HEADERS,
                )
        return self._session


def _socket(address: tuple[Any, ...]) -> socket.socket:
    """`address` is as `getaddrinfo` gives it."""
    family, kind, protocol, _, _ = address
    made = socket.socket(family, kind, protocol)
    made.setblocking(False)
    _probe(made)
    return made


def _probe(sock: socket.socket) -> None:
    """Find out when the other machine is gone, and says so no more."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, PROBE_SECONDS)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, PROBE_SECONDS)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, PROBES)


def _text(value: str) -> str:
    """Headers arrive as bytes of any kind; aiohttp sends text as UTF-8."""
    return value if value.isascii() else value.encode("latin-1").decode("utf-8", "replace")
