"""The listening socket: TLS, the set of open connections, and their clean end."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Coroutine
from typing import Any

from pybernetes.apiserver.authn import x509
from pybernetes.apiserver.http import connection as connections
from pybernetes.apiserver.http import responder as responders
from pybernetes.kits import clock as clocks
from pybernetes.kits import tasks

SWEEP_SECONDS = 5.0
# A request must have arrived whole this long after its first byte; an idle connection is kept longer.
READ_SECONDS = 60.0
IDLE_SECONDS = 180.0
HANDSHAKE_SECONDS = 10.0
GRACE_SECONDS = 3.0
# A client whose machine is gone is found out after so many seconds of silence and as many unanswered probes: watches
# and streams may have nothing to say for long. Go's servers do the same.
PROBE_SECONDS, PROBES = 15, 9


def server_context(
    *, certificate: str, key: str, client_ca: tuple[str, ...], sni: tuple[tuple[str, str, str], ...] = ()
) -> ssl.SSLContext:
    """TLS as a server: client certificates are asked for, checked against the authorities in the files, and may be
    missing. Without authorities they are not asked for.

    `sni` lists (host name, certificate file, key file) for names that have a certificate of their own.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    for file in client_ca:
        context.load_verify_locations(file)
    if client_ca:
        context.verify_mode = ssl.CERT_OPTIONAL
    context.load_cert_chain(certificate, key)
    context.set_alpn_protocols(["http/1.1"])
    by_name = {}
    for name, its_certificate, its_key in sni:
        by_name[name] = server_context(certificate=its_certificate, key=its_key, client_ca=client_ca)

    def choose(tls: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
        other = by_name.get(name or "")
        if other is not None:
            tls.context = other

    if by_name:
        context.sni_callback = choose
    return context


class Listener:
    """Accepts connections for a responder."""

    def __init__(
        self, responder: responders.Responder, clock: clocks.Clock, *, peers: x509.Peers | None = None
    ) -> None:
        self.responder = responder
        self.peers = peers or x509.Peers()
        self._clock = clock
        self._connections: set[connections.Connection] = set()
        self._tasks = tasks.Tasks()
        self._servers: list[asyncio.Server] = []
        self._sweeper: clocks.Timer | None = None

    async def listen(self, sock: socket.socket, tls: ssl.SSLContext | None) -> None:
        """Accept on a bound socket."""
        _probe(sock)
        server = await asyncio.get_running_loop().create_server(
            lambda: connections.Connection(self),
            sock=sock,
            ssl=tls,
            backlog=1024,
            ssl_handshake_timeout=HANDSHAKE_SECONDS if tls is not None else None,
        )
        self._servers.append(server)
        if self._sweeper is None:
            self._sweeper = self._clock.call_later(SWEEP_SECONDS, self._sweep)

    async def close(self) -> None:
        """Stop accepting, end the watches, let requests under way finish for a moment, then cut."""
        for server in self._servers:
            server.close()
        if self._sweeper is not None:
            self._sweeper.cancel()
        self.responder.stop()
        for connection in tuple(self._connections):
            if connection.state in (connections.State.WAITING, connections.State.READING):
                connection.close()
        try:
            async with self._clock.timeout(GRACE_SECONDS):
                while any(c.state is connections.State.ANSWERING for c in self._connections):
                    await self._clock.sleep(0.01)
        except TimeoutError:
            pass
        for connection in tuple(self._connections):
            connection.abort()
        await self._tasks.close()

    def opened(self, connection: connections.Connection) -> None:
        self._connections.add(connection)

    def closed(self, connection: connections.Connection) -> None:
        self._connections.discard(connection)

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        return self._tasks.spawn(work, name="request")

    @property
    def monotonic(self) -> Callable[[], float]:
        return self._clock.monotonic

    def __len__(self) -> int:
        return len(self._connections)

    def _sweep(self) -> None:
        now = self._clock.monotonic()
        for connection in tuple(self._connections):
            age = now - connection.since
            if connection.state is connections.State.READING and age > READ_SECONDS:
                connection.abort()
            elif connection.state is connections.State.WAITING and age > IDLE_SECONDS:
                connection.close()
        self._sweeper = self._clock.call_later(SWEEP_SECONDS, self._sweep)


def _probe(sock: socket.socket) -> None:
    """Accepted connections take this from the listening socket."""
    if sock.family in (socket.AF_INET, socket.AF_INET6):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, PROBE_SECONDS)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, PROBE_SECONDS)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, PROBES)
