"""Takes away what a cluster that did not end cleanly has left: processes, containers, mounts, links, rules."""

from __future__ import annotations

import contextlib
import os
import pathlib
import select
import signal

from pybernetes.cluster import layout
from pybernetes.kits import clock as clocks

END_SECONDS = 10.0


async def run(paths: layout.Layout, options: layout.Options, clock: clocks.Clock) -> None:
    """Safe to run when nothing is left. The cluster must be down."""
    end_leftovers(paths)
    if options.runtime != "containerd" or os.geteuid() != 0:
        return
    from pybernetes.cluster import containerd
    from pybernetes.network import cni
    from pybernetes.proxy import nftables

    await containerd.Containerd(containerd.Layout.under(paths.data, paths.run), clock=clock).stop()
    await cni.remove()
    await nftables.Table().remove()
    unmount_all(paths.data)
    with contextlib.suppress(OSError):
        paths.run.rmdir()


def end_leftovers(paths: layout.Layout) -> None:
    """Kill server and node processes that have outlived their supervisor, and wait until they are gone."""
    for pid in leftover_processes(paths):
        try:
            descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        try:
            signal.pidfd_send_signal(descriptor, signal.SIGKILL)
            select.select([descriptor], [], [], END_SECONDS)
        except ProcessLookupError:
            continue
        finally:
            os.close(descriptor)


def leftover_processes(paths: layout.Layout) -> list[int]:
    """Server and node processes of this cluster whose supervisor has gone."""
    found = []
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            words = pathlib.Path(entry.path, "cmdline").read_bytes().split(b"\0")
            ours = str(paths.data).encode() in words and b"pybernetes" in words
            if ours and (b"run-server" in words or b"run-node" in words):
                found.append(int(entry.name))
    return found


def unmount_all(folder: pathlib.Path) -> None:
    """Detach whatever is still mounted below the folder."""
    from pybernetes.cluster import containerd

    info = pathlib.Path("/proc/self/mountinfo").read_text()
    for point in containerd.mounts_under(info, (str(folder),)):
        containerd.unmount(point)
