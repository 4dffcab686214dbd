"""The HTTPS transport: any Kubernetes API server, over aiohttp.

One connection pool per client. Certificates come from a kubeconfig entry (`client.kubeconfig`) and are held as an
`ssl.SSLContext`. Answers are decoded into the types that the call asks for.
"""

from __future__ import annotations

import ssl
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from pybernetes.api import codecs
from pybernetes.client import transport as transports
from pybernetes.client import wire

NETWORK_ERRORS = (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, TimeoutError)


class HttpsTransport:
    """`server` is a base URL; `token` a bearer token, where no client certificate is used. `answered` counts what
    comes back, by status code (`<error>` for no answer), method and host."""

    in_process = False

    def __init__(
        self,
        server: str,
        *,
        tls: ssl.SSLContext | None = None,
        token: str = "",
        user_agent: str = "pybernetes",
        timeout: float = 60.0,
        answered: Counter[tuple[str, str, str]] | None = None,
    ) -> None:
        self._server = server.rstrip("/")
        self._host = self._server.partition("://")[2]
        self._answered: Counter[tuple[str, str, str]] = Counter() if answered is None else answered
        self._tls = tls
        self._headers = {"User-Agent": user_agent, "Accept": transports.JSON}
        self._bearer: dict[str, str] = {}
        if token:
            self.bear(token)
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._watch_timeout = aiohttp.ClientTimeout(total=None, sock_connect=timeout)
        self._session: aiohttp.ClientSession | None = None

    def bear(self, token: str) -> None:
        """Use this bearer token from the next call on."""
        self._bearer = {"Authorization": f"Bearer {token}"}

    async def send(self, call: transports.Call) -> Any:
        body, content_type = await self._exchange(call, wire.accept(call))
        return wire.decoded(call, body, content_type)

    async def list(self, call: transports.Call) -> transports.Listing:
        if call.resource is None:
            raise ValueError("a list names its resource")
        body, _ = await self._exchange(call, wire.accept(call, listing=True))
        return wire.listing(call.resource, body)

    @asynccontextmanager
    async def watch(self, call: transports.Call) -> AsyncIterator[_Stream]:
        if call.resource is None:
            raise ValueError("a watch names its resource")
        try:
            async with self._open().request(
                call.method,
                self._server + call.path,
                params=call.query,
                headers={"Accept": wire.accept(call), **self._bearer},
                timeout=self._watch_timeout,
                ssl=self._tls or True,
            ) as response:
                self._count(call, str(response.status))
                if response.status >= 400:
                    raise wire.failure(response.status, await response.read())
                yield _Stream(response.content, call.resource.type)
        except NETWORK_ERRORS as error:
            raise ConnectionError(f"{self._server}: {_reason(error)}") from error

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            # No limit on connections: every watch holds one.
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0), headers=self._headers, auto_decompress=True
            )
        return self._session

    def _count(self, call: transports.Call, code: str) -> None:
        self._answered[code, call.method, self._host] += 1

    async def _exchange(self, call: transports.Call, accept: str) -> tuple[bytes, str]:
        data = None if call.body is None else codecs.encode(call.body)
        headers = {"Accept": accept, **self._bearer}
        if data is not None:
            headers["Content-Type"] = call.content_type
        try:
            async with self._open().request(
                call.method,
                self._server + call.path,
                params=call.query,
                data=data,
                headers=headers,
                timeout=self._timeout,
                ssl=self._tls or True,
            ) as response:
                body = await response.read()
                self._count(call, str(response.status))
                if response.status >= 400:
                    raise wire.failure(response.status, body)
                return body, response.headers.get("Content-Type", "")
        except NETWORK_ERRORS as error:
            self._count(call, "<error>")
            raise ConnectionError(f"{self._server}: {_reason(error)}") from error


class _Stream:
    """A watch's body, cut into lines; several that arrived together are handed out together."""

    def __init__(self, content: aiohttp.StreamReader, kind: Any) -> None:
        self._content = content
        self._kind = kind
        self._rest = b""

    async def next(self) -> list[transports.Event]:
        while True:
            try:
                chunk = await self._content.readany()
            except NETWORK_ERRORS as error:
                raise ConnectionError(_reason(error)) from error
            if not chunk:
                return []
            found, self._rest = wire.events(self._kind, self._rest + chunk)
            if found:
                return found


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__
