"""The seam between a client and an API server: HTTPS to any server, or in-process loopback to ours.

Both carry the same `Call` through the same chain of filters on the server; loopback saves the socket and the bytes:
what it hands out are the server's own decoded objects, shared and read-only.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

import msgspec

from pybernetes.api import scheme

JSON = "application/json"
YAML = "application/yaml"
JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"


class Call(msgspec.Struct, kw_only=True):
    """One request. `resource` says what the answer decodes to (None: a plain tree)."""

    method: str
    path: str
    query: dict[str, str] = {}
    body: Any = None
    content_type: str = JSON
    resource: scheme.Resource | None = None
    returns: Any = None


class Event(msgspec.Struct, frozen=True):
    """One line of a watch: ADDED, MODIFIED, DELETED, BOOKMARK (never ERROR: that is raised as StatusError)."""

    type: str
    object: Any


class Listing(msgspec.Struct):
    """A list's items, the revision it was read at, and the token that continues it."""

    items: list[Any]
    revision: str
    continue_token: str = ""


class WatchStream(Protocol):
    """An open watch."""

    async def next(self) -> list[Event]:
        """The events that have arrived, at least one; waits for it. [] when the server ended the watch.

        Raises StatusError (410 when the revision is too old) and ConnectionError.
        """
        ...


class Transport(Protocol):
    """Carries calls. Raises StatusError for what the server answers, ConnectionError where none answers.

    `in_process` says that there is no connection, which could be dead without anybody noticing.
    """

    in_process: bool

    async def send(self, call: Call) -> Any:
        """The decoded answer: an object, a tree, or the text of a plain-text answer."""
        ...

    async def list(self, call: Call) -> Listing: ...

    def watch(self, call: Call) -> AbstractAsyncContextManager[WatchStream]: ...

    async def close(self) -> None: ...
