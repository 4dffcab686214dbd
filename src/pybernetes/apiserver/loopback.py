"""The client's in-process transport: the same chain, no sockets, no bytes.

What it hands out are the objects that the watch cache holds, shared by everybody in the process and read-only.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlencode

from pybernetes import client as clients
from pybernetes.api import codecs, errors, partial, scheme
from pybernetes.api.types import meta_v1
from pybernetes.apiserver import request as requests
from pybernetes.apiserver import results
from pybernetes.apiserver.http import render
from pybernetes.apiserver.storage import changes
from pybernetes.apiserver.storage import item as items
from pybernetes.client import wire
from pybernetes.kits import clock as clocks

# Bookmarks let a watch resume from within the last thousand changes that the server keeps at hand; so many changes of
# other objects apart they do.
BOOKMARK_CHANGES = 500
FIRST_ERROR = 400


class LoopbackTransport:
    """`user` is who the calls come from; `agent` the name writes are recorded under by default."""

    in_process = True

    def __init__(self, handler: results.Handler, user: requests.User, *, agent: str, clock: clocks.Clock) -> None:
        self._clock = clock
        self._handler = handler
        self._user = user
        self._agent = agent
        self._streams: set[_Stream | _Forwarded] = set()

    async def send(self, call: clients.Call) -> Any:
        result = await self._handler(self._request(call))
        if isinstance(result, results.Stored):
            return _shown(result.item, call.resource or result.kind.resource)
        if isinstance(result, results.Made):
            return result.obj
        if isinstance(result, results.Document):
            if result.content_type.startswith("application/json"):
                return codecs.decode_tree(result.body)
            return result.body.decode()
        if isinstance(result, results.Streamed):
            return b"".join([part async for part in result.chunks]).decode(errors="replace")
        if isinstance(result, results.Listed):
            return None
        if isinstance(result, results.Forwarded):
            return wire.decoded(call, await _body(result), _content_type(result))
        raise errors.bad_request("this cannot be asked for in process")

    async def list(self, call: clients.Call) -> clients.Listing:
        result = await self._handler(self._request(call, listing=True))
        if isinstance(result, results.Forwarded) and call.resource is not None:
            return wire.listing(call.resource, await _body(result))
        if not isinstance(result, results.Listed):
            raise errors.bad_request(f"{call.path} does not list")
        resource = call.resource or result.kind.resource
        found = [_shown(item, resource) for item in result.items]
        return clients.Listing(found, str(result.revision), result.continue_token)

    @asynccontextmanager
    async def watch(self, call: clients.Call) -> AsyncIterator[_Stream | _Forwarded]:
        request = self._request(call)
        result = await self._handler(request)
        if isinstance(result, results.Forwarded) and call.resource is not None:
            async with self._forwarded(request, result, call.resource.type) as forwarded:
                yield forwarded
            return
        if not isinstance(result, results.Watched):
            raise errors.bad_request(f"{call.path} does not watch")
        stream = _Stream(call.resource or result.kind.resource)
        # Whoever wants metadata alone must not make the cache keep whole objects.
        leave = await result.join(_not_encoded if stream.resource.partial else None, stream)
        timer = self._clock.call_later(result.timeout, stream.end)
        self._streams.add(stream)
        try:
            yield stream
        finally:
            timer.cancel()
            self._streams.discard(stream)
            leave()
            if request.finished is not None:
                request.finished()

    @asynccontextmanager
    async def _forwarded(
        self, request: requests.Request, result: results.Forwarded, kind: Any
    ) -> AsyncIterator[_Forwarded]:
        stream = _Forwarded(result, kind)
        self._streams.add(stream)
        try:
            if result.code >= FIRST_ERROR:
                raise wire.failure(result.code, await _body(result))
            yield stream
        finally:
            self._streams.discard(stream)
            result.close()
            if request.finished is not None:
                request.finished()

    async def close(self) -> None:
        for stream in tuple(self._streams):
            stream.end()

    def _request(self, call: clients.Call, *, listing: bool = False) -> requests.Request:
        return requests.Request(
            method=call.method,
            path=call.path,
            raw_query=_encoded(tuple(call.query.items())) if call.query else "",
            _query=call.query or None,
            headers={
                "accept": wire.accept(call, listing=listing),
                "content-type": call.content_type,
                "user-agent": self._agent,
            },
            body=b"" if call.body is None else call.body,
            user=self._user,
            loopback=True,
        )


# Most calls of a component ask in one of a few ways.
_encoded = functools.lru_cache(maxsize=1024)(urlencode)


def _not_encoded(event: str, item: items.Item) -> bytes:
    return b""


def _shown(item: items.Item, resource: scheme.Resource) -> Any:
    if resource.partial:
        meta = item.known_metadata()
        if meta is not None:
            return partial.PartialObjectMetadata(metadata=meta)
        return codecs.decode(partial.PartialObjectMetadata, render.partial(item.data))
    if resource.type is dict:
        # A custom resource to somebody who does not know its type; the server itself keeps it as another one.
        return item.fresh(dict)
    return item.decoded(resource.type)


class _Stream:
    """The receiver of a watch, as the client reads it."""

    def __init__(self, resource: scheme.Resource) -> None:
        self.resource = resource
        self._waiting: list[clients.Event] = []
        self._marked = 0
        self._wake: asyncio.Future[None] | None = None
        self._ended = False

    async def next(self) -> list[clients.Event]:
        while not self._waiting and not self._ended:
            self._wake = asyncio.get_running_loop().create_future()
            try:
                await self._wake
            finally:
                self._wake = None
        batch, self._waiting = self._waiting, []
        return batch

    def events(self, events: Sequence[tuple[str, items.Item]], frames: Sequence[bytes]) -> None:
        resource = self.resource
        self._waiting.extend([clients.Event(event, _shown(item, resource)) for event, item in events])
        self._notify()

    def initial_events_end(self, revision: int) -> None:
        self._bookmark(revision, {"k8s.io/initial-events-end": "true"})

    def bookmark(self, revision: int) -> None:
        if revision - self._marked >= BOOKMARK_CHANGES:
            self._bookmark(revision, {})

    def end(self) -> None:
        self._ended = True
        self._notify()

    def _bookmark(self, revision: int, annotations: dict[str, str]) -> None:
        self._marked = revision
        # Of a bookmark nobody reads more than its metadata.
        meta = meta_v1.ObjectMeta(resourceVersion=str(revision), annotations=annotations)
        obj = partial.PartialObjectMetadata(metadata=meta)
        self._waiting.append(
            clients.Event(changes.BOOKMARK, codecs.to_tree(obj) if self.resource.type is dict else obj)
        )
        self._notify()

    def _notify(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)


class _Forwarded:
    """A watch that another server answers."""

    def __init__(self, result: results.Forwarded, kind: Any) -> None:
        self._result, self._kind = result, kind
        self._rest = b""

    async def next(self) -> list[clients.Event]:
        async for chunk in self._result.chunks:
            found, self._rest = wire.events(self._kind, self._rest + chunk)
            if found:
                return found
        return []

    def end(self) -> None:
        self._result.close()


async def _body(result: results.Forwarded) -> bytes:
    """All of another server's answer. Raises StatusError for an error, ConnectionError where it ends too early."""
    try:
        body = b"".join([part async for part in result.chunks])
    finally:
        result.close()
    if result.code >= FIRST_ERROR:
        raise wire.failure(result.code, body)
    return body


def _content_type(result: results.Forwarded) -> str:
    return next((value for name, value in result.headers if name.lower() == "content-type"), "")
