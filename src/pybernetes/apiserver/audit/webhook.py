"""Audit events to a server of somebody's choice, many at a time (`--audit-webhook-config-file`)."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable

from pybernetes.apiserver.audit import events
from pybernetes.kits import backoff, tasks
from pybernetes.kits import chance as chances
from pybernetes.kits import clock as clocks

log = logging.getLogger(__name__)

# How often a batch is sent before it is given up.
ATTEMPTS = 5
BEGUN = b'{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{},"items":['
# How long there is, at the end, for what has not been sent, in seconds.
LAST_SECONDS = 5.0


class Webhook:
    """`post(body)` sends a batch and raises OSError or TimeoutError if it did not arrive.

    At most `buffer` events are kept; those that come while it is full are lost, and counted. A batch goes when it has
    `batch` events, or its first has waited for `wait` seconds; it has `together` bytes at most, 0 for any number,
    unless one event has more. `after` is called at the end. For the rest see `auditor.Backend`.
    """

    plugin = "webhook"
    strict = False

    def __init__(
        self,
        post: Callable[[bytes], Awaitable[None]],
        *,
        clock: clocks.Clock,
        chance: chances.Chance,
        buffer: int = 10000,
        batch: int = 400,
        wait: float = 30.0,
        pause: float = 10.0,
        largest: int = 0,
        together: int = 0,
        after: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._post, self._clock, self._chance = post, clock, chance
        self._after = after
        self._buffer, self._batch, self._wait, self._pause = buffer, batch, wait, pause
        self._waiting: deque[bytes] = deque()
        self._full = asyncio.Event()
        self._arrived = asyncio.Event()
        self._closing = False
        self._tasks = tasks.Tasks()
        self._sending: asyncio.Task[None] | None = None
        self.largest, self.lost = largest, 0
        self._together = together
        self._overrun = False

    def start(self) -> None:
        self._sending = self._tasks.spawn(self._run(), name="audit webhook")

    def write(self, event: bytes) -> None:
        if len(self._waiting) >= self._buffer:
            self.lost += 1
            if not self._overrun:
                self._overrun = True
                log.error("the audit webhook does not keep up: events are lost")
            return
        self._waiting.append(event)
        self._arrived.set()
        if len(self._waiting) >= self._batch:
            self._full.set()

    def settle(self) -> bool:
        """No answer waits for the server."""
        return True

    async def close(self) -> None:
        self._closing = True
        self._arrived.set()
        self._full.set()
        if self._sending is not None:
            try:
                async with self._clock.timeout(LAST_SECONDS):
                    await asyncio.wait([self._sending])
            except TimeoutError:
                self.lost += len(self._waiting)
                log.error("%d audit events were not sent", len(self._waiting))
        await self._tasks.close()
        if self._after is not None:
            await self._after()

    async def _run(self) -> None:
        while not self._closing or self._waiting:
            await self._arrived.wait()
            timer = self._clock.call_later(self._wait, self._full.set)
            try:
                await self._full.wait()
            finally:
                timer.cancel()
            lines = self._taken()
            # What did not fit goes next, and does not wait for more.
            is_split = bool(self._waiting) and len(lines) < self._batch
            if not self._waiting and not self._closing:
                self._arrived.clear()
            if len(self._waiting) < self._batch and not is_split and not self._closing:
                self._full.clear()
            if lines:
                await self._send(lines)

    def _taken(self) -> list[bytes]:
        """Those that go next, together."""
        lines: list[bytes] = []
        size = 0
        while self._waiting and len(lines) < self._batch:
            size += len(self._waiting[0])
            if lines and self._together and size > self._together:
                break
            lines.append(self._waiting.popleft())
        return lines

    async def _send(self, lines: list[bytes]) -> None:
        # In a list, which says what it is one of, events are not told what they are.
        body = BEGUN + b",".join(b"{" + line[len(events.HEAD) : -1] for line in lines) + b"]}"
        pauses = backoff.Backoff(first=self._pause, cap=self._pause * 10, factor=1.5, jitter=0.2, chance=self._chance)
        for attempt in range(1, ATTEMPTS + 1):
            try:
                await self._post(body)
                return
            except (OSError, TimeoutError) as error:
                if attempt == ATTEMPTS or self._closing:
                    self.lost += len(lines)
                    log.error("%d audit events are lost: %s", len(lines), error)
                    return
            await self._clock.sleep(pauses.next())
