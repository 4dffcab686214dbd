"""What this machine is: processors, memory, disk, kernel, names, addresses. Read once at start; blocking."""

from __future__ import annotations

import os
import pathlib
import platform
import shutil
import socket
from dataclasses import dataclass

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Amounts in bytes."""

    cpus: int
    memory: int
    swap: int
    disk: int
    hostname: str
    address: str
    architecture: str
    kernel: str
    os_image: str
    machine_id: str
    system_uuid: str
    boot_id: str


def _read(path: str) -> str:
    try:
        return pathlib.Path(path).read_text().strip()
    except OSError:
        return ""


def memory_of(meminfo: str, key: str) -> int:
    """A line of /proc/meminfo, in bytes."""
    for line in meminfo.splitlines():
        name, _, rest = line.partition(":")
        if name == key:
            return int(rest.split()[0]) * 1024
    return 0


def pretty_name(os_release: str) -> str:
    for line in os_release.splitlines():
        name, _, value = line.partition("=")
        if name == "PRETTY_NAME":
            return value.strip('"')
    return "Unknown"


def outward_address() -> str:
    """The address that packets to elsewhere leave with; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("198.51.100.1", 9))
            return str(probe.getsockname()[0])
        except OSError:
            return "127.0.0.1"


def read(root: pathlib.Path, *, address: str = "") -> Machine:
    """`root` is where the node keeps its data: the disk that counts."""
    meminfo = _read("/proc/meminfo")
    machine = platform.machine()
    root.mkdir(parents=True, exist_ok=True)
    return Machine(
        cpus=len(os.sched_getaffinity(0)),
        memory=memory_of(meminfo, "MemTotal"),
        swap=memory_of(meminfo, "SwapTotal"),
        disk=shutil.disk_usage(root).total,
        hostname=socket.gethostname().lower(),
        address=address or outward_address(),
        architecture=_ARCHITECTURES.get(machine, machine),
        kernel=platform.release(),
        os_image=pretty_name(_read("/etc/os-release")),
        machine_id=_read("/etc/machine-id"),
        system_uuid=_read("/sys/class/dmi/id/product_uuid") or _read("/etc/machine-id"),
        boot_id=_read("/proc/sys/kernel/random/boot_id"),
    )
