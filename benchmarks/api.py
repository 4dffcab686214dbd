"""API rates of a bare API server, beside the ceiling on the same machine in the same run. Needs `wrk`."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator

import fanout

HERE = pathlib.Path(__file__).parent
PORT, CEILING_PORT = 17443, 17444
SERVER = f"https://127.0.0.1:{PORT}"
PODS = f"{SERVER}/api/v1/namespaces/default/pods"
AUTH = "Authorization: Bearer bench"
SECONDS = 4


def run() -> None:
    if shutil.which("wrk") is None:
        print("The API rates need wrk: apt-get install wrk")
        return
    with tempfile.TemporaryDirectory() as folder, server("bare.py", folder, str(PORT)):
        created = _created()
        print(f"create pods, 32 connections, durable: {created:,.0f}/s")
        name = _one()
        small, big = pathlib.Path(folder, "small"), pathlib.Path(folder, "big")
        small.write_bytes(get(f"{PODS}/{name}"))
        big.write_bytes(get(f"{PODS}?limit=500"))
        pair = [str(pathlib.Path(folder, "pki", f"bench.{end}")) for end in ("crt", "key")]
        with server("ceiling.py", str(CEILING_PORT), *pair, str(small), str(big)):
            for text, url, index in (("GET one pod", f"{PODS}/{name}", 0), ("LIST 500 pods", f"{PODS}?limit=500", 1)):
                ours, ceiling = _rate(url), _rate(f"https://127.0.0.1:{CEILING_PORT}/{index}")
                print(f"{text}: {ours:,.0f}/s of the ceiling's {ceiling:,.0f}/s: {ours / ceiling:.0%}")
        rate = asyncio.run(fanout.measure(SERVER, "bench"))
        print(f"watch fan-out, 100 watchers x 300 changes: {rate:,.0f} deliveries/s")
    with tempfile.TemporaryDirectory() as folder, server("bare.py", folder, str(PORT), "gated"):
        created, read = _created(), _rate(f"{PODS}/{_one()}")
        print(f"with RBAC, flow control and audit: create {created:,.0f}/s, GET {read:,.0f}/s")
        told = pathlib.Path(folder, "audit.log").stat().st_size / 1e6
        print(f"with RBAC, flow control and audit: {told:,.0f} MB of events")


def _created() -> float:
    return _rate(SERVER, "-c32", "-s", str(HERE / "create_pods.lua"))


def _one() -> str:
    """The name of a pod."""
    return str(json.loads(get(f"{PODS}?limit=1"))["items"][0]["metadata"]["name"])


@contextlib.contextmanager
def server(script: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run one of our scripts while the body runs; it says when it listens."""
    process = subprocess.Popen([sys.executable, str(HERE / script), *arguments], stdout=subprocess.PIPE, text=True)
    try:
        if process.stdout is None or "listening" not in process.stdout.readline():
            raise SystemExit(f"{script} did not start")
        yield process
    finally:
        os.kill(process.pid, signal.SIGTERM)
        process.wait()


def _rate(url: str, *options: str) -> float:
    command = ["wrk", "-t1", "-c16", f"-d{SECONDS}", "--timeout", "10s", "-H", AUTH, *options, url]
    output = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    if "Non-2xx" in output:
        raise SystemExit(f"{url} answered errors:\n{output}")
    found = re.search(r"Requests/sec:\s+([\d.]+)", output)
    return float(found[1]) if found else 0.0


def get(url: str) -> bytes:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    name, _, value = AUTH.partition(": ")
    with urllib.request.urlopen(urllib.request.Request(url, headers={name: value}), context=context) as answer:
        return answer.read()
