"""A whole cluster: how soon it is ready, how soon a pod runs, what it costs when nothing happens."""

from __future__ import annotations

import contextlib
import os
import pathlib
import re
import signal
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator

ROOT = pathlib.Path(__file__).parent.parent
PORT, KUBELET_PORT = 17445, 17450
IMAGE = "docker.io/library/busybox:1"
IDLE_SECONDS = 20
RUNS = 5


def run(runtime: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        with cluster(folder, runtime) as seconds:
            print(f"[{runtime}] `up` to node Ready, first start: {seconds:.2f} s")
        _ready(folder)
        with cluster(folder, runtime) as seconds:
            print(f"[{runtime}] `up` to node Ready, warm: {seconds:.2f} s")
            if runtime == "containerd":
                _load_image(folder)
            _pods(folder, runtime)
            _idle(folder, runtime)


@contextlib.contextmanager
def cluster(folder: str, runtime: str) -> Iterator[float]:
    arguments = ["--runtime", runtime, "--api-port", str(PORT), "--kubelet-port", str(KUBELET_PORT), "--no-kubeconfig"]
    started = time.perf_counter()
    _pybernetes("up", folder, *arguments)
    try:
        yield time.perf_counter() - started
    finally:
        _pybernetes("down", folder)


def _pybernetes(command: str, folder: str, *arguments: str) -> None:
    words = [sys.executable, "-m", "pybernetes", command, "--data-dir", folder, *arguments]
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL, timeout=120)


def _ready(folder: str) -> None:
    """From the start of the server process to the first `ok` of /readyz, on files that are there."""
    tls = ssl.create_default_context()
    tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    # As installed packages are: compiled by whoever ran them first.
    compiled = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    compiled["PYTHONPYCACHEPREFIX"] = f"{folder}/bytecode"
    taken = []
    for _ in range(RUNS):
        started = time.perf_counter()
        words = [sys.executable, "-m", "pybernetes", "run-server", "--data-dir", folder]
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=compiled)
        while not _is_ready(tls):
            time.sleep(0.002)
        taken.append(time.perf_counter() - started)
        os.kill(process.pid, signal.SIGTERM)
        process.wait()
    print(f"server process start to /readyz ok, warm: {statistics.median(taken):.2f} s (median of {RUNS})")


def _is_ready(tls: ssl.SSLContext) -> bool:
    """Anonymous clients may ask for health."""
    try:
        with socket.create_connection(("127.0.0.1", PORT), timeout=1) as plain, tls.wrap_socket(plain) as secure:
            secure.sendall(b"GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            return b" 200 " in secure.recv(64)
    except OSError:
        return False


def _load_image(folder: str) -> None:
    sys.path.insert(0, str(ROOT))
    from tests.images import busybox

    archive = pathlib.Path(folder, "busybox.tar")
    busybox.build_busybox_archive(archive)
    _pybernetes("image", folder, "load", str(archive))


def _kubectl(folder: str, *arguments: str) -> str:
    words = [str(pathlib.Path(sys.executable).parent / "kubectl"), "--kubeconfig", f"{folder}/kubeconfig", *arguments]
    return subprocess.run(words, check=True, capture_output=True, text=True, timeout=60).stdout


def _pods(folder: str, runtime: str) -> None:
    """From the create request to the status Running, as a watch sees it."""
    taken = []
    for number in range(RUNS):
        words = ["get", "pods", "--watch", "--no-headers", "-o", "custom-columns=:metadata.name,:status.phase"]
        kubectl = [str(pathlib.Path(sys.executable).parent / "kubectl"), "--kubeconfig", f"{folder}/kubeconfig", *words]
        watch = subprocess.Popen(kubectl, stdout=subprocess.PIPE, text=True)
        name = f"bench-{number}"
        _kubectl(folder, "run", name, f"--image={IMAGE}", "--restart=Never", "--", "sleep", "1000")
        created = time.perf_counter()
        for line in watch.stdout or ():
            if re.match(rf"{name}\s+Running", line):
                break
        taken.append(time.perf_counter() - created)
        watch.terminate()
        watch.wait()
    _kubectl(folder, "delete", "pods", "--all", "--grace-period=0", "--force")
    print(f"[{runtime}] pod created to Running, image present: {statistics.median(taken):.2f} s (median of {RUNS})")


def _idle(folder: str, runtime: str) -> None:
    processes = {name: _pid(f"run-{name}", folder) for name in ("supervisor", "server", "node")}
    time.sleep(10)
    before = {name: _ticks(pid) for name, pid in processes.items() if pid}
    time.sleep(IDLE_SECONDS)
    for name, pid in processes.items():
        if pid:
            share = (_ticks(pid) - before[name]) / os.sysconf("SC_CLK_TCK") / IDLE_SECONDS
            print(f"[{runtime}] {name} process, idle: {_resident(pid):.0f} MB, {share:.2%} of a core")


def _pid(command: str, folder: str) -> int:
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                words = (entry / "cmdline").read_bytes().split(b"\0")
                if command.encode() in words and folder.encode() in words:
                    return int(entry.name)
    return 0


def _ticks(pid: int) -> int:
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def _resident(pid: int) -> float:
    return int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
