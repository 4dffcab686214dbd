"""The client's end of an exec or attach, over WebSocket channels or SPDY streams, and the bridge to the process."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, NamedTuple, Protocol

import aiohttp
from aiohttp import web

from pybernetes.kits import channels, spdy_session
from pybernetes.kits import clock as clocks
from pybernetes.runtime import protocol

SPDY_PROTOCOLS = ("v4.channel.k8s.io", "v3.channel.k8s.io", "v2.channel.k8s.io", "channel.k8s.io")
# Upstream's streamCreationTimeout.
OPENING = 30.0


class Wanted(NamedTuple):
    """Which streams the client asked for."""

    stdin: bool
    stdout: bool
    stderr: bool
    tty: bool


class Input(NamedTuple):
    """Something from the client: bytes, a new terminal size (width, height), or the end of its input."""

    data: bytes = b""
    size: tuple[int, int] | None = None
    ended: bool = False


class Terminal(Protocol):
    def inputs(self) -> AsyncIterator[Input]: ...

    async def output(self, channel: int, data: bytes) -> None: ...

    async def finish(self, status: bytes) -> None: ...


def size_of(text: bytes) -> tuple[int, int] | None:
    """`{"Width":80,"Height":24}`."""
    try:
        told = json.loads(text)
        return int(told["Width"]), int(told["Height"])
    except (ValueError, KeyError, TypeError):
        return None


def status_of(ended: protocol.Exit) -> bytes:
    """How it ended, as the Status object that clients expect on the error channel."""
    status: dict[str, Any] = {"metadata": {}, "status": "Success"}
    if ended.error:
        message = f"Internal error occurred: {ended.error}"
        status = {"metadata": {}, "status": "Failure", "message": message, "reason": "InternalError", "code": 500}
    elif ended.code:
        status = {
            "metadata": {},
            "status": "Failure",
            "message": f"command terminated with non-zero exit code: exit status {ended.code}",
            "reason": "NonZeroExitCode",
            "details": {"causes": [{"reason": "ExitCode", "message": str(ended.code)}]},
        }
    return json.dumps(status, separators=(",", ":")).encode()


def plain_error(status: bytes) -> bytes:
    """What the protocols before v4 send instead of a Status: an error's text, nothing for a success."""
    told = json.loads(status)
    return b"" if told["status"] == "Success" else str(told["message"]).encode()


class WebSocketTerminal:
    def __init__(self, socket: web.WebSocketResponse, subprotocol: str) -> None:
        self._socket, self._protocol = socket, subprotocol

    async def inputs(self) -> AsyncIterator[Input]:
        async for message in self._socket:
            if message.type not in (aiohttp.WSMsgType.BINARY, aiohttp.WSMsgType.TEXT):
                continue
            try:
                found = channels.decode(message.data, self._protocol)
            except ValueError:
                continue
            if found.channel == channels.STDIN:
                yield Input(data=found.data, ended=found.closed)
            elif found.channel == channels.RESIZE and (size := size_of(found.data)) is not None:
                yield Input(size=size)

    async def output(self, channel: int, data: bytes) -> None:
        payload = channels.encode(channel, data, self._protocol)
        if self._protocol in channels.TEXT:
            await self._socket.send_str(payload.decode())
        else:
            await self._socket.send_bytes(payload)

    async def stand(self, wanted: Wanted) -> None:
        """Tell the client that the connection stands, before there is any output."""
        lowest = channels.STDOUT if wanted.stdout else channels.STDERR if wanted.stderr else channels.ERROR
        await self.output(lowest, b"")

    async def finish(self, status: bytes) -> None:
        told = plain_error(status) if self._protocol in channels.PLAIN_ERRORS else status
        if told:
            await self.output(channels.ERROR, told)
        await self._socket.close()


class SpdyTerminal:
    def __init__(self, streams: dict[str, spdy_session.Stream], socket: spdy_session.Socket, subprotocol: str) -> None:
        self._streams, self._socket, self._protocol = streams, socket, subprotocol

    @classmethod
    async def open(
        cls, socket: spdy_session.Socket, subprotocol: str, wanted: Wanted, clock: clocks.Clock
    ) -> SpdyTerminal:
        """Wait until the client has opened all its streams. Raises TimeoutError and ConnectionError."""
        names = {"error"} | {name for name in ("stdin", "stdout", "stderr") if getattr(wanted, name)}
        if wanted.tty:
            names = names - {"stderr"} | {"resize"}
        streams: dict[str, spdy_session.Stream] = {}
        async with clock.timeout(OPENING):
            while not names <= streams.keys():
                stream = await socket.session.accept()
                if stream is None:
                    raise ConnectionResetError("the client went away")
                streams[stream.headers.get("streamtype", "")] = stream
        return cls(streams, socket, subprotocol)

    async def inputs(self) -> AsyncIterator[Input]:
        arrived: asyncio.Queue[Input] = asyncio.Queue(maxsize=16)

        async def stdin() -> None:
            async for data in self._streams["stdin"]:
                await arrived.put(Input(data=data))
            await arrived.put(Input(ended=True))

        async def resize() -> None:
            async for text in self._streams["resize"]:
                if (size := size_of(text)) is not None:
                    await arrived.put(Input(size=size))

        pumps = [asyncio.create_task(pump()) for pump in (stdin, resize) if pump.__name__ in self._streams]
        try:
            while True:
                yield await arrived.get()
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)

    async def output(self, channel: int, data: bytes) -> None:
        stream = self._streams.get("stdout" if channel == protocol.STDOUT else "stderr")
        if stream is not None:
            await stream.write(data)

    async def finish(self, status: bytes) -> None:
        with contextlib.suppress(ConnectionError):
            for name in ("stdout", "stderr"):
                if name in self._streams:
                    await self._streams[name].end()
            told = status if self._protocol == SPDY_PROTOCOLS[0] else plain_error(status)
            if told:
                await self._streams["error"].write(told)
            await self._streams["error"].end()
        self._socket.close_when_sent()


async def bridge(terminal: Terminal, start: Callable[[], Awaitable[protocol.Process]], *, stdin: bool) -> None:
    """Join the two until the process ends or the client goes away."""
    try:
        process = await start()
    except protocol.Error as error:
        await terminal.finish(status_of(protocol.Exit(error=str(error))))
        return
    incoming = asyncio.create_task(_feed(terminal, process, stdin=stdin))
    outgoing = asyncio.create_task(_drain(terminal, process))
    try:
        done, _ = await asyncio.wait([incoming, outgoing], return_when=asyncio.FIRST_COMPLETED)
        if outgoing in done and outgoing.exception() is None:
            await terminal.finish(status_of(await process.exit()))
    except ConnectionError:
        pass
    finally:
        for task in (incoming, outgoing):
            task.cancel()
        await asyncio.gather(incoming, outgoing, return_exceptions=True)
        await process.close()


async def _feed(terminal: Terminal, process: protocol.Process, *, stdin: bool) -> None:
    """Returns when the client is gone."""
    async for given in terminal.inputs():
        try:
            if given.size is not None:
                await process.resize(width=given.size[0], height=given.size[1])
            elif stdin and given.ended:
                await process.end_input()
            elif stdin and given.data:
                await process.write(given.data)
        except ConnectionError:
            # The process reads no more; it may still write.
            stdin = False


async def _drain(terminal: Terminal, process: protocol.Process) -> None:
    while (output := await process.read()) is not None:
        await terminal.output(*output)
