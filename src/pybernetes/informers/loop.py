"""Reconcile loop: takes keys from a queue and brings the world in line, one key at a time per worker."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from pybernetes.api import errors
from pybernetes.informers import queue as queues
from pybernetes.kits import causes
from pybernetes.kits.clock import Clock
from pybernetes.kits.tasks import Tasks

log = logging.getLogger(__name__)

# Answers that say "look again", not "something is wrong".
_QUIET = ("Conflict", "AlreadyExists", "NotFound")


class Loop:
    """`workers` tasks that run `reconcile(key)`; what it raises is retried with the queue's back-off.

    A number that `reconcile` returns is a wish to look again after that many seconds.
    """

    def __init__(
        self,
        name: str,
        queue: queues.Queue,
        reconcile: Callable[[str], Awaitable[float | None]],
        *,
        workers: int = 1,
        clock: Clock,
    ) -> None:
        self.name = name
        self._queue, self._reconcile, self._workers, self._clock = queue, reconcile, workers, clock

    async def run(self) -> None:
        """Work until cancelled, or until the queue is closed."""
        tasks = Tasks()
        try:
            working = [tasks.spawn(self._work(), name=f"{self.name} {n}") for n in range(self._workers)]
            for task in working:
                await task
        finally:
            await tasks.close()

    async def _work(self) -> None:
        while True:
            try:
                key = await self._queue.get()
            except queues.Closed:
                return
            causes.current.set(causes.Cause(self.name, key, *self._queue.because(key)))
            try:
                await self._handle(key)
            finally:
                self._queue.done(key)
            if len(self._queue):
                # In process nothing needs to wait for anything; but what was written must reach the caches before
                # others decide by them, and nobody may keep the event loop for thousands of keys.
                await asyncio.sleep(0)

    async def _handle(self, key: str) -> None:
        try:
            again = await self._reconcile(key)
        except errors.StatusError as error:
            level = logging.DEBUG if error.reason in _QUIET else logging.WARNING
            log.log(level, "%s: %s: %s", self.name, key, error)
            self._queue.retry(key)
        except (ConnectionError, TimeoutError) as error:
            log.info("%s: %s: %s", self.name, key, error)
            self._queue.retry(key)
        except Exception:
            log.exception("%s: %s: unexpected failure", self.name, key)
            self._queue.retry(key)
        else:
            self._queue.forget(key)
            if again is not None:
                self._queue.add_after(key, again)
