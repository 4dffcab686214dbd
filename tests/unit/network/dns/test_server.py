from __future__ import annotations

import asyncio
import contextlib
import pathlib
import socket
import struct
from collections.abc import AsyncIterator
from dataclasses import dataclass

from pybernetes import informers
from pybernetes.api.types import core_v1, meta_v1
from pybernetes.kits.chance import Chance
from pybernetes.kits.clock import SystemClock, VirtualClock, settle
from pybernetes.network import dns
from pybernetes.network.dns import message, upstream
from tests.fakes.api import FakeApi

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Answered:
    code: int
    authoritative: bool
    truncated: bool
    records: list[message.Record]


class Elsewhere(asyncio.DatagramProtocol):
    """A server on a port of its own, that knows one address for every name, or says nothing."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.silent = False

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str | int, ...]) -> None:
        asked = message.parse_query(data)
        self.asked.append(asked.name)
        if not self.silent:
            found = message.address(asked.name, "192.0.2.9", 60)
            self._transport.sendto(message.answer(asked, message.NO_ERROR, [found], authoritative=False), addr)


class Asking(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, addr: tuple[str | int, ...]) -> None:
        self.answer.set_result(data)


@dataclass
class World:
    port: int
    elsewhere: Elsewhere

    async def bytes(self, data: bytes) -> bytes:
        transport, asking = await asyncio.get_running_loop().create_datagram_endpoint(
            Asking, remote_addr=(HOST, self.port)
        )
        try:
            transport.sendto(data)
            async with asyncio.timeout(10):
                return await asking.answer
        finally:
            transport.close()

    async def ask(self, name: str, kind: int = message.A, *, flags: int = 0) -> Answered:
        asked = message.query(1, name, kind)
        return read(await self.bytes(asked[:2] + struct.pack("!H", flags) + asked[4:]))


def read(data: bytes) -> Answered:
    flags = struct.unpack_from("!H", data, 2)[0]
    return Answered(flags & 15, bool(flags & 0x0400), bool(flags & 0x0200), message.parse_answers(data))


def service(name: str, **spec: object) -> core_v1.Service:
    return core_v1.Service(metadata=meta_v1.ObjectMeta(name=name, namespace="shop"), spec=core_v1.ServiceSpec(**spec))


def free_port() -> int:
    with socket.create_server((HOST, 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


@contextlib.asynccontextmanager
async def world(tmp_path: pathlib.Path) -> AsyncIterator[World]:
    clock, port = SystemClock(), free_port()
    other, elsewhere = await asyncio.get_running_loop().create_datagram_endpoint(Elsewhere, local_addr=(HOST, 0))
    api = FakeApi(clock=VirtualClock())
    api.seed(
        service("web", clusterIP="10.96.0.7"),
        service("wide", clusterIP="10.96.1.1", clusterIPs=[f"10.96.1.{n}" for n in range(1, 60)]),
        service("out", type="ExternalName", externalName="www.example.org"),
        service("in", type="ExternalName", externalName="web.shop.svc.cluster.local"),
        service("circle", type="ExternalName", externalName="circle.shop.svc.cluster.local"),
    )
    resolv_conf = tmp_path / "resolv.conf"
    resolv_conf.write_text(f"nameserver {HOST}\n")
    known = informers.Informers(api.client(), clock=clock, chance=Chance(1))
    settings = dns.Settings(
        address=HOST, port=port, resolv_conf=resolv_conf, upstream_port=other.get_extra_info("sockname")[1]
    )
    server = dns.DNS(settings, known, clock=clock, chance=Chance(2))
    running = asyncio.ensure_future(server.run())
    try:
        await server.serving.wait()
        yield World(port, elsewhere)
    finally:
        running.cancel()
        await asyncio.wait([running])
        await server.close()
        await known.close()
        other.close()


async def test_names_of_the_cluster_are_answered_here(tmp_path: pathlib.Path) -> None:
    async with world(tmp_path) as here:
        found = await here.ask("Web.shop.svc.cluster.local")
        assert (found.code, found.authoritative) == (message.NO_ERROR, True)
        assert [record.text for record in found.records] == ["10.96.0.7"]
        assert (await here.ask("none.shop.svc.cluster.local")).code == message.NO_SUCH_NAME
        assert here.elsewhere.asked == []


async def test_other_names_are_asked_elsewhere(tmp_path: pathlib.Path) -> None:
    async with world(tmp_path) as here:
        found = await here.ask("www.example.org")
        assert (found.code, found.authoritative) == (message.NO_ERROR, False)
        assert [record.text for record in found.records] == ["192.0.2.9"]
        assert here.elsewhere.asked == ["www.example.org"]


async def test_an_alias_comes_with_what_it_stands_for(tmp_path: pathlib.Path) -> None:
    async with world(tmp_path) as here:
        for name, address in (("out", "192.0.2.9"), ("in", "10.96.0.7")):
            found = await here.ask(f"{name}.shop.svc.cluster.local")
            assert [record.type for record in found.records] == [message.CNAME, message.A]
            assert found.records[-1].text == address
        assert {record.type for record in (await here.ask("circle.shop.svc.cluster.local")).records} == {message.CNAME}


async def test_what_no_packet_holds_comes_over_tcp(tmp_path: pathlib.Path) -> None:
    async with world(tmp_path) as here:
        name = "wide.shop.svc.cluster.local"
        found = await here.ask(name)
        assert (found.truncated, found.records) == (True, [])
        reader, writer = await asyncio.open_connection(HOST, here.port)
        for _ in range(2):
            asked = message.query(1, name, message.A)
            writer.write(len(asked).to_bytes(2, "big") + asked)
            answer = await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big"))
            assert len(read(answer).records) == 59
        # No question: the connection gets an answer to that, too.
        writer.write(b"\0\x0c" + b"\0\1" + bytes(10))
        answer = await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big"))
        assert read(answer).code == message.FORMAT_ERROR
        writer.close()


async def test_what_is_no_question_is_refused(tmp_path: pathlib.Path) -> None:
    async with world(tmp_path) as here:
        assert read(await here.bytes(b"\0\1" + bytes(10))).code == message.FORMAT_ERROR
        notify = 4 << 11
        assert (await here.ask("web.shop.svc.cluster.local", flags=notify)).code == message.NOT_IMPLEMENTED


async def test_one_server_says_nothing_so_the_next_is_asked() -> None:
    clock = VirtualClock()
    first, mute = await asyncio.get_running_loop().create_datagram_endpoint(Elsewhere, local_addr=(HOST, 0))
    port = first.get_extra_info("sockname")[1]
    second, talks = await asyncio.get_running_loop().create_datagram_endpoint(Elsewhere, local_addr=("127.0.0.2", port))
    mute.silent = True
    asked = message.query(1, "www.example.org", message.A)
    servers = upstream.Upstream(("no address", HOST, "127.0.0.2"), port=port, clock=clock, chance=Chance(1))
    passing = asyncio.ensure_future(servers.pass_on(asked, whole=False))
    while not mute.asked:
        await settle()
    await clock.advance(upstream.SECONDS)
    assert [record.text for record in message.parse_answers(await passing)] == ["192.0.2.9"]
    assert talks.asked == ["www.example.org"]
    first.close()
    second.close()


async def test_with_nobody_to_ask_the_asker_hears_of_a_failure(tmp_path: pathlib.Path) -> None:
    async with world(tmp_path) as here:
        # Nobody listens for connections there.
        reader, writer = await asyncio.open_connection(HOST, here.port)
        asked = message.query(1, "www.example.org", message.A)
        writer.write(len(asked).to_bytes(2, "big") + asked)
        answer = await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big"))
        assert (read(answer).code, read(answer).records) == (message.SERVER_FAILURE, [])
        writer.close()
