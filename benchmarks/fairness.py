"""What a tenant who floods the server does to the cluster's own components, with fairness and without.

    python benchmarks/fairness.py

A server with 5,000 pods. The tenant keeps 200 connections busy: 10 with lists of all pods, 90 with lists by a label
that no pod has, 100 with creates (by `wrk`, which must be there). Meanwhile a component renews its lease and reads a
pod, one after the other, each timed at the client. The tenant's processes, which would be on machines of their own, are
nice to the others: else their decrypting is what all wait for.
"""

from __future__ import annotations

import asyncio
import functools
import json
import os
import pathlib
import resource
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvloop

from pybernetes.api.types import coordination_v1, core_v1, meta_v1
from pybernetes.apiserver import request as requests
from pybernetes.apiserver import server, settings
from pybernetes.apiserver.http import listener
from pybernetes.cluster import pki
from pybernetes.kits import chance as chances
from pybernetes.kits import clock as clocks
from pybernetes.kits import garbage
from pybernetes.store.sqlite import SqliteStore

PORT = 17445
PODS, CONNECTIONS, SECONDS = 5000, 200, 6.0
TENANT, COMPONENT = "tenant", "system:kube-controller-manager"
LEASE = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/kube-controller-manager"
PODS_PATH = "/api/v1/namespaces/default/pods"


def main() -> None:
    for text, fair, flooded in (
        ("idle", True, False),
        ("flooded, with fairness", True, True),
        ("flooded, without", False, True),
    ):
        with (
            tempfile.TemporaryDirectory() as folder,
            _process("serve", folder, "fair" if fair else "unfair") as serving,
        ):
            if flooded:
                with _flood(pathlib.Path(folder)):
                    latencies = asyncio.run(_work())
            else:
                latencies = asyncio.run(_work())
            serving.send_signal(signal.SIGTERM)
            told = serving.stdout.read() if serving.stdout is not None else ""
        _print(text, latencies, told)


@contextmanager
def _process(*words: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen([sys.executable, __file__, *words], stdout=subprocess.PIPE, text=True)
    try:
        if process.stdout is None or "ready" not in process.stdout.readline():
            raise SystemExit(f"{words[0]} did not start")
        yield process
    finally:
        process.terminate()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _print(text: str, latencies: dict[str, list[float]], told: str) -> None:
    for what, values in latencies.items():
        values.sort()
        middle, last = values[len(values) // 2], values[int(len(values) * 0.99)]
        rate = len(values) / SECONDS
        print(f"{text}: {what}: p50 {middle * 1000:.1f} ms, p99 {last * 1000:.1f} ms, {rate:,.0f}/s")
    if told:
        print(f"{text}: {told.strip()}")


async def _work() -> dict[str, list[float]]:
    """How long each call of the component took, in seconds."""
    # Until the tenant has connected.
    await asyncio.sleep(2.0)
    connection = await Connection.open(COMPONENT)
    lease = json.loads((await connection.ask("GET", LEASE))[1])
    latencies: dict[str, list[float]] = {"renew a lease": [], "get a pod": []}
    end = time.perf_counter() + SECONDS
    while time.perf_counter() < end:
        began = time.perf_counter()
        code, body = await connection.ask("PUT", LEASE, json.dumps(lease).encode())
        latencies["renew a lease"].append(time.perf_counter() - began)
        if code != 200:
            raise SystemExit(f"renewing the lease: {code} {body!r}")
        lease = json.loads(body)
        lease["spec"]["leaseTransitions"] = lease["spec"].get("leaseTransitions", 0) + 1
        began = time.perf_counter()
        code, body = await connection.ask("GET", f"{PODS_PATH}/pod-1")
        latencies["get a pod"].append(time.perf_counter() - began)
        if code != 200:
            raise SystemExit(f"reading a pod: {code} {body!r}")
    return latencies


@functools.cache
def _tls() -> ssl.SSLContext:
    """Of clients; to make one takes long."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


class Connection:
    """One HTTPS connection, kept."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, token: str) -> None:
        self._reader, self._writer, self._token = reader, writer, token

    @classmethod
    async def open(cls, token: str) -> Connection:
        return cls(*await asyncio.open_connection("127.0.0.1", PORT, ssl=_tls(), limit=1 << 20), token)

    async def ask(self, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
        head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {self._token}\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self._writer.write(head.encode() + body)
        lines = (await self._reader.readuntil(b"\r\n\r\n")).decode().lower().split("\r\n")
        length = next(int(line.partition(":")[2]) for line in lines if line.startswith("content-length"))
        return int(lines[0].split(" ")[1]), await self._reader.readexactly(length)


# -- the tenant


@contextmanager
def _flood(folder: pathlib.Path) -> Iterator[None]:
    script = folder / "create.lua"
    script.write_text(CREATE)
    address = f"https://127.0.0.1:{PORT}"
    floods = [
        _wrk(10, address + PODS_PATH),
        _wrk(90, f"{address}{PODS_PATH}?labelSelector=app%3Dnone"),
        _wrk(100, "-s", str(script), f"{address}/api/v1/namespaces/tenant/configmaps"),
    ]
    try:
        yield
    finally:
        for flood in floods:
            flood.terminate()
            flood.wait()


def _wrk(connections: int, *words: str) -> subprocess.Popen[bytes]:
    asking = ["wrk", "-t1", f"-c{connections}", "-d60", "--timeout", "60", "-H", f"Authorization: Bearer {TENANT}"]
    return subprocess.Popen([*asking, *words], stdout=subprocess.DEVNULL, preexec_fn=lambda: os.nice(19))


CREATE = """
local made, body = 0, '{"metadata": {"name": "flood-%d"}, "data": {"a": "' .. string.rep("b", 1000) .. '"}}'
request = function()
    made = made + 1
    return wrk.format("POST", nil, {["Content-Type"] = "application/json"}, string.format(body, made))
end
"""


# -- the server


async def _serve(folder: pathlib.Path, fair: bool) -> None:
    clock, chance = clocks.SystemClock(), chances.Chance()
    authority = pki.Pki(folder / "pki", clock)
    store = await SqliteStore.open(folder / "store.db")
    everybody = ("system:authenticated",)
    api = server.ApiServer(
        settings.Settings(
            service_account_key=authority.service_account_key(),
            tokens={name: requests.User(name, groups=everybody) for name in (TENANT, COMPONENT)},
            authorization=("AlwaysAllow",),
            admission_off=frozenset({"ServiceAccount"}),
            fairness=fair,
        ),
        store,
        clock=clock,
        chance=chance,
    )
    await api.start()
    client = api.client(server.APISERVER, agent="bench")
    named = meta_v1.ObjectMeta
    await client.create(core_v1.Namespace(metadata=named(name="tenant")))
    lease = coordination_v1.LeaseSpec(holderIdentity="me", leaseDurationSeconds=15)
    name, namespace = "kube-controller-manager", "kube-system"
    await client.create(coordination_v1.Lease(metadata=named(name=name, namespace=namespace), spec=lease))
    spec = core_v1.PodSpec(containers=[core_v1.Container(name="main", image="example.com/app:1")])
    for start in range(0, PODS, 500):
        pods = (
            core_v1.Pod(metadata=named(name=f"pod-{number}", namespace="default"), spec=spec)
            for number in range(start, start + 500)
        )
        await asyncio.gather(*(client.create(pod) for pod in pods))
    pair = authority.server("bench", {"127.0.0.1"})
    tls = listener.server_context(certificate=str(pair.certificate), key=str(pair.key), client_ca=())
    await api.listen(socket.create_server(("127.0.0.1", PORT), backlog=1024), tls)
    garbage.look_seldom()
    print("ready", flush=True)
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    await stopping.wait()
    text = await client.raw("/metrics")
    counted = [line for line in text.splitlines() if line.startswith("apiserver_request_total{")]
    lists = sum(int(line.rpartition(" ")[2]) for line in counted if _has(line, "LIST", "pods", "200"))
    creates = sum(int(line.rpartition(" ")[2]) for line in counted if _has(line, "POST", "configmaps", "201"))
    refused = sum(int(line.rpartition(" ")[2]) for line in counted if 'code="429"' in line)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"{lists} lists, {creates} creates, {refused} refusals, {peak} MB at most", flush=True)
    await api.close()
    await store.close()


def _has(line: str, verb: str, resource: str, code: str) -> bool:
    return all(part in line for part in (f'verb="{verb}"', f'resource="{resource}"', f'code="{code}"'))


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        uvloop.run(_serve(pathlib.Path(sys.argv[2]), sys.argv[3] == "fair"))
    else:
        main()
