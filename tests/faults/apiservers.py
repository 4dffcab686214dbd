"""An API server as a process, to be killed and started again over the same data."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import pathlib
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable
from typing import IO, Any

import aiohttp

SECONDS = 60.0


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


class ServerProcess:
    """`hyperkube kube-apiserver` with an administrator's token; `url` stays the same over restarts."""

    def __init__(self, folder: pathlib.Path, *flags: str) -> None:
        self._folder = folder
        self._flags = flags
        self._port = free_port()
        self._process: asyncio.subprocess.Process | None = None
        self.url = f"https://127.0.0.1:{self._port}"
        folder.mkdir(parents=True, exist_ok=True)
        self._tokens = folder / "tokens.csv"
        self._tokens.write_text('admin,admin,1,"system:masters"\n')

    async def start(self) -> None:
        """Returns when it is ready."""
        command = (sys.executable, "-m", "pybernetes.cluster.hyperkube", "kube-apiserver", "--bind-address=127.0.0.1")
        own = (f"--secure-port={self._port}", f"--token-auth-file={self._tokens}", f"--data-dir={self._folder}")
        with self._log() as log:
            self._process = await asyncio.create_subprocess_exec(*command, *own, *self._flags, stdout=log, stderr=log)
        async with asyncio.timeout(SECONDS), self.session() as session:
            while True:
                with contextlib.suppress(aiohttp.ClientError):
                    async with session.get("/readyz") as answer:
                        if answer.status == 200:
                            return
                assert self._process.returncode is None, (self._folder / "log").read_text()
                await asyncio.sleep(0)

    def _log(self) -> IO[bytes]:
        return open(self._folder / "log", "ab")

    async def kill(self, number: int = signal.SIGKILL) -> int:
        """The exit code."""
        assert self._process is not None
        if self._process.returncode is None:
            os.kill(self._process.pid, number)
        return await self._process.wait()

    @contextlib.asynccontextmanager
    async def session(self) -> AsyncIterator[aiohttp.ClientSession]:
        headers = {"Authorization": "Bearer admin"}
        connector = aiohttp.TCPConnector(ssl=False, limit=0)
        async with aiohttp.ClientSession(self.url, headers=headers, connector=connector) as session:
            yield session


@contextlib.asynccontextmanager
async def running(folder: pathlib.Path, *flags: str) -> AsyncIterator[ServerProcess]:
    server = ServerProcess(folder, *flags)
    try:
        await server.start()
        yield server
    finally:
        await server.kill()


def config_map(name: str, size: int = 10) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"k": "x" * size}}


MAPS = "/api/v1/namespaces/default/configmaps"


class Watcher:
    """A client that lists once and then watches for ever, over whatever cuts it off: as informers do.

    `seen` holds the events in order, as (type, name, revision).
    """

    def __init__(self, server: ServerProcess, path: str = MAPS) -> None:
        self._server = server
        self._path = path
        self._revision = ""
        self.seen: list[tuple[str, str, int]] = []
        self._more = asyncio.Condition()

    async def start(self) -> None:
        async with self._server.session() as session, session.get(self._path) as answer:
            self._revision = (await answer.json())["metadata"]["resourceVersion"]

    async def run(self) -> None:
        async with self._server.session() as session:
            while True:
                with contextlib.suppress(aiohttp.ClientError):
                    await self._follow(session)
                await asyncio.sleep(0)

    async def _follow(self, session: aiohttp.ClientSession) -> None:
        query = {"watch": "1", "resourceVersion": self._revision}
        async with session.get(self._path, params=query) as stream:
            async for line in stream.content:
                event = json.loads(line)
                meta = event["object"]["metadata"]
                self._revision = meta["resourceVersion"]
                self.seen.append((event["type"], meta["name"], int(self._revision)))
                async with self._more:
                    self._more.notify_all()

    async def until(self, enough: Callable[[list[tuple[str, str, int]]], bool]) -> None:
        """Enough events have been seen."""
        async with asyncio.timeout(SECONDS), self._more:
            await self._more.wait_for(lambda: enough(self.seen))
