"""Port-forward: the client's connections, by SPDY streams or WebSocket channels, joined with ports of the pod."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import Awaitable, Callable

import aiohttp
from aiohttp import web

from pybernetes.kits import channels, spdy, spdy_session
from pybernetes.kits.tasks import Tasks
from pybernetes.runtime import protocol

PROTOCOL = "portforward.k8s.io"
TUNNEL = f"SPDY/3.1+{PROTOCOL}"

Dial = Callable[[int], Awaitable[protocol.Connection]]


async def serve_session(session: spdy_session.Session, dial: Dial) -> None:
    """Every pair of an `error` and a `data` stream with one request id is a connection."""
    waiting: dict[str, dict[str, spdy_session.Stream]] = {}
    tasks = Tasks()
    try:
        while (stream := await session.accept()) is not None:
            request_id = stream.headers.get("requestid", "")
            pair = waiting.setdefault(request_id, {})
            pair[stream.headers.get("streamtype", "")] = stream
            if pair.keys() >= {"error", "data"}:
                del waiting[request_id]
                tasks.spawn(_forward(pair["data"], pair["error"], dial), name=f"port-forward {request_id}")
    finally:
        await tasks.close()


async def _forward(data: spdy_session.Stream, errors: spdy_session.Stream, dial: Dial) -> None:
    port = int(data.headers.get("port", "0") or 0)
    try:
        connection = await dial(port)
    except protocol.Error as error:
        with contextlib.suppress(ConnectionError):
            await errors.write(f"error forwarding port {port} to pod: {error}".encode())
            await errors.end()
        data.reset()
        return

    async def upward() -> None:
        async for chunk in data:
            await connection.write(chunk)
        await connection.end_input()

    async def downward() -> None:
        while chunk := await connection.read():
            await data.write(chunk)
        await data.end()

    try:
        pumps = [asyncio.create_task(upward()), asyncio.create_task(downward())]
        try:
            # The pod's side decides: once it has said everything, the connection is over.
            await pumps[1]
        except protocol.Error as error:
            with contextlib.suppress(ConnectionError):
                await errors.write(f"error forwarding port {port} to pod: {error}".encode())
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
        with contextlib.suppress(ConnectionError):
            await data.end()
            await errors.end()
    except ConnectionError:
        pass
    finally:
        await connection.close()


async def serve_tunnel(socket: web.WebSocketResponse, dial: Dial) -> None:
    """SPDY inside of WebSocket messages, as kubectl does since 1.30."""
    outgoing: asyncio.Queue[bytes] = asyncio.Queue()
    session = spdy_session.Session(client=False, write=outgoing.put_nowait, drain=outgoing.join)

    async def send() -> None:
        while True:
            data = await outgoing.get()
            try:
                await socket.send_bytes(data)
            finally:
                outgoing.task_done()

    async def receive() -> None:
        try:
            async for message in socket:
                if message.type is aiohttp.WSMsgType.BINARY:
                    session.feed(message.data)
        except spdy.ProtocolError:
            await socket.close(code=aiohttp.WSCloseCode.PROTOCOL_ERROR)
        finally:
            session.lost()

    tasks = Tasks()
    try:
        tasks.spawn(send(), name="port-forward tunnel out")
        tasks.spawn(receive(), name="port-forward tunnel in")
        await serve_session(session, dial)
    finally:
        await tasks.close()


async def serve_channels(socket: web.WebSocketResponse, subprotocol: str, ports: list[int], dial: Dial) -> None:
    """The older way: per port a data and an error channel, which begin with the port's number."""
    connections: dict[int, protocol.Connection] = {}
    ended: set[int] = set()
    tasks = Tasks()

    async def send(channel: int, data: bytes) -> None:
        payload = channels.encode(channel, data, subprotocol)
        if subprotocol in channels.TEXT:
            await socket.send_str(payload.decode())
        else:
            await socket.send_bytes(payload)

    async def downward(at: int, connection: protocol.Connection) -> None:
        try:
            while chunk := await connection.read():
                await send(2 * at, chunk)
        except protocol.Error as error:
            await send(2 * at + 1, str(error).encode())
        ended.add(at)
        if len(ended) == len(ports):
            # These channels cannot tell the end of one connection; as upstream, the end of all ends the WebSocket.
            await socket.close()

    try:
        for at, port in enumerate(ports):
            number = struct.pack("<H", port)
            await send(2 * at, number)
            await send(2 * at + 1, number)
            try:
                connections[at] = await dial(port)
            except protocol.Error as error:
                await send(2 * at + 1, f"error forwarding port {port} to pod: {error}".encode())
                ended.add(at)
                continue
            tasks.spawn(downward(at, connections[at]), name=f"port-forward {port}")
        async for message in socket:
            if message.type not in (aiohttp.WSMsgType.BINARY, aiohttp.WSMsgType.TEXT):
                continue
            found = channels.decode(message.data, subprotocol)
            target = connections.get(found.channel // 2)
            if target is not None and found.channel % 2 == 0 and found.data:
                await target.write(found.data)
    except (ConnectionError, ValueError):
        pass
    finally:
        await tasks.close()
        for connection in connections.values():
            await connection.close()
