"""`pybernetes down`."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import select
import shutil
import signal
import sys

from pybernetes.client import kubeconfig
from pybernetes.cluster import layout, supervisor, sweep
from pybernetes.cluster.commands import up
from pybernetes.kits import clock as clocks

DESCRIPTION = """\
Stop the cluster: its processes, containers, mounts, network interfaces and rules are all taken away.
What the cluster holds is kept for the next `up`, unless `--purge` forgets it.

Also cleans up after a cluster that was killed.
"""
SECONDS = 75


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--purge", action="store_true", help="also forget all data, certificates and the context")


def run(arguments: argparse.Namespace) -> int:
    paths = layout.Layout(arguments.data_dir)
    if not paths.options.exists():
        print(f"There is no cluster in {paths.data}.")
        return 0
    options = layout.Options.read(paths.options)
    pid = supervisor.running_pid(paths)
    if pid:
        print("Stopping the cluster ...", flush=True)
        if not _stop(pid):
            print(f"Process {pid} did not end within {SECONDS} s; killing it.", file=sys.stderr)
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    asyncio.run(sweep.run(paths, options, clocks.SystemClock()))
    print("The cluster is down." if pid else "The cluster was not up.")
    if arguments.purge:
        _forget_context(paths)
        shutil.rmtree(paths.data)
        shutil.rmtree(paths.run, ignore_errors=True)
        print(f"Forgot {paths.data}.")
    return 0


def _stop(pid: int) -> bool:
    """Ask the process to end and wait for it."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        os.kill(pid, signal.SIGTERM)
        ended, _, _ = select.select([descriptor], [], [], SECONDS)
        return bool(ended)
    finally:
        os.close(descriptor)


def _forget_context(paths: layout.Layout) -> None:
    target = up.user_kubeconfig()
    ours = kubeconfig.read(paths.kubeconfig)
    if not target.exists() or not ours.get("current-context"):
        return
    try:
        theirs = kubeconfig.read(target)
        if any(entry in (theirs.get("clusters") or []) for entry in ours["clusters"]):
            kubeconfig.write(target, kubeconfig.without(theirs, ours))
    except (kubeconfig.KubeconfigError, OSError) as error:
        print(f"The context was not removed from your kubeconfig: {error}", file=sys.stderr)
