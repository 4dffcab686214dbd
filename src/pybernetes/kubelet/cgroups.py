"""The cgroups above the containers' own: runc makes them on the way, and nobody removes them but us. Blocking."""

from __future__ import annotations

import contextlib
import os
import pathlib

BASE = pathlib.Path("/sys/fs/cgroup")


def remove(name: str) -> None:
    """Remove an emptied cgroup and those below it, in every hierarchy (v1) or the one (v2)."""
    relative = name.lstrip("/")
    roots = [BASE / relative]
    if BASE.is_dir():
        roots += [entry / relative for entry in BASE.iterdir() if entry.is_dir()]
    for root in roots:
        for folder, _, _ in os.walk(root, topdown=False):
            with contextlib.suppress(OSError):
                os.rmdir(folder)
