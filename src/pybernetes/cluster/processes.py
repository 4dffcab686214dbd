"""The entry points of the server and node processes: run one until SIGTERM or SIGINT, then close it cleanly."""

from __future__ import annotations

import asyncio
import ctypes
import logging
import os
import signal
import sys
from typing import Protocol

from pybernetes.cluster import layout, logs, progress
from pybernetes.kits import chance as chances
from pybernetes.kits import clock as clocks
from pybernetes.kits import garbage

log = logging.getLogger(__name__)

START_SECONDS = 60.0
PR_SET_PDEATHSIG = 1


class CannotStart(Exception):
    """Something outside is to blame, and the message says what: no traceback is wanted."""


class Tell(Protocol):
    """As `progress.tell`."""

    def __call__(self, step: str, text: str = "", *, failed: bool = False) -> None: ...


class Part(Protocol):
    async def start(self) -> None: ...

    async def close(self) -> None: ...


def run_server(paths: layout.Layout) -> int:
    from pybernetes.cluster import server

    options = layout.Options.read(paths.options)
    components = ["kube-apiserver", "kube-controller-manager", "kube-scheduler"]
    if options.runtime == "simulated":
        components.append("kubelet")
    logs.setup(paths, "server", components)
    return _run(server.Server(paths, options, clock=(clock := clocks.SystemClock()), chance=chances.Chance()), clock)


def run_node(paths: layout.Layout) -> int:
    from pybernetes.cluster import node

    # gRPC would log a line at every process that the node starts; none of them uses gRPC.
    os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
    options = layout.Options.read(paths.options)
    logs.setup(paths, "node", ["kubelet", "kube-proxy"])
    return _run(node.Node(paths, options, clock=(clock := clocks.SystemClock()), chance=chances.Chance()), clock)


def _run(part: Part, clock: clocks.Clock) -> int:
    import uvloop

    end_with_parent()

    code: int = uvloop.run(_until_stopped(part, clock, progress.tell))
    return code


def run_alone(name: str, part: Part, clock: clocks.Clock) -> int:
    """Run a part as a program of its own, which nobody supervises; its problems go to standard error."""
    import uvloop

    def tell(step: str, text: str = "", *, failed: bool = False) -> None:
        if failed:
            print(f"{name}: {text}", file=sys.stderr)

    code: int = uvloop.run(_until_stopped(part, clock, tell))
    return code


def end_with_parent() -> None:
    """Have the kernel send us SIGTERM when the supervisor dies, however it does."""
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        # It died before the kernel knew.
        os.kill(os.getpid(), signal.SIGTERM)


async def _until_stopped(part: Part, clock: clocks.Clock, tell: Tell) -> int:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    starting = asyncio.ensure_future(_start(part, clock))
    stopped = asyncio.ensure_future(stopping.wait())
    code = 0
    try:
        await asyncio.wait((starting, stopped), return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            starting.result()
            garbage.look_seldom()
            tell("ready")
            await stopped
    except CannotStart as error:
        tell("failed", str(error), failed=True)
        code = 1
    except Exception as error:
        log.exception("the start failed")
        tell("failed", str(error) or type(error).__name__, failed=True)
        code = 1
    finally:
        for waiting in (starting, stopped):
            waiting.cancel()
        await asyncio.gather(starting, stopped, return_exceptions=True)
        await part.close()
    return code


async def _start(part: Part, clock: clocks.Clock) -> None:
    async with clock.timeout(START_SECONDS):
        await part.start()
