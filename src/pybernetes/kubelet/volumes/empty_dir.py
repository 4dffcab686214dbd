"""emptyDir volumes: a folder, on disk or in memory."""

from __future__ import annotations

from pybernetes.api.types import core_v1
from pybernetes.kubelet.volumes import mounting
from pybernetes.kubelet.volumes import place as places


def set_up(place: places.Place, source: core_v1.EmptyDirVolumeSource) -> None:
    """Make the folder, writable for everybody; a memory-backed one is as large as its limit."""
    fresh = not place.folder.exists()
    place.folder.mkdir(parents=True, exist_ok=True)
    if source.medium == "Memory" and place.mounts and not mounting.mounted_under(place.folder):
        mounting.mount_tmpfs(place.folder, size=source.sizeLimit.as_int() if source.sizeLimit is not None else 0)
        fresh = True
    if fresh:
        place.folder.chmod(0o777)
