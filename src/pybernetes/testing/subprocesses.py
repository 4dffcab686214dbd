"""A cluster in processes of its own, as `pybernetes up --runtime simulated` starts it, for as long as a test run."""

from __future__ import annotations

import pathlib
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence

PATIENCE = 120.0


class SubprocessCluster:
    """`with SubprocessCluster() as c:`; `arguments` are further ones of `pybernetes up`, such as ["--nodes", "3"]."""

    def __init__(self, arguments: Sequence[str] = ()) -> None:
        self._arguments = list(arguments)
        self._folder = tempfile.TemporaryDirectory(prefix="pybernetes-", ignore_cleanup_errors=True)

    @property
    def kubeconfig(self) -> pathlib.Path:
        """A file that every client connects with."""
        return pathlib.Path(self._folder.name) / "kubeconfig"

    def start(self) -> SubprocessCluster:
        """Raises RuntimeError with what `up` said when it did not start."""
        ports = _free_ports(2)
        self._run(
            "up", "--runtime", "simulated", "--store", "memory", "--no-kubeconfig",
            "--api-port", str(ports[0]), "--kubelet-port", str(ports[1]), *self._arguments,
        )  # fmt: skip
        return self

    def close(self) -> None:
        self._run("down", "--purge")
        self._folder.cleanup()

    def __enter__(self) -> SubprocessCluster:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self, command: str, *arguments: str) -> None:
        words = [sys.executable, "-m", "pybernetes", command, "--data-dir", self._folder.name, *arguments]
        done = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE, check=False)
        if done.returncode:
            raise RuntimeError(f"`pybernetes {command}` failed:\n{done.stdout}{done.stderr}")


def _free_ports(count: int) -> list[int]:
    """All at once, so that they differ."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [sock.getsockname()[1] for sock in held]
    finally:
        for sock in held:
            sock.close()
