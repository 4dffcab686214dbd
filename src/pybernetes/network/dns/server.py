"""The server: UDP and TCP at an address of the pod network, where the Service `kube-dns` leads to."""

from __future__ import annotations

import asyncio
import logging
import pathlib
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

from pybernetes.informers import Informers
from pybernetes.kits import chance as chances
from pybernetes.kits import clock as clocks
from pybernetes.kits import resolver, tasks
from pybernetes.network.dns import message, upstream, zone

log = logging.getLogger(__name__)

# From <linux/in.h>; Python's socket module does not name it.
_IP_FREEBIND = 15
# Questions for other servers that are waited for at a time, and connections; beyond them askers have to come again.
MAX_PASSED_ON = 512
MAX_CONNECTIONS = 256
# A connection that asks nothing for so long is closed.
IDLE_SECONDS = 10.0
# An alias of an alias of ...: how far names within the cluster are followed.
_MAX_ALIASES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """`address` need not be there yet: the pod network makes it with the first pod."""

    address: str
    port: int
    domain: str = "cluster.local"
    resolv_conf: pathlib.Path = pathlib.Path("/etc/resolv.conf")
    upstream_port: int = upstream.PORT


class DNS:
    """Construct it, await `run`, then `close`. `informers` may be shared with the proxy of the node."""

    def __init__(
        self, settings: Settings, informers: Informers, *, clock: clocks.Clock, chance: chances.Chance
    ) -> None:
        self._settings, self._informers, self._clock, self._chance = settings, informers, clock, chance
        self._zone = zone.Zone(informers, settings.domain)
        self._upstream = upstream.Upstream((), clock=clock, chance=chance)
        self._tasks = tasks.Tasks()
        self._passed_on = 0
        self._connections = 0
        self.serving = asyncio.Event()

    async def run(self) -> None:
        """Returns only when cancelled. Raises OSError when it cannot listen."""
        settings, loop = self._settings, asyncio.get_running_loop()
        text = await asyncio.to_thread(_read, settings.resolv_conf)
        self._upstream = upstream.Upstream(
            resolver.parse(text).servers, port=settings.upstream_port, clock=self._clock, chance=self._chance
        )
        await self._informers.start()
        await self._zone.wait_synced()
        packets = _socket(socket.SOCK_DGRAM, settings)
        transport, _ = await loop.create_datagram_endpoint(lambda: _Packets(self._packet), sock=packets)
        try:
            server = await asyncio.start_server(self._connected, sock=_socket(socket.SOCK_STREAM, settings))
            try:
                self.serving.set()
                await loop.create_future()
            finally:
                server.close()
        finally:
            transport.close()

    async def close(self) -> None:
        await self._tasks.close()

    def _packet(self, data: bytes, send: Callable[[bytes], None]) -> None:
        asked, answer = self._at_once(data, udp=True)
        if answer:
            send(answer)
        elif asked is not None:
            self._tasks.spawn(self._later(data, asked, send), name="dns")

    async def _later(self, data: bytes, asked: message.Query, send: Callable[[bytes], None]) -> None:
        send(await self._elsewhere(data, asked, udp=True))

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._connections >= MAX_CONNECTIONS:
            writer.close()
            return
        self._connections += 1
        serving = self._tasks.spawn(self._serve(reader, writer), name="dns connection")
        serving.add_done_callback(lambda _: self._disconnected(writer))

    def _disconnected(self, writer: asyncio.StreamWriter) -> None:
        self._connections -= 1
        writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                async with self._clock.timeout(IDLE_SECONDS):
                    data = await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big"))
                asked, answer = self._at_once(data, udp=False)
                if asked is not None and not answer:
                    answer = await self._elsewhere(data, asked, udp=False)
                if not answer:
                    return
                writer.write(len(answer).to_bytes(2, "big") + answer)
                async with self._clock.timeout(IDLE_SECONDS):
                    await writer.drain()
        except (OSError, EOFError):
            # Gone, or silent for too long.
            return

    def _at_once(self, data: bytes, *, udp: bool) -> tuple[message.Query | None, bytes]:
        """The question and its answer; without an answer, others have to be asked; without both, there is none."""
        try:
            asked = message.parse_query(data)
        except message.Malformed:
            return None, message.refusal(data, message.FORMAT_ERROR)
        except message.NotUnderstood:
            return None, message.refusal(data, message.NOT_IMPLEMENTED)
        try:
            found = self._zone.answer(asked.name, asked.type)
        except message.Malformed:
            # No Service can be named so.
            found = zone.NOTHING
        if found is None or _dangling(found, asked.type):
            return asked, b""
        return asked, self._encode(asked, found, udp=udp)

    async def _elsewhere(self, data: bytes, asked: message.Query, *, udp: bool) -> bytes:
        if self._passed_on >= MAX_PASSED_ON:
            return message.answer(asked, message.SERVER_FAILURE, authoritative=False)
        self._passed_on += 1
        try:
            found = self._zone.answer(asked.name, asked.type)
            if found is None:
                return await self._upstream.pass_on(data, whole=not udp)
            records = await self._followed(found.records, asked.type)
            return self._encode(asked, zone.Answer(True, tuple(records)), udp=udp)
        except (upstream.Unreachable, message.Malformed) as error:
            log.info("%s: %s", asked.name, error)
            return message.answer(asked, message.SERVER_FAILURE, authoritative=False)
        finally:
            self._passed_on -= 1

    async def _followed(self, records: Sequence[message.Record], kind: int) -> list[message.Record]:
        """An alias, and what it stands for in the end: resolvers do not ask for that themselves."""
        chain = list(records)
        for _ in range(_MAX_ALIASES):
            target = message.target(chain[-1])
            found = self._zone.answer(target, kind)
            if found is None:
                return [*chain, *await self._upstream.addresses(target, kind)]
            chain += found.records
            if not _dangling(found, kind):
                break
        return chain

    def _encode(self, asked: message.Query, found: zone.Answer, *, udp: bool) -> bytes:
        records = list(found.records)
        if all(record.type in message.ADDRESSES for record in records):
            # Most take the first.
            self._chance.shuffle(records)
        return message.answer(
            asked,
            message.NO_ERROR if found.exists else message.NO_SUCH_NAME,
            records,
            authorities=() if records else [message.authority(self._settings.domain, zone.TTL)],
            additional=found.additional,
            room=asked.room if udp else message.MAX_SIZE,
        )


class _Packets(asyncio.DatagramProtocol):
    def __init__(self, received: Callable[[bytes, Callable[[bytes], None]], None]) -> None:
        self._received = received
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str | int, ...]) -> None:
        def send(answer: bytes) -> None:
            if self._transport is not None and not self._transport.is_closing():
                self._transport.sendto(answer, addr)

        self._received(data, send)


def _dangling(found: zone.Answer, kind: int) -> bool:
    """Whether it says only under what other name to look."""
    return bool(found.records) and found.records[-1].type == message.CNAME and kind in message.ADDRESSES


def _socket(kind: socket.SocketKind, settings: Settings) -> socket.socket:
    made = socket.socket(socket.AF_INET, kind)
    try:
        made.setblocking(False)
        made.setsockopt(socket.IPPROTO_IP, _IP_FREEBIND, 1)
        if kind == socket.SOCK_STREAM:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((settings.address, settings.port))
    except OSError:
        made.close()
        raise
    return made


def _read(path: pathlib.Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
