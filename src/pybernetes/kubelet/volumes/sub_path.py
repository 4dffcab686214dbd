"""subPath mounts: a part of a volume, which must not lead out of it through a symbolic link.

Links that stay inside are fine (configMap volumes are made of them), so the path is resolved first. But the container
may change the volume while we look: the resolved path is then walked one component at a time from an open
descriptor, following no link, and what is bound is the descriptor, not the name (upstream does the same, since
CVE-2017-1002101).
"""

from __future__ import annotations

import contextlib
import os
import pathlib

from pybernetes.kubelet.volumes import mounting
from pybernetes.kubelet.volumes import place as places


def open_inside(root: str, sub_path: str) -> int:
    """A descriptor of the path, made where missing. Raises VolumeError."""
    if sub_path.startswith("/") or ".." in pathlib.PurePosixPath(sub_path).parts:
        raise places.VolumeError(f"subPath {sub_path} must be a relative path without '..'")
    root = os.path.realpath(root)
    resolved = os.path.realpath(os.path.join(root, sub_path))
    if os.path.commonpath([root, resolved]) != root:
        raise places.VolumeError(f"subPath {sub_path} leads out of the volume through a symbolic link")
    parts = [] if resolved == root else os.path.relpath(resolved, root).split("/")
    current = os.open(root, os.O_PATH | os.O_CLOEXEC)
    try:
        for part in parts:
            with contextlib.suppress(FileExistsError):
                os.mkdir(part, mode=0o750, dir_fd=current)
            below = os.open(part, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=current)
            os.close(current)
            current = below
            if _is_link(current):
                raise places.VolumeError(f"subPath {sub_path} leads through a symbolic link")
    except OSError as error:
        os.close(current)
        raise places.VolumeError(f"failed to prepare subPath {sub_path}: {error}") from None
    except places.VolumeError:
        os.close(current)
        raise
    return current


def _is_link(descriptor: int) -> bool:
    return (os.fstat(descriptor).st_mode & 0o170000) == 0o120000


def set_up(root: str, sub_path: str, target: pathlib.Path, *, mounts: bool) -> str:
    """Bind the part of the volume to `target`, and give the path to mount."""
    descriptor = open_inside(root, sub_path)
    try:
        if not mounts:
            return os.path.join(root, sub_path)
        is_folder = (os.fstat(descriptor).st_mode & 0o170000) == 0o040000
        for stale in mounting.mounted_under(target):
            # From an earlier start of the container: the file behind it may have been replaced since.
            mounting.unmount(stale)
        target.parent.mkdir(parents=True, exist_ok=True)
        if is_folder:
            target.mkdir(exist_ok=True)
        else:
            target.touch()
        mounting.bind(f"/proc/self/fd/{descriptor}", target)
        return str(target)
    finally:
        os.close(descriptor)
