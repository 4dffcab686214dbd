"""A request on its way through the chain, and what is known about it.

`parse` turns method, path and query into the attributes that authorization, admission and the endpoints look at
(upstream's RequestInfo). Transports fill the rest.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, Protocol
from urllib.parse import parse_qsl, unquote

import msgspec

from pybernetes.api import selectors as selectors_
from pybernetes.kits import clock as clocks
from pybernetes.kits import prometheus


class User(NamedTuple):
    """Who asks. `extra` holds what the authenticator adds, as sorted pairs so that users are hashable."""

    name: str
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: tuple[tuple[str, tuple[str, ...]], ...] = ()


ANONYMOUS = User("system:anonymous", groups=("system:unauthenticated",))


class Selectors(NamedTuple):
    """What a request for many objects narrows itself to, for authorizers that look at it.

    An error says that the terms are not all that was asked for. As terms only narrow, those that could be read count.
    """

    fields: tuple[selectors_.FieldTerm, ...] = ()
    labels: tuple[selectors_.Requirement, ...] = ()
    fields_error: str = ""
    labels_error: str = ""


def narrowing(by_fields: str, by_labels: str) -> Selectors | None:
    """Of the texts of selectors; None where they are empty. The endpoint says what is wrong with them."""
    found = Selectors()
    try:
        found = found._replace(fields=selectors_.parse_fields(by_fields).terms)
    except selectors_.SelectorError as error:
        found = found._replace(fields_error=str(error))
    try:
        found = found._replace(labels=selectors_.parse(by_labels).requirements)
    except selectors_.SelectorError as error:
        found = found._replace(labels_error=str(error))
    return found if any(found) else None


class Attributes(NamedTuple):
    """What a request is about. `resource` is "" for non-resource paths; `rest` what follows the subresource."""

    verb: str
    path: str
    group: str = ""
    version: str = ""
    namespace: str = ""
    resource: str = ""
    subresource: str = ""
    name: str = ""
    rest: str = ""
    selectors: Selectors | None = None

    @property
    def is_resource(self) -> bool:
        # Reviews may ask about a resource without a name.
        return self.resource != "" or self.path == ""


class Seats(Protocol):
    """What a request holds while it runs.

    `arrive` must be awaited first, if it is not None; it may raise 429. An answer that is sent in parts waits for
    `again` before each but the first.
    """

    @property
    def arrive(self) -> Callable[[], Awaitable[None]] | None: ...

    @property
    def executed(self) -> prometheus.Histogram | None:
        """By `durations.ALL`, where the request is to be timed by whoever counts it; None for who times itself."""
        ...

    async def again(self) -> None: ...

    def leave(self) -> None: ...


class Written(NamedTuple):
    """What the object in a body says of itself, as its client sent it."""

    namespace: str
    name: str
    uid: str
    resource_version: str


class Request(msgspec.Struct, kw_only=True, dict=False):
    """One request. `headers` has lower-case names.

    `body` is bytes, an object where it came over loopback, or `http/upload.py`'s where it passes through.
    """

    method: str
    path: str
    raw_query: str = ""
    headers: dict[str, str] = {}
    body: Any = b""
    peer: str = ""
    certificate_user: User | None = None
    # Whether its certificate lets it say who it speaks for.
    is_proxy: bool = False
    user: User = ANONYMOUS
    # The right by which the user is another than who came, where it is a constrained one.
    constraint: str = ""
    attributes: Attributes = Attributes("", "")
    loopback: bool = False
    warnings: list[str] = []
    # Lines of the answer's head that filters add.
    head: bytes = b""
    # What is noted for the audit.
    annotations: dict[str, str] = {}
    written: Written | None = None
    # Called when a request that lasts has come to its end.
    finished: Callable[[], None] | None = None
    # How long its client wants to wait, in seconds; 0: as long as the server lets it.
    timeout: float = 0.0
    # What ends it when that has passed, should it have to wait; and whether it has ended it.
    timer: clocks.Timer | None = None
    expired: bool = False
    # It has come to something, which may take its time to be sent.
    handled: bool = False
    # What it holds until it has been sent, and who is told, in seconds, how long each of its steps kept the event loop.
    seats: Seats | None = None
    charge: Callable[[float], None] | None = None
    # How long others have kept it, in seconds: who was before it in a queue, and webhooks.
    kept: float = 0.0
    # Told how many bytes its answer has, where that is counted.
    sized: Callable[[int], None] | None = None
    _query: dict[str, str] | None = None

    @property
    def query(self) -> dict[str, str]:
        """Query parameters; of repeated ones the first, as upstream takes them."""
        if self._query is None:
            self._query = parse_query(self.raw_query) if self.raw_query else {}
        return self._query

    def keep(self, seconds: float) -> None:
        """Others have kept it for so long."""
        self.kept += seconds

    def flag(self, name: str) -> bool:
        """A boolean parameter as upstream reads it: present and not "false" or "0"."""
        value = self.query.get(name)
        return value is not None and value.lower() not in ("false", "0")

    def header(self, name: str) -> str:
        return self.headers.get(name, "")


# Between the values of a repeated header; it cannot occur in one.
REPEATED = "\n"


def repeated(value: str) -> list[str]:
    """The values of a header that may be repeated."""
    return value.split(REPEATED) if value else []


def parse_query(text: str) -> dict[str, str]:
    query: dict[str, str] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        query.setdefault(name, value)
    return query


# Resources whose subresource `proxy` takes what is asked for to another server.
PROXIED = ("nodes", "pods", "services")


def passes_through(method: str, path: str) -> bool:
    """Whether the body is another server's: it is not read here, and may be of any length."""
    attributes = parse(method, path, False)
    proxied = attributes.subresource == "proxy" and attributes.resource in PROXIED
    return proxied and not attributes.group and attributes.version == "v1" and attributes.verb != "proxy"


_VERBS = {"POST": "create", "GET": "get", "HEAD": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_NAMESPACE_SUBRESOURCES = ("status", "finalize")


@functools.lru_cache(maxsize=4096)
def parse(method: str, path: str, watching: bool) -> Attributes:
    """Attributes of a request; `watching` is the `watch` query parameter's truth."""
    parts = path.strip("/").split("/")
    if parts[0] == "api" and len(parts) >= 3:
        group, version, rest = "", parts[1], parts[2:]
    elif parts[0] == "apis" and len(parts) >= 4:
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        return Attributes(method.lower(), path)
    rest = [unquote(part) for part in rest]
    verb = _VERBS.get(method, "")
    if rest[0] in ("watch", "proxy") and len(rest) > 1:
        verb = rest[0]
        rest = rest[1:]
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 1:
        namespace = rest[1]
        # `namespaces/x` is the namespace itself, `namespaces/x/pods` what is in it.
        if len(rest) > 2 and rest[2] not in _NAMESPACE_SUBRESOURCES:
            rest = rest[2:]
    resource = rest[0]
    name = rest[1] if len(rest) > 1 else ""
    subresource = rest[2] if len(rest) > 2 else ""
    if not name and verb == "get":
        verb = "watch" if watching else "list"
    elif not name and verb == "delete":
        verb = "deletecollection"
    elif name and verb == "get" and watching and not subresource:
        verb = "watch"
    return Attributes(verb, path, group, version, namespace, resource, subresource, name, "/".join(rest[3:]))
