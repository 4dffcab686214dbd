"""A request's body that is passed on while it arrives."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

# What may wait to be taken, in bytes, before the client is not read any more.
HIGH_WATER = 128 * 1024
# What a client may go on sending after its answer before it is cut off; Go's servers are as patient.
PATIENCE = 256 * 1024


class Upload:
    """`async for part in upload`, once; raises ConnectionError when the client goes before its end.

    `pause` and `resume` stop and start the reading of the client.
    """

    def __init__(self, pause: Callable[[], None], resume: Callable[[], None]) -> None:
        self._pause = pause
        self._resume = resume
        self._parts: list[bytes] = []
        self._waiting = 0
        self._ended = False
        self._lost = False
        self._left: int | None = None
        self._wake: asyncio.Future[None] | None = None

    def feed(self, data: bytes) -> None:
        if self._left is not None:
            self._left -= len(data)
            return
        self._parts.append(data)
        self._waiting += len(data)
        if self._waiting > HIGH_WATER:
            self._pause()
        self._notify()

    def end(self) -> None:
        self._ended = True
        self._notify()

    def lose(self) -> None:
        self._lost = not self._ended
        self._notify()

    def discard(self) -> None:
        """Nobody wants the rest."""
        self._left = PATIENCE
        self._parts.clear()
        self._waiting = 0
        self._resume()

    @property
    def is_too_long(self) -> bool:
        """Whether more has come of what nobody wants than there is patience for."""
        return self._left is not None and self._left < 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            while self._parts:
                parts, self._parts = self._parts, []
                if self._waiting > HIGH_WATER:
                    self._resume()
                self._waiting = 0
                yield b"".join(parts)
            if self._lost:
                raise ConnectionError("the client has gone")
            if self._ended:
                return
            self._wake = asyncio.get_running_loop().create_future()
            try:
                await self._wake
            finally:
                self._wake = None

    def _notify(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)
