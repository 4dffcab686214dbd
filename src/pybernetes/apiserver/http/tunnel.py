"""An upgraded connection carried to a kubelet byte for byte, with back-pressure both ways."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from pybernetes.apiserver import results

CHUNK = 64 * 1024
# What may wait to be sent to the kubelet before the client is not read any more.
HIGH_WATER = 256 * 1024


class Connection(Protocol):
    def write(self, data: bytes) -> None: ...
    async def drained(self) -> None: ...
    def when_lost(self, callback: Callable[[], None] | None) -> None: ...
    def close(self) -> None: ...
    def divert(self, sink: Callable[[bytes], None]) -> None: ...
    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...


async def run(connection: Connection, tunnel: results.Tunnel) -> None:
    """Open the far side, pass on its answer, then copy until one side ends. Raises StatusError before the answer."""
    answer = await tunnel.open()
    writer: asyncio.StreamWriter = answer.writer
    try:
        resuming: set[asyncio.Task[None]] = set()

        def to_far(data: bytes) -> None:
            writer.write(data)
            if writer.transport.get_write_buffer_size() > HIGH_WATER and not resuming:
                connection.pause_reading()
                task = asyncio.get_running_loop().create_task(_resume(connection, writer))
                resuming.add(task)
                task.add_done_callback(resuming.discard)

        connection.when_lost(writer.close)
        connection.write(answer.head)
        if answer.code == 101:
            connection.divert(to_far)
        while data := await answer.reader.read(CHUNK):
            connection.write(data)
            await connection.drained()
    except OSError:
        # Either side has gone; the other is told by the close below.
        pass
    finally:
        connection.when_lost(None)
        writer.close()
        connection.close()


async def _resume(connection: Connection, writer: asyncio.StreamWriter) -> None:
    try:
        await writer.drain()
    except OSError:
        return
    connection.resume_reading()
