"""The parent of a running cluster: starts the server and node processes, and again when they die; ends them in order.

It passes the children's progress on to whoever waits for the start. It holds the lock on the pid file while it lives,
so that a cluster is up exactly as long as that lock is held, whatever the file says.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
import pathlib
import signal
import sys
from collections.abc import Callable, Iterator
from typing import IO

from pybernetes.cluster import layout, progress
from pybernetes.kits import backoff
from pybernetes.kits import clock as clocks

log = logging.getLogger(__name__)

STOP_SECONDS = 30.0
MACHINE_LOCK = pathlib.Path("/run/pybernetes.lock")
STEADY_SECONDS = 60.0


class AlreadyUp(Exception):
    """Another supervisor holds the lock; `pid` is it."""

    def __init__(self, pid: int) -> None:
        super().__init__(f"the cluster is already up (process {pid})")
        self.pid = pid


class MachineTaken(Exception):
    """Another cluster runs containers here: both would use the same bridge, rules and addresses."""

    def __init__(self, data: str) -> None:
        super().__init__(
            f"Another cluster runs containers on this machine (data directory {data}).\n"
            f"Stop it with `pybernetes down --data-dir {data}`, or use `--runtime simulated` for this one."
        )


def lock(paths: layout.Layout) -> IO[str]:
    """Take the pid file. Raises AlreadyUp."""
    paths.data.mkdir(parents=True, exist_ok=True)
    held, holder = _hold(paths.pid_file, str(os.getpid()))
    if held is None:
        raise AlreadyUp(int(holder or 0))
    return held


def lock_machine(paths: layout.Layout, options: layout.Options) -> IO[str] | None:
    """Take the machine, if this cluster runs containers on it. Raises MachineTaken."""
    if options.runtime != "containerd":
        return None
    held, holder = _hold(MACHINE_LOCK, str(paths.data))
    if held is None:
        raise MachineTaken(holder)
    return held


def _hold(path: pathlib.Path, text: str) -> tuple[IO[str] | None, str]:
    """The locked file with that text in it; or None, and what its holder has written."""
    file = open(path, "a+", encoding="utf-8")  # noqa: SIM115 - held as long as the process lives
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.seek(0)
        holder = file.read().strip()
        file.close()
        return None, holder
    file.seek(0)
    file.truncate()
    file.write(text + "\n")
    file.flush()
    return file, text


def running_pid(paths: layout.Layout) -> int:
    """The supervisor's process id; 0 if none is running."""
    try:
        file = open(paths.pid_file, encoding="ascii")  # noqa: SIM115 - closed below, with its lock
    except FileNotFoundError:
        return 0
    with file:
        try:
            # Shared, so that asking never keeps a cluster from starting for longer than the call.
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return int(file.read().strip() or 0)
    return 0


@contextlib.contextmanager
def held(paths: layout.Layout, options: layout.Options) -> Iterator[None]:
    """Both locks, for as long as the body runs. Raises AlreadyUp, MachineTaken."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(lock(paths))
        stack.callback(paths.pid_file.unlink, missing_ok=True)
        machine = lock_machine(paths, options)
        if machine is not None:
            stack.enter_context(machine)
        yield


class Supervisor:
    """`tell` is given every progress step. Run with `await run()`, which returns after SIGTERM."""

    def __init__(
        self,
        paths: layout.Layout,
        options: layout.Options,
        *,
        clock: clocks.Clock,
        tell: Callable[[progress.Step], None],
    ) -> None:
        self._paths = paths
        self._clock = clock
        self._tell = tell
        names = ["server"] if options.runtime == "simulated" else ["server", "node"]
        self._children = [_Child(name, paths, clock, self._heard) for name in names]
        self._waiting = set(names)

    async def run(self) -> int:
        stopping = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stopping.set)
        loop.add_signal_handler(signal.SIGHUP, lambda: None)
        tasks = [asyncio.ensure_future(child.keep()) for child in self._children]
        await stopping.wait()
        # The node first: it says good-bye to the API server.
        for child, task in reversed(list(zip(self._children, tasks, strict=True))):
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await child.stop()
        return 0

    def _heard(self, name: str, step: progress.Step) -> None:
        if step.step == "ready":
            self._waiting.discard(name)
            if not self._waiting:
                self._tell(step)
        else:
            self._tell(step)


class _Child:
    """One child process and its restarts."""

    def __init__(
        self,
        name: str,
        paths: layout.Layout,
        clock: clocks.Clock,
        heard: Callable[[str, progress.Step], None],
    ) -> None:
        self._name = name
        self._paths = paths
        self._clock = clock
        self._heard = heard
        self._process: asyncio.subprocess.Process | None = None

    async def keep(self) -> None:
        """Start it, and again when it ends, until cancelled."""
        pauses = backoff.Backoff(first=0.5, cap=30.0)
        while True:
            began = self._clock.monotonic()
            code = await self._run_once()
            if self._clock.monotonic() - began > STEADY_SECONDS:
                pauses.reset()
            pause = pauses.next()
            log.error("%s ended with code %s and is started again in %.1f s", self._name, code, pause)
            await self._clock.sleep(pause)

    async def stop(self) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            async with self._clock.timeout(STOP_SECONDS):
                await process.wait()
        except TimeoutError:
            log.error("%s did not end within %.0f s and is killed", self._name, STOP_SECONDS)
            process.kill()
            await process.wait()

    async def _run_once(self) -> int | None:
        with _output(self._paths.log(self._name)) as output:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "pybernetes", f"run-{self._name}", "--data-dir", str(self._paths.data),
                stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=output,
            )  # fmt: skip
        stdout = self._process.stdout
        while stdout is not None and (line := await stdout.readline()):
            step = progress.read(line)
            if step is not None:
                self._heard(self._name, step)
        return await self._process.wait()


def _output(path: pathlib.Path) -> IO[bytes]:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.open("ab")
