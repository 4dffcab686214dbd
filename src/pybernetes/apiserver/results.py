"""What an endpoint answers, before it has a form: the HTTP side renders it, loopback hands it on as it is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Protocol

import msgspec

from pybernetes.apiserver import request as requests
from pybernetes.apiserver.resources import kind as kinds
from pybernetes.apiserver.storage import item as items
from pybernetes.apiserver.storage import watchers


class Stored(msgspec.Struct):
    """One stored object, answered with its canonical bytes."""

    kind: kinds.Kind[Any]
    item: items.Item
    code: int = 200


class Made(msgspec.Struct):
    """An object made for this answer: reviews, Status, Scale, dry runs."""

    obj: Any
    code: int = 200
    kind: kinds.Kind[Any] | None = None


class Listed(msgspec.Struct):
    """A list of stored objects."""

    kind: kinds.Kind[Any]
    items: Sequence[items.Item]
    revision: int
    continue_token: str = ""
    remaining: int | None = None


class Watched(msgspec.Struct):
    """A watch: the answer is whatever `join` makes the receiver be sent, until the timeout.

    `join(encode, receiver)` sends what the client asked to begin with and adds the receiver; it returns a function
    that takes it out again. `encode` is None for receivers that take objects.
    """

    kind: kinds.Kind[Any]
    join: Join
    timeout: float
    bookmarks: bool


class Join(Protocol):
    async def __call__(self, encode: Any, receiver: watchers.Receiver) -> Callable[[], None]: ...


class Document(msgspec.Struct):
    """Bytes that are ready: discovery, health, metrics."""

    body: bytes
    content_type: str = "application/json"
    code: int = 200
    headers: tuple[tuple[str, str], ...] = ()


class Streamed(msgspec.Struct):
    """A body of unknown length: container logs."""

    chunks: AsyncIterator[bytes]
    content_type: str = "text/plain"


class Tunnel(msgspec.Struct):
    """An upgraded connection, carried byte for byte to another server.

    `open()` gives the reader and writer to it, after the request head has been sent; its answer is passed on.
    """

    open: Callable[[], Any]


class Forwarded(msgspec.Struct):
    """Another server's answer, passed on as it comes; `close` is called whatever becomes of it.

    `length` is that of the body in bytes, None where it is not known, or where there is none. The chunks raise
    ConnectionError where they end too early.
    """

    code: int
    headers: Sequence[tuple[str, str]]
    chunks: AsyncIterator[bytes]
    close: Callable[[], None]
    length: int | None = None
    bodiless: bool = False


# Answers that may go on; `finished` of their request says when they end.
LASTING = (Watched, Streamed, Forwarded, Tunnel)
Result = Stored | Made | Listed | Watched | Document | Streamed | Forwarded | Tunnel


class Handler(Protocol):
    """A filter or endpoint: takes the request, answers or raises StatusError.

    Whoever sends the answer gives back `request.seats` and calls `request.finished`, where there are any.
    """

    async def __call__(self, request: requests.Request, /) -> Result: ...
