"""Owned background tasks: every task has a parent that ends it, and a failure is never silent."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

log = logging.getLogger(__name__)


class Tasks:
    """The background tasks of one component. `close` cancels them all and waits until they are gone.

    A task that fails is logged and, unless it was spawned with `vital=False`, sets `failed`, so that the owner
    can end the component instead of running on without it.
    """

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closing = False
        self.failed: asyncio.Future[None] | None = None

    def spawn(self, work: Coroutine[Any, Any, Any], *, name: str, vital: bool = False) -> asyncio.Task[Any]:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._vital_done if vital else self._done)
        return task

    async def wait_failed(self) -> None:
        """Wait until a vital task fails; raises what it raised."""
        if self.failed is None:
            self.failed = asyncio.get_running_loop().create_future()
        await self.failed

    async def close(self) -> None:
        self._closing = True
        current = asyncio.current_task()
        pending = [task for task in self._tasks if task is not current]
        for task in pending:
            task.cancel()
        if pending:
            await asyncio.wait(pending)

    def __len__(self) -> int:
        return len(self._tasks)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if task.cancelled() or task.exception() is None:
            return
        log.error("task %s failed", task.get_name(), exc_info=task.exception())

    def _vital_done(self, task: asyncio.Task[Any]) -> None:
        self._done(task)
        error = None if task.cancelled() else task.exception()
        if error is None or self._closing:
            return
        if self.failed is None:
            self.failed = task.get_loop().create_future()
        if not self.failed.done():
            self.failed.set_exception(error)
