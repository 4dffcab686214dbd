"""The HTTPS port of a component, and the plain one of old: the API server's listener, with less behind it."""

from __future__ import annotations

import logging
import pathlib
import socket
import ssl
import tempfile
from collections.abc import Mapping
from typing import Any

import msgspec

from pybernetes import client as clients
from pybernetes.api import errors
from pybernetes.apiserver import debugging, health, results
from pybernetes.apiserver import request as requests
from pybernetes.apiserver.http import listener, responder
from pybernetes.client import kubeconfig
from pybernetes.cluster import pki, processes
from pybernetes.cluster.hyperkube import sockets
from pybernetes.cluster.hyperkube.ports import access
from pybernetes.cluster.hyperkube.ports import shown as shows
from pybernetes.kits import clock as clocks
from pybernetes.kits import prometheus

log = logging.getLogger(__name__)

TIMEOUT = 60.0
# Nothing here is watched.
BACKLOG = 1 << 20


async def serve(
    handler: results.Handler, sock: socket.socket, tls: ssl.SSLContext | None, clock: clocks.Clock
) -> listener.Listener:
    """What listens on a socket; to be closed."""
    answering = responder.Responder(handler, clock, max_backlog=BACKLOG, timeout=TIMEOUT)
    listening = listener.Listener(answering, clock)
    await listening.listen(sock, tls)
    return listening


class Port:
    """`await start()`, `await close()`; in between it serves, whether the component leads or not."""

    def __init__(self, shown: shows.Shown, given: Mapping[str, Any], clock: clocks.Clock) -> None:
        self._shown, self._given, self._clock = shown, given, clock
        self._started = clock.time()
        self._health = health.Health(shown.checks)
        self._debugging = debugging.Debugging(clock) if given["profiling"] else None
        self._clients: list[clients.Client] = []
        self._listeners: list[listener.Listener] = []
        self._passing: tempfile.TemporaryDirectory[str] | None = None

    async def start(self) -> None:
        """Raises CannotStart where a port is taken, or a file is not what its flag says."""
        given = self._given
        try:
            if given["secure-port"]:
                await self._secure()
            if given["port"]:
                sock = sockets.bound(given["address"], given["port"])
                await self._listen(self._answer, sock, None)
        except (OSError, ValueError, kubeconfig.KubeconfigError) as error:
            await self.close()
            raise processes.CannotStart(str(error)) from error

    async def close(self) -> None:
        for listening in self._listeners:
            await listening.close()
        for client in self._clients:
            await client.close()
        if self._passing is not None:
            self._passing.cleanup()

    async def _secure(self) -> None:
        given = self._given
        gate = access.Access(
            given,
            authentication=self._client("authentication-kubeconfig"),
            authorization=self._client("authorization-kubeconfig"),
            clock=self._clock,
        )

        async def handle(request: requests.Request) -> results.Result:
            request.attributes = requests.parse(request.method, request.path, False)
            await gate.check(request)
            return await self._answer(request)

        sock = sockets.bound(given["bind-address"], given["secure-port"])
        try:
            tls = self._tls()
        except BaseException:
            sock.close()
            raise
        await self._listen(handle, sock, tls)
        log.info("serving on https://%s", sockets.named(given["bind-address"], given["secure-port"]))

    async def _listen(self, handler: results.Handler, sock: socket.socket, tls: ssl.SSLContext | None) -> None:
        self._listeners.append(await serve(handler, sock, tls, self._clock))

    def _client(self, flag: str) -> clients.Client | None:
        path = self._given[flag]
        if not path:
            return None
        made = kubeconfig.client(pathlib.Path(path), user_agent=self._shown.name, answered=self._shown.answered)
        self._clients.append(made)
        return made

    def _tls(self) -> ssl.SSLContext:
        given = self._given
        authorities = (given["client-ca-file"],) if given["client-ca-file"] else ()
        if given["tls-cert-file"]:
            return sockets.tls(given["tls-cert-file"], given["tls-private-key-file"], authorities)
        folder = given["cert-dir"]
        if not folder:
            self._passing = tempfile.TemporaryDirectory()
            folder = self._passing.name
        hosts = {"localhost", "127.0.0.1", socket.gethostname(), given["bind-address"]} - {"0.0.0.0", "::"}
        made = pki.Pki(pathlib.Path(folder), self._clock).server(self._shown.name, hosts)
        return sockets.tls(str(made.certificate), str(made.key), authorities)

    async def _answer(self, request: requests.Request) -> results.Result:
        if self._debugging is not None and request.path.startswith("/debug/"):
            document = await self._debugging.answer(request)
            if document is not None:
                return document
        document = self._document(request)
        if document is None:
            raise errors.path_not_found()
        if request.method not in ("GET", "HEAD"):
            raise errors.method_not_allowed()
        return document

    def _document(self, request: requests.Request) -> results.Document | None:
        if request.path == "/metrics":
            return results.Document(self._shown.metrics(self._started).encode(), prometheus.CONTENT_TYPE)
        if request.path == "/configz":
            return results.Document(msgspec.json.encode(self._shown.config()))
        if request.path in self._shown.pages:
            return results.Document(self._shown.pages[request.path]().encode(), "text/plain")
        if request.path == "/":
            paths = sorted({"/configz", "/metrics", *self._shown.pages, *self._health.paths()})
            return results.Document(msgspec.json.encode({"paths": paths}))
        return self._health.answer(request)
