"""A whole API server over the memory store, in virtual time, for tests that ask it in process or over a socket."""

from __future__ import annotations

import asyncio
import functools
import json
import socket
from collections.abc import Mapping
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.asymmetric import rsa

from pybernetes import client as clients
from pybernetes.api.types import core_v1, meta_v1
from pybernetes.apiserver import audit, settings
from pybernetes.apiserver import request as requests
from pybernetes.apiserver import server as apiservers
from pybernetes.kits.chance import Chance
from pybernetes.kits.clock import VirtualClock, settle
from pybernetes.store import protocol
from pybernetes.store.memory import MemoryStore

ADMIN = requests.User("admin", groups=("system:masters", "system:authenticated"))
ALICE = requests.User("alice", groups=("system:authenticated",))
# Bearer tokens of the two.
TOKENS = {"admin": ADMIN, "alice": ALICE}


@functools.cache
def signing_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


class FragileStore(MemoryStore):
    """`broken` makes every write fail, as a full disk does; `before_put` runs ahead of each."""

    def __init__(self) -> None:
        super().__init__()
        self.broken = False
        self.before_put: Any = None

    async def put(self, key: str, value: bytes, *, expected: int) -> int:
        if self.before_put is not None:
            await self.before_put(key)
        self._check_writable()
        return await super().put(key, value, expected=expected)

    async def delete(self, key: str, *, expected: int) -> int:
        self._check_writable()
        return await super().delete(key, expected=expected)

    def _check_writable(self) -> None:
        if self.broken:
            raise protocol.Unavailable("disk full")


class Answer(NamedTuple):
    """An HTTP answer, its headers by lower-case name."""

    code: int
    headers: dict[str, str]
    body: bytes

    def tree(self) -> Any:
        return json.loads(self.body)

    @property
    def message(self) -> str:
        """Of a Status."""
        return str(self.tree()["message"])


class Wire:
    """One HTTP/1.1 connection, as plain as can be."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def send(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        token: str = "admin",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        lines = [f"{method} {path} HTTP/1.1", "Host: test"]
        if token:
            lines.append(f"Authorization: Bearer {token}")
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        if body is not None:
            lines.append(f"Content-Length: {len(body)}")
        self.writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + (body or b""))

    async def head(self) -> tuple[int, dict[str, str]]:
        text = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = text.strip().split("\r\n")
        headers = {}
        for line in lines:
            name, _, value = line.partition(": ")
            headers[name.lower()] = value
        return int(first.split(" ")[1]), headers

    async def answer(self, *, bodiless: bool = False) -> Answer:
        code, headers = await self.head()
        if bodiless:
            return Answer(code, headers, b"")
        if headers.get("transfer-encoding") == "chunked":
            parts = []
            while part := await self.chunk():
                parts.append(part)
            return Answer(code, headers, b"".join(parts))
        return Answer(code, headers, await self.reader.readexactly(int(headers["content-length"])))

    async def chunk(self) -> bytes:
        size = int(await self.reader.readline(), 16)
        data = await self.reader.readexactly(size)
        await self.reader.readexactly(2)
        return data

    async def event(self) -> dict[str, Any]:
        """The next event of a watch."""
        found: dict[str, Any] = json.loads(await self.chunk())
        return found

    async def close(self) -> None:
        self.writer.close()
        try:
            await self.writer.wait_closed()
        except ConnectionError:
            return


class Kept:
    """An audit backend that keeps its events."""

    def __init__(self) -> None:
        self.plugin, self.largest, self.strict, self.lost = "log", 0, False, 0
        self.events: list[dict[str, Any]] = []

    def write(self, event: bytes) -> None:
        assert event.endswith(b"}\n")
        self.events.append(json.loads(event))

    def settle(self) -> bool:
        return True

    def start(self) -> None:
        return

    async def close(self) -> None:
        return


class FakeServer:
    """`async with FakeServer() as server`; keyword arguments are fields of the server's `Settings`.

    With an audit policy, `audited.events` are its events. Servers that share a store need seeds of their own, or they
    give the same uids to different objects.
    """

    def __init__(
        self,
        *,
        store: FragileStore | None = None,
        audit_policy: audit.Policy | None = None,
        seed: int = 7,
        **fields: Any,
    ) -> None:
        self.audited = Kept()
        self.clock = VirtualClock()
        self.store = store or FragileStore()
        given = {"service_account_key": signing_key(), "tokens": TOKENS, **fields}
        self.api = apiservers.ApiServer(
            settings.Settings(**given),
            self.store,
            clock=self.clock,
            chance=Chance(seed),
            auditor=None
            if audit_policy is None
            else audit.Auditor(audit_policy, [self.audited], clock=self.clock, chance=Chance(8)),
        )
        self.client = self.as_user(ADMIN)
        self.port = 0
        self._wires: list[Wire] = []

    def as_user(self, user: requests.User, *, agent: str = "test") -> clients.Client:
        """An in-process client."""
        return self.api.client(user, agent=agent)

    async def __aenter__(self) -> FakeServer:
        await self.api.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        for wire in self._wires:
            await wire.close()
        closing = asyncio.ensure_future(self.api.close())
        while not closing.done():
            await settle()
            await self.clock.advance(1.0)
        await closing

    async def wire(self, *, limit: int = 1 << 26) -> Wire:
        """A connection to the server; `limit` is how many bytes are read before anybody asks for them."""
        if not self.port:
            sock = socket.create_server(("127.0.0.1", 0))
            self.port = sock.getsockname()[1]
            await self.api.listen(sock, None)
        wire = Wire(*await asyncio.open_connection("127.0.0.1", self.port, limit=limit))
        self._wires.append(wire)
        return wire

    async def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str = "admin",
        **headers: str,
    ) -> Answer:
        """One request on a connection of its own. Trees are sent as JSON; `content_type=...` gives Content-Type."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            named.setdefault("content-type", "application/json")
        wire = await self.wire()
        wire.send(method, path, body, token=token, headers=named)
        answer = await wire.answer(bodiless=method == "HEAD")
        await wire.close()
        self._wires.remove(wire)
        return answer

    async def watch(self, path: str, *, token: str = "admin", **headers: str) -> Wire:
        """An open watch, whose head (200) has been read."""
        wire = await self.wire()
        wire.send("GET", path, token=token, headers={n.replace("_", "-"): v for n, v in headers.items()})
        code, _ = await wire.head()
        assert code == 200
        return wire

    async def account(self, name: str = "default", namespace: str = "default") -> core_v1.ServiceAccount:
        return await self.client.create(
            core_v1.ServiceAccount(metadata=meta_v1.ObjectMeta(name=name, namespace=namespace))
        )


def config_map(name: str, namespace: str = "default", **data: str) -> core_v1.ConfigMap:
    return core_v1.ConfigMap(metadata=meta_v1.ObjectMeta(name=name, namespace=namespace), data=data)


def pod(name: str, namespace: str = "default", *, node: str = "", labels: dict[str, str] | None = None) -> core_v1.Pod:
    return core_v1.Pod(
        metadata=meta_v1.ObjectMeta(name=name, namespace=namespace, labels=labels or {}),
        spec=core_v1.PodSpec(nodeName=node, containers=[core_v1.Container(name="c", image="busybox")]),
    )
