"""Exec, attach and port-forward against a runtime's streaming server.

CRI answers such a request with a URL on which the runtime speaks SPDY/3.1 after an HTTP upgrade: one stream per
standard stream (`streamtype: stdin|stdout|stderr|error|resize`), or an error and a data stream per forwarded
connection. SPDY and not WebSocket, because older runtimes' WebSocket cannot close the input alone.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import urlsplit

from pybernetes.kits import spdy_session
from pybernetes.runtime import protocol

EXEC_PROTOCOL = "v4.channel.k8s.io"
PORT_FORWARD_PROTOCOL = "portforward.k8s.io"


async def _connect(url: str, subprotocol: str) -> spdy_session.Socket:
    parts = urlsplit(url)
    host, port = parts.hostname or "127.0.0.1", parts.port or 80
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    loop = asyncio.get_running_loop()
    try:
        _, socket = await loop.create_connection(lambda: spdy_session.Socket(client=True), host, port)
    except OSError as error:
        raise protocol.Unavailable(f"streaming server: {error}") from None
    request = (
        f"POST {target} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n"
        f"X-Stream-Protocol-Version: {subprotocol}\r\nContent-Length: 0\r\n\r\n"
    )
    try:
        head = await socket.upgrade(request.encode())
    except ConnectionError as error:
        raise protocol.Unavailable(f"streaming server: {error}") from None
    if not head.startswith(b"HTTP/1.1 101"):
        socket.close()
        raise protocol.Error(f"streaming server refused: {head.splitlines()[0].decode(errors='replace')}")
    return socket


def exit_of(status: bytes) -> protocol.Exit:
    """What the error stream carried: nothing or a status object that names success, an exit code, or a failure."""
    if not status:
        return protocol.Exit(code=0)
    try:
        told: dict[str, Any] = json.loads(status)
    except ValueError:
        return protocol.Exit(error=status.decode(errors="replace"))
    if told.get("status") == "Success":
        return protocol.Exit(code=0)
    if told.get("reason") == "NonZeroExitCode":
        for cause in (told.get("details") or {}).get("causes") or ():
            if cause.get("reason") == "ExitCode":
                return protocol.Exit(code=int(cause["message"]))
    message = str(told.get("message") or "unknown error")
    return protocol.Exit(error=message.removeprefix("Internal error occurred: "))


class StreamedProcess:
    """A process whose standard streams are SPDY streams."""

    def __init__(self, socket: spdy_session.Socket, streams: dict[str, spdy_session.Stream]) -> None:
        self._socket = socket
        self._streams = streams
        self._output: asyncio.Queue[tuple[int, bytes] | None] = asyncio.Queue(maxsize=16)
        sources = [(1, "stdout"), (2, "stderr")]
        self._open = sum(1 for _, name in sources if name in streams)
        self._pumps = [
            asyncio.create_task(self._pump(channel, streams[name]), name=f"process-{name}")
            for channel, name in sources
            if name in streams
        ]
        self._exit = asyncio.create_task(streams["error"].read_all(), name="process-exit")
        self._finished = self._open == 0

    async def _pump(self, channel: int, stream: spdy_session.Stream) -> None:
        async for chunk in stream:
            await self._output.put((channel, chunk))
        self._open -= 1
        if self._open == 0:
            await self._output.put(None)

    async def read(self) -> tuple[int, bytes] | None:
        if self._finished:
            return None
        output = await self._output.get()
        self._finished = output is None
        return output

    async def write(self, data: bytes) -> None:
        await self._streams["stdin"].write(data)

    async def end_input(self) -> None:
        await self._streams["stdin"].end()

    async def resize(self, *, width: int, height: int) -> None:
        if "resize" in self._streams:
            size = json.dumps({"Width": width, "Height": height}) + "\n"
            await self._streams["resize"].write(size.encode())

    async def exit(self) -> protocol.Exit:
        return exit_of(await asyncio.shield(self._exit))

    async def close(self) -> None:
        tasks = [*self._pumps, self._exit]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._socket.close()


async def process(url: str, *, stdin: bool, stdout: bool, stderr: bool, tty: bool) -> StreamedProcess:
    """Connect to an exec or attach URL."""
    socket = await _connect(url, EXEC_PROTOCOL)
    wanted = {"error": True, "stdin": stdin, "stdout": stdout, "stderr": stderr and not tty, "resize": tty}
    streams = {}
    try:
        for name in (name for name, want in wanted.items() if want):
            streams[name] = await socket.session.open({"streamtype": name})
        await streams["error"].end()
    except ConnectionError as error:
        socket.close()
        raise protocol.Unavailable(f"streaming server: {error}") from None
    return StreamedProcess(socket, streams)


class StreamedConnection:
    """A forwarded connection: a data stream, and an error stream that says what went wrong."""

    def __init__(self, socket: spdy_session.Socket, data: spdy_session.Stream, errors: spdy_session.Stream) -> None:
        self._socket, self._data, self._errors = socket, data, errors

    async def read(self) -> bytes:
        chunk = await self._data.read()
        if not chunk:
            message = await self._errors.read_all()
            if message:
                raise protocol.Error(message.decode(errors="replace"))
        return chunk

    async def write(self, data: bytes) -> None:
        await self._data.write(data)

    async def end_input(self) -> None:
        await self._data.end()

    async def close(self) -> None:
        self._socket.close()


async def connection(url: str, port: int) -> StreamedConnection:
    """Connect to a port-forward URL and open one connection to the port."""
    socket = await _connect(url, PORT_FORWARD_PROTOCOL)
    headers = {"port": str(port), "requestid": "0"}
    try:
        errors = await socket.session.open({"streamtype": "error", **headers})
        await errors.end()
        data = await socket.session.open({"streamtype": "data", **headers})
    except ConnectionError as error:
        socket.close()
        raise protocol.Unavailable(f"streaming server: {error}") from None
    return StreamedConnection(socket, data, errors)
