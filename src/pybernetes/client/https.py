"""The HTTPS transport: any Kubernetes API server, over aiohttp.

One connection pool per client. Certificates come from a kubeconfig entry (`client.kubeconfig`) and are held as an
`ssl.SSLContext`. Answers are decoded into the types that the call asks for.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Protocol

import aiohttp
import msgspec

from pybernetes.api import codecs, errors
from pybernetes.api.types import meta_v1
from pybernetes.client import transport as transports

PARTIAL = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
PARTIAL_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
NETWORK_ERRORS = (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, TimeoutError)


class HttpsTransport:
    """`server` is a base URL; `token` a bearer token, where no client certificate is used."""

    def __init__(
        self,
        server: str,
        *,
        tls: ssl.SSLContext | None = None,
        token: str = "",
        user_agent: str = "pybernetes",
        timeout: float = 60.0,
    ) -> None:
        self._server = server.rstrip("/")
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
        returns = call.returns
        if returns is None:
            returns = call.resource.type if call.resource is not None else Any
        accept = PARTIAL if call.resource is not None and call.resource.partial else transports.JSON
        body, content_type = await self._exchange(call, accept)
        if not content_type.startswith(transports.JSON):
            return body.decode(errors="replace")
        return codecs.decode_tree(body) if returns in (Any, dict) else codecs.decode(returns, body)

    async def list(self, call: transports.Call) -> transports.Listing:
        if call.resource is None:
            raise ValueError("a list names its resource")
        body, _ = await self._exchange(call, PARTIAL_LIST if call.resource.partial else transports.JSON)
        kind = call.resource.type
        page: _TypedList = codecs.decode(_list_type(kind), body)
        return transports.Listing(page.items or [], page.metadata.resourceVersion, page.metadata.continue_)

    @asynccontextmanager
    async def watch(self, call: transports.Call) -> AsyncIterator[_Stream]:
        if call.resource is None:
            raise ValueError("a watch names its resource")
        accept = PARTIAL if call.resource.partial else transports.JSON
        try:
            async with self._open().request(
                call.method,
                self._server + call.path,
                params=call.query,
                headers={"Accept": accept, **self._bearer},
                timeout=self._watch_timeout,
                ssl=self._tls or True,
            ) as response:
                if response.status >= 400:
                    raise _failure(response.status, await response.read())
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
                if response.status >= 400:
                    raise _failure(response.status, body)
                return body, response.headers.get("Content-Type", "")
        except NETWORK_ERRORS as error:
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
            *lines, self._rest = (self._rest + chunk).split(b"\n")
            if lines:
                return [self._event(line) for line in lines if line]

    def _event(self, line: bytes) -> transports.Event:
        envelope: meta_v1.WatchEvent = codecs.decode(meta_v1.WatchEvent, line)
        if envelope.type == "ERROR":
            raise errors.StatusError(codecs.from_tree(meta_v1.Status, envelope.object))
        if self._kind is dict:
            return transports.Event(envelope.type, envelope.object)
        return transports.Event(envelope.type, codecs.from_tree(self._kind, envelope.object))


class _TypedList(Protocol):
    metadata: meta_v1.ListMeta
    items: list[Any] | None


_LIST_TYPES: dict[Any, Any] = {}


def _list_type(kind: Any) -> Any:
    found = _LIST_TYPES.get(kind)
    if found is None:
        fields: list[tuple[str, Any] | tuple[str, Any, Any]] = [
            ("metadata", meta_v1.ListMeta),
            ("items", list[kind] | None, []),
        ]
        found = _LIST_TYPES[kind] = msgspec.defstruct(f"{kind.__name__}Page", fields, kw_only=True)
    return found


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__


def _failure(code: int, body: bytes) -> errors.StatusError:
    """The Status in an answer; or one made from an answer that carries none."""
    try:
        status = codecs.decode(meta_v1.Status, body)
    except codecs.DecodeError:
        status = meta_v1.Status()
    if status.kind != "Status" or not status.code:
        text = body.decode(errors="replace").strip()
        return errors.error(code, "", text or f"the server answered {code}")
    return errors.StatusError(status)
