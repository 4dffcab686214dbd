"""The server's side of WebSockets (RFC 6455) for answers that only go one way: container logs.

Connections that are a conversation (exec, port-forward) are carried to the kubelet, and end there.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Protocol

from wsproto import connection as wsconnections
from wsproto import events, utilities

from pybernetes.api import errors
from pybernetes.apiserver import request as requests
from pybernetes.apiserver import results

# Of the messages; without a choice they are the bytes themselves.
BINARY, BASE64 = "binary.k8s.io", "base64.binary.k8s.io"
NORMAL_CLOSURE = 1000


class Connection(Protocol):
    def write(self, data: bytes) -> None: ...
    async def drained(self) -> None: ...
    def divert(self, sink: Callable[[bytes], None]) -> None: ...
    def close(self) -> None: ...


async def stream(connection: Connection, request: requests.Request, streamed: results.Streamed) -> None:
    """Send the parts of the answer as messages, then close. Raises StatusError before anything is sent."""
    head, chosen = accept(request)
    socket = wsconnections.Connection(wsconnections.ConnectionType.SERVER)

    def receive(data: bytes) -> None:
        try:
            socket.receive_data(data)
            for event in socket.events():
                if isinstance(event, events.Ping):
                    connection.write(socket.send(event.response()))
                elif isinstance(event, events.CloseConnection):
                    connection.write(socket.send(event.response()))
                    connection.close()
        except utilities.ProtocolError:
            connection.close()

    def message(part: bytes) -> bytes:
        if chosen == BASE64:
            return socket.send(events.TextMessage(base64.b64encode(part).decode()))
        return socket.send(events.BytesMessage(part))

    # An empty message tells the client that the connection stands, before there is any log.
    connection.write(head + message(b""))
    connection.divert(receive)
    try:
        async for part in streamed.chunks:
            if part and socket.state is wsconnections.ConnectionState.OPEN:
                connection.write(message(part))
                await connection.drained()
        if socket.state is wsconnections.ConnectionState.OPEN:
            connection.write(socket.send(events.CloseConnection(NORMAL_CLOSURE)))
    finally:
        connection.close()


def accept(request: requests.Request) -> tuple[bytes, str]:
    """The head of the answer, and the protocol: the first of the client's that is known. Raises StatusError."""
    key = request.header("sec-websocket-key")
    if not key or request.header("sec-websocket-version") != "13":
        raise errors.bad_request("the request is not a WebSocket's of version 13")
    offered = [name.strip() for name in request.header("sec-websocket-protocol").split(",") if name.strip()]
    chosen = next((name for name in offered if name in (BINARY, BASE64)), "")
    if offered and not chosen:
        listed = f"requested protocol(s) are not supported: {offered}; supports {[BINARY, BASE64]}"
        raise errors.error(403, "Forbidden", listed)
    answer = utilities.generate_accept_token(key.encode("latin-1"))
    head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    head += b"Sec-WebSocket-Accept: %b\r\n" % answer
    if chosen:
        head += b"Sec-WebSocket-Protocol: %b\r\n" % chosen.encode()
    return head + b"\r\n", chosen
