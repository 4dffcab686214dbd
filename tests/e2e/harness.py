"""A cluster of real processes, and the stock kubectl against it."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

KUBECTL = pathlib.Path(sys.executable).with_name("kubectl")
PYBERNETES = pathlib.Path(sys.executable).with_name("pybernetes")
TOKENS = 'alice-token,alice,7,"system:masters"\nbob-token,bob,8\n'
SECONDS = 60.0
T = TypeVar("T")


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def run(*command: object, stdin: str | None = None, seconds: float = SECONDS, **env: str) -> Result:
    """Raises subprocess.TimeoutExpired after `seconds`."""
    done = subprocess.run(
        [str(word) for word in command],
        input=stdin, stdin=subprocess.DEVNULL if stdin is None else None,
        capture_output=True, text=True, timeout=seconds, env={**os.environ, **env}, check=False,
    )  # fmt: skip
    return Result(done.returncode, done.stdout, done.stderr)


def until(what: Callable[[], T], *, seconds: float = 20.0, every: float = 0.05) -> T:
    """Ask again until the answer is true; AssertionErrors count as no. Fails with the last one at the deadline."""
    deadline = time.monotonic() + seconds
    while True:
        failure: AssertionError | None = None
        try:
            if answer := what():
                return answer
        except AssertionError as error:
            failure = error
        if time.monotonic() > deadline:
            raise failure or AssertionError(f"not so within {seconds:.0f} s")
        time.sleep(every)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


@dataclass(frozen=True)
class Kubectl:
    """`kubectl("get", "pods")` with a kubeconfig and, where given, a namespace. Fails the test unless `code` comes."""

    kubeconfig: pathlib.Path
    namespace: str = ""

    def words(self, *words: object) -> list[str]:
        chosen = ["-n", self.namespace] if self.namespace else []
        return [str(KUBECTL), "--kubeconfig", str(self.kubeconfig), *chosen, *(str(word) for word in words)]

    def result(self, *words: object, stdin: str | None = None, seconds: float = SECONDS, **env: str) -> Result:
        return run(*self.words(*words), stdin=stdin, seconds=seconds, **env)

    def __call__(
        self, *words: object, stdin: str | None = None, seconds: float = SECONDS, code: int = 0, **env: str
    ) -> str:
        """What it wrote on both outputs if it must fail, else on standard output."""
        got = self.result(*words, stdin=stdin, seconds=seconds, **env)
        assert got.code == code, f"kubectl {words}: {got.code}\n{got.out}\n{got.err}"
        return got.out + got.err if code else got.out

    def json(self, *words: object) -> Any:
        return json.loads(self(*words, "-o", "json"))

    def path(self, expression: str, *words: object) -> str:
        return self(*words, "-o", "jsonpath={" + expression + "}")

    def apply(self, *objects: Any, code: int = 0, more: Sequence[str] = ()) -> str:
        listed = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
        return self("apply", "-f", "-", *more, stdin=json.dumps(listed), code=code)

    @contextlib.contextmanager
    def running(self, *words: object) -> Iterator[subprocess.Popen[str]]:
        """In the background, with its output as lines; ended when the block is."""
        process = subprocess.Popen(
            self.words(*words), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        try:
            yield process
        finally:
            process.kill()
            process.communicate()


@dataclass(frozen=True)
class Cluster:
    """`data` is its data directory; `runtime` containerd or simulated."""

    data: pathlib.Path
    runtime: str
    api_port: int
    kubelet_port: int
    extra: tuple[str, ...] = ()

    @property
    def kubeconfig(self) -> pathlib.Path:
        return self.data / "kubeconfig"

    @property
    def kubectl(self) -> Kubectl:
        return Kubectl(self.kubeconfig)

    def command(self, name: str, *words: object, seconds: float = 120.0) -> Result:
        return run(PYBERNETES, name, "--data-dir", self.data, *words, seconds=seconds)

    def up(self) -> Result:
        done = self.command(
            "up", "--runtime", self.runtime, "--api-port", self.api_port, "--kubelet-port", self.kubelet_port,
            "--no-kubeconfig", *self.extra,
        )  # fmt: skip
        assert done.code == 0, done.out + done.err
        return done

    def down(self, *words: str) -> Result:
        done = self.command("down", *words)
        assert done.code == 0, done.out + done.err
        return done

    def processes(self, kind: str = "") -> dict[int, list[str]]:
        """Command lines by process id, of what runs for this cluster; `kind` is run-server, run-node, containerd ..."""
        found = {}
        for entry in pathlib.Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            with contextlib.suppress(OSError):
                words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
                ours = any(str(self.data) in word or self.run_dir in word for word in words)
                mine = str(KUBECTL) in words or int(entry.name) == os.getpid()
                if ours and not mine and (not kind or any(word.endswith(kind) for word in words)):
                    found[int(entry.name)] = words
        return found

    @property
    def run_dir(self) -> str:
        from pybernetes.cluster import layout

        return str(layout.Layout(self.data).run)

    def kill(self, kind: str) -> int:
        """kill -9 the one process of that kind; its id."""
        (pid,) = self.processes(kind)
        os.kill(pid, signal.SIGKILL)
        return pid

    def connect(self, *, seconds: float = 10.0) -> ssl.SSLSocket:
        """A raw TLS connection to the API server that checks its certificate."""
        tls = ssl.create_default_context(cafile=str(self.data / "pki" / "ca.crt"))
        plain = socket.create_connection(("127.0.0.1", self.api_port), timeout=seconds)
        return tls.wrap_socket(plain, server_hostname="127.0.0.1")


@dataclass(frozen=True)
class Answer:
    code: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def message(self) -> str:
        found: str = self.json["message"]
        return found


def ask(
    cluster: Cluster,
    method: str,
    path: str,
    body: bytes | str | dict[str, Any] | None = None,
    *,
    token: str | None = "alice-token",
    content_type: str = "application/json",
    headers: dict[str, str] | None = None,
    seconds: float = 20.0,
) -> Answer:
    """One request on a connection of its own, with nothing between the test and the socket but http.client."""
    import http.client

    tls = ssl.create_default_context(cafile=str(cluster.data / "pki" / "ca.crt"))
    connection = http.client.HTTPSConnection("127.0.0.1", cluster.api_port, context=tls, timeout=seconds)
    sent = {"Content-Type": content_type} if body is not None else {}
    if token is not None:
        sent["Authorization"] = f"Bearer {token}"
    sent.update(headers or {})
    data = json.dumps(body).encode() if isinstance(body, dict) else body
    try:
        connection.request(method, path, data, sent)
        answer = connection.getresponse()
        return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
    finally:
        connection.close()
