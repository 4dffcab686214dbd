"""hostPath volumes: a path of the node, checked or made by its type."""

from __future__ import annotations

import pathlib
import stat

from pybernetes.api.types import core_v1
from pybernetes.kubelet.volumes import place as places

_CHECKS = {
    "Directory": (stat.S_ISDIR, "hostPath type check failed: {} is not a directory"),
    "File": (stat.S_ISREG, "hostPath type check failed: {} is not a file"),
    "Socket": (stat.S_ISSOCK, "hostPath type check failed: {} is not a socket file"),
    "CharDevice": (stat.S_ISCHR, "hostPath type check failed: {} is not a character device"),
    "BlockDevice": (stat.S_ISBLK, "hostPath type check failed: {} is not a block device"),
}


def set_up(source: core_v1.HostPathVolumeSource) -> str:
    """The path. Raises VolumeError."""
    path = pathlib.Path(source.path)
    kind = source.type or ""
    if kind == "DirectoryOrCreate" and not path.exists():
        path.mkdir(parents=True, mode=0o755)
    elif kind == "FileOrCreate" and not path.exists():
        path.touch(mode=0o644)
    wanted = kind.removesuffix("OrCreate")
    if wanted in _CHECKS:
        holds, message = _CHECKS[wanted]
        if not path.exists() or not holds(path.stat().st_mode):
            raise places.VolumeError(message.format(path))
    return str(path)
