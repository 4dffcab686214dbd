"""The way from the API server to a node's kubelet, for logs, exec, attach and port-forward."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from typing import NamedTuple

from pybernetes.api import errors
from pybernetes.api.types import core_v1
from pybernetes.apiserver.storage import collection as collections
from pybernetes.kits import clock as clocks

CONNECT_SECONDS = 10.0
HEAD_LIMIT = 64 * 1024
CHUNK = 64 * 1024
ADDRESS_ORDER = ("InternalIP", "ExternalIP", "Hostname", "InternalDNS", "ExternalDNS")


class Address(NamedTuple):
    host: str
    port: int


class Answer(NamedTuple):
    """A kubelet's answer: its status code, raw head (up to the blank line), and its body as it comes."""

    code: int
    head: bytes
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


class Kubelets:
    """`nodes` is where nodes are stored; `tls` the server's own certificate for kubelets, and their CA."""

    def __init__(self, nodes: collections.Collection, tls: ssl.SSLContext | None, clock: clocks.Clock) -> None:
        self._nodes = nodes
        self._tls = tls
        self._clock = clock

    def address(self, node_name: str) -> Address:
        """Raises StatusError if the node is unknown or has no address."""
        item = self._nodes.get("", node_name)
        if item is None:
            raise errors.not_found("", "nodes", node_name)
        node: core_v1.Node = item.decoded(core_v1.Node)
        known = {address.type: address.address for address in reversed(node.status.addresses)}
        for kind in ADDRESS_ORDER:
            if kind in known:
                return Address(known[kind], node.status.daemonEndpoints.kubeletEndpoint.Port or 10250)
        raise errors.internal(f"no preferred addresses found; known addresses: {sorted(known)}")

    async def request(
        self, node_name: str, target: str, *, method: str = "GET", headers: tuple[tuple[str, str], ...] = ()
    ) -> Answer:
        """Send a request without body; the answer's head has been read. Raises StatusError if nobody answers."""
        address = self.address(node_name)
        host = f"[{address.host}]" if ":" in address.host else address.host
        lines = [f"{method} {target} HTTP/1.1", f"Host: {host}:{address.port}"]
        lines += [f"{name}: {value}" for name, value in headers]
        try:
            async with self._clock.timeout(CONNECT_SECONDS):
                reader, writer = await asyncio.open_connection(
                    address.host, address.port, ssl=self._tls, limit=HEAD_LIMIT
                )
                writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
                head = await reader.readuntil(b"\r\n\r\n")
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            why = str(error) or type(error).__name__
            raise errors.internal(f"error dialing backend: dial tcp {address.host}:{address.port}: {why}") from None
        return Answer(int(head.split(b" ", 2)[1]), head, reader, writer)


def header(head: bytes, name: str) -> str:
    """A header of a raw head, "" if it is not there."""
    wanted = name.lower().encode() + b":"
    for line in head.split(b"\r\n")[1:]:
        if line.lower().startswith(wanted):
            return line[len(wanted) :].strip().decode("latin-1")
    return ""


async def body(answer: Answer) -> AsyncIterator[bytes]:
    """The answer's body, un-chunked, as it arrives; closes the connection at its end."""
    reader = answer.reader
    try:
        if header(answer.head, "transfer-encoding").lower() == "chunked":
            while size := int((await reader.readline()).split(b";")[0].strip() or b"0", 16):
                while size:
                    part = await reader.read(min(size, CHUNK))
                    if not part:
                        return
                    size -= len(part)
                    yield part
                await reader.readline()
            return
        length = header(answer.head, "content-length")
        left = int(length) if length else -1
        while left:
            part = await reader.read(CHUNK if left < 0 else min(left, CHUNK))
            if not part:
                return
            left -= len(part) if left > 0 else 0
            yield part
    except (OSError, ValueError):
        # The kubelet went away in the middle: what has arrived is all there is.
        return
    finally:
        answer.writer.close()
