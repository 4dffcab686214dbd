"""The streams of simulated processes: what `exec`, `attach` and `port_forward` give."""

from __future__ import annotations

import asyncio

from pybernetes.kits import clock as clocks
from pybernetes.runtime import protocol
from pybernetes.runtime.simulated import scripts


class ScriptedProcess:
    """An exec: prints its output, echoes its input if it reads any, ends in its time."""

    def __init__(self, script: scripts.Script, *, clock: clocks.Clock, stdin: bool) -> None:
        self._script, self._clock = script, clock
        self._output: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._ended: asyncio.Future[protocol.Exit] = asyncio.get_running_loop().create_future()
        self._timer: clocks.Timer | None = None
        if script.output:
            self._output.put_nowait(script.output)
        if script.run is not None:
            self._timer = clock.call_later(script.run, self._end)
        elif not (script.reads_input and stdin):
            # Whatever it is, it has nothing to say.
            self._end()

    def _end(self) -> None:
        if not self._ended.done():
            self._ended.set_result(protocol.Exit(code=self._script.exit_code()))
            self._output.put_nowait(None)

    async def read(self) -> tuple[int, bytes] | None:
        if self._ended.done() and self._output.empty():
            return None
        data = await self._output.get()
        return None if data is None else (protocol.STDOUT, data)

    async def write(self, data: bytes) -> None:
        if self._script.reads_input:
            self._output.put_nowait(data)

    async def end_input(self) -> None:
        if self._script.reads_input:
            self._end()

    async def resize(self, *, width: int, height: int) -> None:
        return

    async def exit(self) -> protocol.Exit:
        return await asyncio.shield(self._ended)

    async def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._end()


class MemoryLog:
    """A container's log, in the CRI format."""

    def __init__(self) -> None:
        self._lines: list[bytes] = []
        self._ended = False
        self._grown = asyncio.Event()

    def add(self, stamp: str, output: bytes) -> None:
        for text in output.splitlines():
            self._lines.append(stamp.encode() + b" stdout F " + text)
        self._wake()

    def end(self) -> None:
        self._ended = True
        self._wake()

    def _wake(self) -> None:
        grown, self._grown = self._grown, asyncio.Event()
        grown.set()

    def lines(self, start: int) -> list[bytes]:
        return self._lines[start:]

    async def changed(self, start: int) -> bool:
        while len(self._lines) <= start:
            if self._ended:
                return False
            await self._grown.wait()
        return True


class AttachedLog:
    """An attach: what the container prints from now on."""

    def __init__(self, log: MemoryLog, ended: asyncio.Future[int]) -> None:
        self._log, self._ended = log, ended
        self._at = len(log.lines(0))

    async def read(self) -> tuple[int, bytes] | None:
        if not await self._log.changed(self._at):
            return None
        fresh = self._log.lines(self._at)
        self._at += len(fresh)
        return protocol.STDOUT, b"".join(line.split(b" ", 3)[3] + b"\n" for line in fresh)

    async def write(self, data: bytes) -> None:
        return

    async def end_input(self) -> None:
        return

    async def resize(self, *, width: int, height: int) -> None:
        return

    async def exit(self) -> protocol.Exit:
        await asyncio.shield(self._ended)
        return protocol.Exit()

    async def close(self) -> None:
        return
