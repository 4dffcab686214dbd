"""Size and mixed load of a bare API server: 100,000 pods, reads beside writes and watches, 10,000 idle watches.

Clients here speak TLS over plain sockets, because their cost is paid on the same machine. Needs `wrk`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import pathlib
import random
import resource
import shutil
import ssl
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator

import api
import uvloop

PODS = 100_000
NAMESPACES = 50
WATCHES = 500
IDLE_WATCHES = 10_000
READS = 800
WRITES = READS // 9
SECONDS = 10.0
CLIENTS = 16


def run() -> None:
    if shutil.which("wrk") is None:
        print("The creation of 100,000 pods needs wrk: apt-get install wrk")
        return
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with tempfile.TemporaryDirectory() as folder:
        with api.server("bare.py", folder, str(api.PORT)) as process:
            _create(process.pid)
            started = time.perf_counter()
            everything = api.get(f"{api.SERVER}/api/v1/namespaces/default/pods")
            seconds, size = time.perf_counter() - started, len(everything) / 1e6
            print(f"LIST of all of them: {seconds:.2f} s, {size:.0f} MB; server then {_megabytes(process.pid):,.0f} MB")
        started = time.perf_counter()
        with api.server("bare.py", folder, str(api.PORT)) as process:
            seconds = time.perf_counter() - started
            print(f"start again with them: {seconds:.2f} s, {_megabytes(process.pid):,.0f} MB")
    with tempfile.TemporaryDirectory() as folder, api.server("bare.py", folder, str(api.PORT)):
        uvloop.run(_mixed())
    with tempfile.TemporaryDirectory() as folder, api.server("bare.py", folder, str(api.PORT)) as process:
        uvloop.run(_idle(process.pid))


def _create(pid: int) -> None:
    """wrk names pods by a count that begins anew with each run, so one run must make them all."""
    url = f"{api.SERVER}/api/v1/namespaces/default/pods"
    script = str(api.HERE / "create_pods.lua")
    command = ["wrk", "-t1", "-c32", "-d600", "--timeout", "10s", "-H", api.AUTH, "-s", script, url]
    started = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as wrk:
        while _count(url) < PODS:
            time.sleep(0.5)
        seconds = time.perf_counter() - started
        wrk.terminate()
    count = _count(url)
    print(f"{count:,} pods created in {seconds:.1f} s; server {_megabytes(pid):,.0f} MB")


def _count(url: str) -> int:
    page = json.loads(api.get(url + "?limit=1"))
    return len(page["items"]) + page["metadata"].get("remainingItemCount", 0)


def _megabytes(pid: int) -> float:
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def _cpu(pid: int) -> float:
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


_TLS = ssl.create_default_context()
_TLS.check_hostname, _TLS.verify_mode = False, ssl.CERT_NONE


class _Connection:
    """A keep-alive connection, one request at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def open(cls) -> _Connection:
        return cls(*await asyncio.open_connection("127.0.0.1", api.PORT, ssl=_TLS, limit=1 << 20))

    def send(self, method: str, path: str, body: bytes = b"", media: str = "application/json") -> None:
        head = f"{method} {path} HTTP/1.1\r\nHost: bench\r\n{api.AUTH}\r\n"
        if body:
            head += f"Content-Type: {media}\r\nContent-Length: {len(body)}\r\n"
        self.writer.write(head.encode() + b"\r\n" + body)

    async def ask(self, method: str, path: str, body: bytes = b"", media: str = "application/json") -> None:
        """Send, and read the answer to its end."""
        self.send(method, path, body, media)
        head = await self.reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 20"):
            raise SystemExit(f"{method} {path} answered {head[:40]!r}")
        length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
        await self.reader.readexactly(int(length))


def _pod(name: str) -> bytes:
    containers = [{"name": "main", "image": "example.com/app:1"}]
    pod = {"metadata": {"name": name}, "spec": {"nodeName": "node-1", "containers": containers}}
    return json.dumps({"apiVersion": "v1", "kind": "Pod", **pod}).encode()


@contextlib.asynccontextmanager
async def _populated() -> AsyncIterator[None]:
    """Namespaces with ten pods each."""
    admin = await _Connection.open()
    for n in range(NAMESPACES):
        namespace = {"metadata": {"name": f"ns-{n}"}}
        account = {"metadata": {"name": "default"}}
        await admin.ask("POST", "/api/v1/namespaces", json.dumps(namespace).encode())
        await admin.ask("POST", f"/api/v1/namespaces/ns-{n}/serviceaccounts", json.dumps(account).encode())
        for pod in range(10):
            await admin.ask("POST", f"/api/v1/namespaces/ns-{n}/pods", _pod(f"pod-{pod}"))
    yield
    admin.writer.close()


async def _watch(path: str, sizes: list[int], index: int, opened: asyncio.Semaphore) -> None:
    connection = await _Connection.open()
    connection.send("GET", path)
    await connection.reader.readuntil(b"\r\n\r\n")
    opened.release()
    while chunk := await connection.reader.read(1 << 16):
        sizes[index] += chunk.count(b'"MODIFIED"')


async def _mixed() -> None:
    """Requests come at their times, whether earlier ones have been answered or not, so that waiting is counted."""
    async with _populated():
        sizes, opened = [0] * WATCHES, asyncio.Semaphore(0)
        paths = [f"/api/v1/namespaces/ns-{n % NAMESPACES}/pods?watch=1" for n in range(WATCHES)]
        watches = [asyncio.create_task(_watch(path, sizes, n, opened)) for n, path in enumerate(paths)]
        for _ in watches:
            await opened.acquire()
        free: asyncio.Queue[_Connection] = asyncio.Queue()
        for _ in range(CLIENTS):
            free.put_nowait(await _Connection.open())
        taken: dict[str, list[float]] = {"GET": [], "PATCH": []}
        loop = asyncio.get_running_loop()
        chance = random.Random(1)
        async with asyncio.TaskGroup() as tasks:
            begin = loop.time() + 0.1
            for n in range(int((READS + WRITES) * SECONDS)):
                due = begin + n / (READS + WRITES)
                await asyncio.sleep(max(0.0, due - loop.time()))
                method = "PATCH" if n % 10 == 0 else "GET"
                path = f"/api/v1/namespaces/ns-{chance.randrange(NAMESPACES)}/pods/pod-{chance.randrange(10)}"
                tasks.create_task(_timed(free, method, path, due, taken[method], n))
        for task in watches:
            task.cancel()
        rate = READS + WRITES
        print(f"{rate}/s mixed, a tenth of them patches, {WATCHES} watches, {sum(sizes):,} deliveries:")
        for method, seconds in taken.items():
            seconds.sort()
            p50, p99 = (seconds[int(len(seconds) * share)] * 1000 for share in (0.5, 0.99))
            print(f"  {method}: p50 {p50:.1f} ms, p99 {p99:.1f} ms, worst {seconds[-1] * 1000:.1f} ms")


async def _timed(
    free: asyncio.Queue[_Connection], method: str, path: str, due: float, taken: list[float], n: int
) -> None:
    connection = await free.get()
    body = json.dumps({"metadata": {"labels": {"step": str(n)}}}).encode() if method == "PATCH" else b""
    await connection.ask(method, path, body, "application/merge-patch+json")
    taken.append(asyncio.get_running_loop().time() - due)
    free.put_nowait(connection)


async def _idle(pid: int) -> None:
    async with _populated():
        before = _megabytes(pid)
        sizes, opened = [0] * IDLE_WATCHES, asyncio.Semaphore(0)
        path = "/api/v1/namespaces/ns-0/pods?watch=1"
        started = time.perf_counter()
        watches = []
        for n in range(IDLE_WATCHES):
            watches.append(asyncio.create_task(_watch(path, sizes, n, opened)))
            if n >= 100:
                await opened.acquire()
        for _ in range(100):
            await opened.acquire()
        seconds, megabytes = time.perf_counter() - started, _megabytes(pid)
        each = (megabytes - before) * 1024 / IDLE_WATCHES
        print(f"{IDLE_WATCHES:,} watches opened in {seconds:.1f} s; server {megabytes:,.0f} MB, {each:.0f} KiB each")
        cpu, started = _cpu(pid), time.perf_counter()
        await asyncio.sleep(5)
        print(f"  idle: {(_cpu(pid) - cpu) / (time.perf_counter() - started):.1%} of a core")
        admin = await _Connection.open()
        started = time.perf_counter()
        change = json.dumps({"metadata": {"labels": {"step": "1"}}}).encode()
        await admin.ask("PATCH", "/api/v1/namespaces/ns-0/pods/pod-0", change, "application/merge-patch+json")
        while sum(sizes) < IDLE_WATCHES:
            await asyncio.sleep(0.005)
        print(f"  one change reached all of them in {time.perf_counter() - started:.2f} s")
        for task in watches:
            task.cancel()
