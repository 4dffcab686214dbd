"""The servers that the node itself asks: they know what is not the cluster's."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Sequence

from pybernetes.kits import chance as chances
from pybernetes.kits import clock as clocks
from pybernetes.network.dns import message

PORT = 53
# A server that says nothing for so long is given up, and the next is asked.
SECONDS = 2.0
_NUMBER = 2


class Unreachable(Exception):
    """No server answers, or there is none to ask."""


class Upstream:
    """`servers` are addresses, asked in that order."""

    def __init__(
        self, servers: Sequence[str], *, port: int = PORT, clock: clocks.Clock, chance: chances.Chance
    ) -> None:
        self._servers, self._port, self._clock, self._chance = servers, port, clock, chance

    async def pass_on(self, asked: bytes, *, whole: bool) -> bytes:
        """The first server's answer to a message, as it is; over TCP if it must be `whole`. Raises Unreachable."""
        ask = _over_tcp if whole else _over_udp
        problem: Exception | None = None
        for server in self._servers:
            try:
                async with self._clock.timeout(SECONDS):
                    return await ask(server, self._port, asked)
            except (OSError, EOFError) as error:
                # A TimeoutError is an OSError.
                problem = error
        raise Unreachable(str(problem) or type(problem).__name__)

    async def addresses(self, name: str, kind: int) -> list[message.Record]:
        """What a name stands for, by way of its aliases. Raises Unreachable."""
        try:
            asked = message.query(self._chance.below(1 << 16), name, kind)
            return message.parse_answers(await self.pass_on(asked, whole=False))
        except message.Malformed as error:
            raise Unreachable(str(error)) from None


class _Exchange(asyncio.DatagramProtocol):
    """Waits for the answer to a message; what else comes to the socket is not for us."""

    def __init__(self, number: bytes) -> None:
        self._number = number
        self.answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, addr: object) -> None:
        if data[:_NUMBER] == self._number and not self.answer.done():
            self.answer.set_result(data)

    def error_received(self, exc: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(exc)


async def _over_udp(server: str, port: int, asked: bytes) -> bytes:
    transport, exchange = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: _Exchange(asked[:_NUMBER]), remote_addr=(server, port), family=_family(server)
    )
    try:
        transport.sendto(asked)
        return await exchange.answer
    finally:
        transport.close()


async def _over_tcp(server: str, port: int, asked: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(server, port, family=_family(server))
    try:
        writer.write(len(asked).to_bytes(2, "big") + asked)
        return await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big"))
    finally:
        writer.close()


def _family(server: str) -> int:
    try:
        return socket.AF_INET6 if ipaddress.ip_address(server).version == 6 else socket.AF_INET
    except ValueError as error:
        raise OSError(str(error)) from None
