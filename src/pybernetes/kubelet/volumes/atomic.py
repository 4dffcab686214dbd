"""Files that change all at once: a folder whose content is swapped by one rename.

The layout is the one containers have come to rely on: the files live in a dated folder, `..data` links to that
folder, and every visible name links through `..data`. Readers see either all of the old or all of the new.
"""

from __future__ import annotations

import os
import pathlib
import shutil
from collections.abc import Mapping
from typing import NamedTuple

DATA = "..data"
_FRESH = "..data_tmp"


class File(NamedTuple):
    data: bytes
    mode: int = 0o644
    owner: int | None = None


Payload = Mapping[str, File]


def write(folder: pathlib.Path, payload: Payload, *, stamp: str, group: int | None = None) -> bool:
    """Make the folder hold just the payload (by relative path); whether anything changed.

    `stamp` names the new content and differs from one write to the next. Raises ValueError for paths that lead out.
    """
    for path in payload:
        parts = pathlib.PurePosixPath(path).parts
        if not parts or path.startswith("/") or ".." in parts or parts[0].startswith(".."):
            raise ValueError(f"invalid path: {path}")
    link = folder / DATA
    before = os.readlink(link) if link.is_symlink() else ""
    if before and _same(folder / before, payload):
        return False
    fresh = folder / f"..{stamp}"
    fresh.mkdir(mode=0o755)
    fresh.chmod(0o755)
    for path, file in payload.items():
        target = fresh / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.data)
        if file.owner is not None or group is not None:
            os.chown(target, -1 if file.owner is None else file.owner, -1 if group is None else group)
        target.chmod(file.mode | (0o440 if group is not None else 0))
    temporary = folder / _FRESH
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(fresh.name)
    temporary.rename(link)
    visible = {pathlib.PurePosixPath(path).parts[0] for path in payload}
    for name in visible:
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(f"{DATA}/{name}")
    for entry in list(folder.iterdir()):
        if not entry.name.startswith("..") and entry.name not in visible:
            entry.unlink()
    if before:
        shutil.rmtree(folder / before, ignore_errors=True)
    return True


def _same(folder: pathlib.Path, payload: Payload) -> bool:
    present = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    if present != set(payload):
        return False
    return all((folder / path).read_bytes() == file.data for path, file in payload.items())
