"""Container logs as a stream of bytes: from the file that the runtime writes, or from its memory.

Following waits for inotify, and for the worker's word that the container ended; it never polls.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
from collections.abc import AsyncGenerator, Iterator
from typing import BinaryIO

from pybernetes.kubelet.pods import worker as workers
from pybernetes.kubelet.server import log_lines
from pybernetes.runtime import protocol

IN_MODIFY, IN_NONBLOCK, IN_CLOEXEC = 0x2, 0x800, 0x80000


class NoLog(Exception):
    """There is no such log; the message is for the client (400)."""


def choose(worker: workers.Worker, container: str, *, previous: bool) -> protocol.ContainerStatus:
    """The attempt whose log is asked for. Raises NoLog."""
    attempts = [found for found in worker.seen.containers if found.name == container]
    name = worker.pod.metadata.name
    if previous:
        if len(attempts) < 2:
            raise NoLog(f'previous terminated container "{container}" in pod "{name}" not found')
        return attempts[1]
    if not attempts or attempts[0].state is protocol.ContainerState.CREATED:
        raise NoLog(f'container "{container}" in pod "{name}" is waiting to start: {worker.waiting_reason(container)}')
    return attempts[0]


async def read(
    worker: workers.Worker, runtime: protocol.Runtime, found: protocol.ContainerStatus, options: log_lines.Options
) -> AsyncGenerator[bytes, None]:
    """The log, piece by piece, ending with it (or with the container, when following)."""
    selector = log_lines.Selector(options)
    kept = runtime.read_logs(found)
    pieces = _from_memory(kept, selector, options) if kept is not None else _from_file(worker, found, selector, options)
    async with contextlib.aclosing(pieces):
        async for piece in pieces:
            if piece:
                yield piece
            if selector.exhausted:
                return


async def _from_memory(
    kept: protocol.Logs, selector: log_lines.Selector, options: log_lines.Options
) -> AsyncGenerator[bytes, None]:
    lines = list(kept.lines(0))
    at = len(lines)
    if options.tail is not None:
        lines = lines[max(0, at - options.tail) :]
    yield selector.show(lines)
    while options.follow and await kept.changed(at):
        lines = list(kept.lines(at))
        at += len(lines)
        yield selector.show(lines)


async def _from_file(
    worker: workers.Worker,
    found: protocol.ContainerStatus,
    selector: log_lines.Selector,
    options: log_lines.Options,
) -> AsyncGenerator[bytes, None]:
    try:
        file = await asyncio.to_thread(open, found.log_path, "rb")
    except OSError:
        raise NoLog(f"unable to retrieve container logs for {found.id}") from None
    with file:
        if options.tail is not None:
            file.seek(await asyncio.to_thread(log_lines.tail_offset, file, options.tail))
        buffer = bytearray()
        if not options.follow:
            while block := await asyncio.to_thread(file.read, log_lines.BLOCK):
                buffer += block
                yield selector.show(log_lines.split(buffer))
            return
        async with contextlib.aclosing(_followed(worker, found, file)) as blocks:
            async for block in blocks:
                buffer += block
                yield selector.show(log_lines.split(buffer))


async def _followed(
    worker: workers.Worker, found: protocol.ContainerStatus, file: BinaryIO
) -> AsyncGenerator[bytes, None]:
    changed = asyncio.Event()
    with _inotify(found.log_path, changed), worker.watched(changed):
        while True:
            changed.clear()
            ended = not worker.is_running(found.id)
            while block := await asyncio.to_thread(file.read, log_lines.BLOCK):
                yield block
            if ended:
                return
            await changed.wait()


@contextlib.contextmanager
def _inotify(path: str, changed: asyncio.Event) -> Iterator[None]:
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = libc.inotify_init1(IN_NONBLOCK | IN_CLOEXEC)
    if descriptor < 0:
        raise OSError(ctypes.get_errno(), "inotify_init1")
    loop = asyncio.get_running_loop()

    def readable() -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(descriptor, 4096)
        changed.set()

    try:
        libc.inotify_add_watch(descriptor, os.fsencode(path), IN_MODIFY)
        loop.add_reader(descriptor, readable)
        yield
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)
