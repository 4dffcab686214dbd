"""Mount system calls, by way of libc. Blocking, but short."""

from __future__ import annotations

import ctypes
import os
import pathlib

MS_REMOUNT, MS_BIND, MS_REC, MNT_DETACH = 32, 4096, 16384, 2


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _check(result: int, path: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), path)


def mount_tmpfs(path: pathlib.Path, *, size: int = 0) -> None:
    """Memory-backed, with at most `size` bytes (0: the kernel's default, half the memory)."""
    options = f"size={size}".encode() if size else None
    _check(_libc().mount(b"tmpfs", os.fsencode(path), b"tmpfs", 0, options), str(path))


def bind(source: str, target: pathlib.Path) -> None:
    _check(_libc().mount(os.fsencode(source), os.fsencode(target), None, MS_BIND | MS_REC, None), str(target))


def unmount(path: str) -> None:
    """Detach, also where it is still in use."""
    _check(_libc().umount2(os.fsencode(path), MNT_DETACH), path)


def mounted_under(path: pathlib.Path) -> list[str]:
    """Mount points at or below a path, innermost first."""
    root = str(path) + "/"
    lines = pathlib.Path("/proc/self/mountinfo").read_text().splitlines()
    points = [line.split()[4].replace("\\040", " ") for line in lines]
    return [point for point in reversed(points) if (point + "/").startswith(root)]
