"""What a test's own clients read and write is the test's: it may change it as it likes.

Components of the process share the server's objects and know not to; whoever writes a test should not have to.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from pybernetes import client as clients
from pybernetes.api import codecs


class PrivateTransport:
    """Carries copies of what another transport carries."""

    in_process = True

    def __init__(self, shared: clients.Transport) -> None:
        self._shared = shared

    async def send(self, call: clients.Call) -> Any:
        return _copy(await self._shared.send(_own(call)))

    async def list(self, call: clients.Call) -> clients.Listing:
        listing = await self._shared.list(_own(call))
        listing.items = [_copy(item) for item in listing.items]
        return listing

    @asynccontextmanager
    async def watch(self, call: clients.Call) -> AsyncIterator[clients.WatchStream]:
        async with self._shared.watch(_own(call)) as stream:
            yield _PrivateStream(stream)

    async def close(self) -> None:
        await self._shared.close()


class _PrivateStream:
    def __init__(self, shared: clients.WatchStream) -> None:
        self._shared = shared

    async def next(self) -> list[clients.Event]:
        return [clients.Event(event.type, _copy(event.object)) for event in await self._shared.next()]


def _own(call: clients.Call) -> clients.Call:
    return msgspec.structs.replace(call, body=_copy(call.body))


def _copy(found: Any) -> Any:
    """Of an object or a tree; everything else cannot be changed."""
    return codecs.copy(found) if isinstance(found, dict | list | msgspec.Struct) else found
