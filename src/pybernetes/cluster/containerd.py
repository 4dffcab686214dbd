"""A private containerd: own root, state, socket and CNI configuration, so that a system one is never touched.

`Containerd` starts it (or adopts one that a killed predecessor left running), and stops it such that nothing stays:
shims and their containers, mounts, network namespaces, cgroups. What containers wrote under `root` stays.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import pathlib
import shutil
import signal
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pybernetes.cluster import images
from pybernetes.kits import backoff
from pybernetes.kits import clock as clocks

CGROUP = "/pybernetes"
CAP_SYS_RESOURCE = 24
CNI_PLUGINS = (pathlib.Path("/opt/cni/bin"), pathlib.Path("/usr/lib/cni"), pathlib.Path("/usr/libexec/cni"))
MNT_DETACH = 2


class StartFailed(Exception):
    """containerd ended, or did not answer in time; the message has its last words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Where everything of it lives. `state` and `socket` belong on a tmpfs such as /run."""

    root: pathlib.Path
    state: pathlib.Path
    socket: pathlib.Path
    config: pathlib.Path
    log: pathlib.Path
    cni_conf: pathlib.Path

    @classmethod
    def under(cls, data: pathlib.Path, run: pathlib.Path) -> Layout:
        return cls(
            root=data / "containerd",
            state=run / "containerd",
            socket=run / "containerd.sock",
            config=data / "containerd.toml",
            log=data / "logs" / "containerd.log",
            cni_conf=data / "cni",
        )


def lacks_sys_resource(status: str) -> bool:
    """Whether /proc/self/status shows that oom_score_adj cannot be lowered."""
    for line in status.splitlines():
        if line.startswith("CapEff:"):
            return not int(line.split()[1], 16) & (1 << CAP_SYS_RESOURCE)
    return False


def supports_overlay(filesystems: str, root_type: str) -> bool:
    """From /proc/filesystems, and the type of filesystem that `root` is on (overlay cannot lie on overlay)."""
    return any(line.split()[-1] == "overlay" for line in filesystems.splitlines() if line) and root_type != "overlay"


def plugin_directory() -> pathlib.Path:
    """Where the reference CNI plugins are installed."""
    return next((path for path in CNI_PLUGINS if (path / "bridge").exists()), CNI_PLUGINS[0])


def configuration(layout: Layout, *, overlay: bool, restrict_oom_score_adj: bool, plugins: pathlib.Path) -> str:
    """config.toml, in the version that containerd 1.4 to 2.x read."""
    cri = 'plugins."io.containerd.grpc.v1.cri"'
    return f"""version = 2
root = "{layout.root}"
state = "{layout.state}"
disabled_plugins = ["io.containerd.internal.v1.tracing", "io.containerd.tracing.processor.v1.otlp"]

[grpc]
address = "{layout.socket}"

[{cri}]
sandbox_image = "{images.PAUSE_IMAGE}"
restrict_oom_score_adj = {str(restrict_oom_score_adj).lower()}
netns_mounts_under_state_dir = true
stream_server_address = "127.0.0.1"
stream_server_port = "0"

[{cri}.containerd]
snapshotter = "{"overlayfs" if overlay else "native"}"
default_runtime_name = "runc"

[{cri}.containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"

[{cri}.containerd.runtimes.runc.options]
SystemdCgroup = false

[{cri}.cni]
bin_dir = "{plugins}"
conf_dir = "{layout.cni_conf}"
"""


class Containerd:
    """The running daemon."""

    def __init__(self, layout: Layout, *, clock: clocks.Clock, binary: str = "containerd") -> None:
        self.layout = layout
        self._clock, self._binary = clock, binary
        self._pid = 0
        self._process: asyncio.subprocess.Process | None = None

    async def start(self, *, within: float = 30.0) -> None:
        """Configure and start it, or adopt the one already running; returns once it answers. Raises StartFailed."""
        self._configure()
        self._pid = self._find()
        if not self._pid:
            self.layout.socket.unlink(missing_ok=True)
            with self.layout.log.open("ab") as log:
                self._process = await asyncio.create_subprocess_exec(
                    self._binary, "--config", str(self.layout.config),
                    stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                )  # fmt: skip
            self._pid = self._process.pid
        await self._answering(within)

    async def wait(self) -> None:
        """Return when the daemon has ended, whoever started it."""
        if self._process is not None:
            await self._process.wait()
            return
        loop = asyncio.get_running_loop()
        try:
            descriptor = os.pidfd_open(self._pid)
        except ProcessLookupError:
            return
        ended = asyncio.Event()
        loop.add_reader(descriptor, ended.set)
        try:
            await ended.wait()
        finally:
            loop.remove_reader(descriptor)
            os.close(descriptor)

    async def load_image(self, archive: pathlib.Path) -> list[str]:
        return list(await images.load(archive, socket=self.layout.socket))

    async def ensure_pause(self) -> None:
        """Make sure that the pause image is there."""
        archive = self.layout.config.parent / "pause.tar"
        await asyncio.to_thread(images.build_pause, archive)
        await self.load_image(archive)

    async def stop(self, *, grace: float = 5.0) -> None:
        """End it and everything that ran in it. Containers get SIGTERM and `grace` seconds."""
        shims = list(self._shims())
        await self._end(_descendants(shims), grace)
        await self._end(shims, 0)
        pid = self._pid or self._find()
        if pid:
            await self._end([pid], grace)
        if self._process is not None:
            await self._process.wait()
        self._pid, self._process = 0, None
        await asyncio.to_thread(self._sweep)

    def _configure(self) -> None:
        layout = self.layout
        for folder in (layout.root, layout.state, layout.cni_conf, layout.log.parent, layout.config.parent):
            folder.mkdir(parents=True, exist_ok=True)
        text = configuration(
            layout,
            overlay=supports_overlay(_read("/proc/filesystems"), _filesystem_of(layout.root)),
            restrict_oom_score_adj=lacks_sys_resource(_read("/proc/self/status")),
            plugins=plugin_directory(),
        )
        layout.config.write_text(text)

    async def _answering(self, within: float) -> None:
        pauses = backoff.Backoff(first=0.005, cap=0.1)
        until = self._clock.monotonic() + within
        while True:
            try:
                _, writer = await asyncio.open_unix_connection(str(self.layout.socket))
            except OSError:
                ended = self._process is not None and self._process.returncode is not None
                if ended or self._clock.monotonic() > until:
                    raise StartFailed(self._last_words()) from None
                await self._clock.sleep(pauses.next())
                continue
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
            return

    def _last_words(self) -> str:
        lines = self.layout.log.read_text(errors="replace").splitlines() if self.layout.log.exists() else []
        return "containerd did not start: " + ("\n".join(lines[-5:]) or "it said nothing")

    def _find(self) -> int:
        wanted = ["--config", str(self.layout.config)]
        return next((pid for pid, words in _processes() if words[1:] == wanted), 0)

    def _shims(self) -> Iterator[int]:
        address = str(self.layout.socket)
        for pid, words in _processes():
            if "containerd-shim" in words[0] and address in words:
                yield pid

    async def _end(self, pids: Iterable[int], grace: float) -> None:
        """Signal, wait for all, kill what is left."""
        waiting: dict[int, int] = {}
        for pid in pids:
            with contextlib.suppress(OSError):
                descriptor = os.pidfd_open(pid)
                waiting[pid] = descriptor
                signal.pidfd_send_signal(descriptor, signal.SIGTERM if grace else signal.SIGKILL)
        try:
            async with self._clock.timeout(grace or 5.0):
                await _all_ended(waiting.values())
        except TimeoutError:
            for descriptor in waiting.values():
                with contextlib.suppress(OSError):
                    signal.pidfd_send_signal(descriptor, signal.SIGKILL)
            with contextlib.suppress(TimeoutError):
                async with self._clock.timeout(5.0):
                    await _all_ended(waiting.values())
        finally:
            for descriptor in waiting.values():
                os.close(descriptor)

    def _sweep(self) -> None:
        for point in mounts_under(_read("/proc/self/mountinfo"), (str(self.layout.state), str(self.layout.root))):
            unmount(point)
        shutil.rmtree(self.layout.state, ignore_errors=True)
        for leftover in self.layout.socket.parent.glob(self.layout.socket.name + "*"):
            leftover.unlink(missing_ok=True)
        remove_cgroups(CGROUP)


def _read(path: str) -> str:
    try:
        return pathlib.Path(path).read_text()
    except OSError:
        return ""


def _processes() -> Iterator[tuple[int, list[str]]]:
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            words = _read(f"/proc/{entry.name}/cmdline").split("\0")[:-1]
            if words:
                yield int(entry.name), words


def _descendants(parents: Iterable[int]) -> list[int]:
    """All processes below the given ones, outermost first."""
    found = []
    pending = list(parents)
    while pending:
        pid = pending.pop(0)
        with contextlib.suppress(OSError):
            for task in os.listdir(f"/proc/{pid}/task"):
                children = [int(child) for child in _read(f"/proc/{pid}/task/{task}/children").split()]
                found += children
                pending += children
    return found


async def _all_ended(descriptors: Iterable[int]) -> None:
    loop = asyncio.get_running_loop()
    for descriptor in descriptors:
        ended = asyncio.Event()
        loop.add_reader(descriptor, ended.set)
        try:
            await ended.wait()
        finally:
            loop.remove_reader(descriptor)


def mounts_under(mountinfo: str, roots: Iterable[str]) -> list[str]:
    """Mount points at or below the given folders, innermost first, from /proc/self/mountinfo."""
    prefixes = tuple(root.rstrip("/") + "/" for root in roots)
    points = [line.split()[4] for line in mountinfo.splitlines() if line]
    points = [point.replace("\\040", " ") for point in points]
    return [point for point in reversed(points) if (point + "/").startswith(prefixes)]


def unmount(point: str) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.umount2(os.fsencode(point), MNT_DETACH)


def _filesystem_of(path: pathlib.Path) -> str:
    """The type of filesystem that holds a path."""
    best, kind = "", ""
    for line in _read("/proc/self/mountinfo").splitlines():
        before, _, after = line.partition(" - ")
        point = before.split()[4]
        if len(point) >= len(best) and (str(path) + "/").startswith(point.rstrip("/") + "/"):
            best, kind = point, after.split()[0]
    return kind


def remove_cgroups(name: str) -> None:
    """Remove an emptied cgroup and those below it, in every hierarchy (v1) or the one (v2)."""
    base = pathlib.Path("/sys/fs/cgroup")
    roots = [base / name.lstrip("/")]
    roots += [entry / name.lstrip("/") for entry in base.iterdir() if entry.is_dir()] if base.is_dir() else []
    for root in roots:
        for folder, _, _ in os.walk(root, topdown=False):
            with contextlib.suppress(OSError):
                os.rmdir(folder)
