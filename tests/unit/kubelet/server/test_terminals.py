from __future__ import annotations

from typing import Any

import pytest

from pybernetes.kits import channels
from pybernetes.kubelet.server import terminals
from pybernetes.runtime import protocol


class Socket:
    """Keeps what is sent."""

    def __init__(self) -> None:
        self.sent: list[bytes | str] = []
        self.closed = False

    async def send_bytes(self, data: bytes) -> None:
        self.sent.append(data)

    async def send_str(self, data: str) -> None:
        self.sent.append(data)

    async def close(self) -> None:
        self.closed = True


async def finished(subprotocol: str, ended: protocol.Exit) -> list[bytes | str]:
    socket: Any = Socket()
    await terminals.WebSocketTerminal(socket, subprotocol).finish(terminals.status_of(ended))
    assert socket.closed
    sent: list[bytes | str] = socket.sent
    return sent


SUCCESS = b'{"metadata":{},"status":"Success"}'
FAILURE = "command terminated with non-zero exit code: exit status 3"


@pytest.mark.parametrize("subprotocol", [channels.V4, channels.V5])
async def test_a_status_says_how_it_ended(subprotocol: str) -> None:
    assert await finished(subprotocol, protocol.Exit(code=0)) == [b"\3" + SUCCESS]
    (told,) = await finished(subprotocol, protocol.Exit(code=3))
    assert FAILURE.encode() in bytes(told)  # type: ignore[arg-type]


async def test_before_v4_only_failures_were_told_and_in_words() -> None:
    assert await finished(channels.V1, protocol.Exit(code=0)) == []
    assert await finished(channels.V1, protocol.Exit(code=3)) == [b"\3" + FAILURE.encode()]
    (told,) = await finished(channels.V1_BASE64, protocol.Exit(code=3))
    assert channels.decode(told, channels.V1_BASE64) == channels.Message(channels.ERROR, FAILURE.encode())


@pytest.mark.parametrize(("wanted", "channel"), [(("stdout", "stderr"), 1), (("stderr", "stdin"), 2), (("stdin",), 3)])
async def test_the_first_message_says_that_the_connection_stands(wanted: tuple[str, ...], channel: int) -> None:
    socket: Any = Socket()
    streams = terminals.Wanted(**{name: name in wanted for name in terminals.Wanted._fields})
    await terminals.WebSocketTerminal(socket, channels.V4).stand(streams)
    assert socket.sent == [bytes((channel,))]
