"""downwardAPI volumes: a file per field or resource of the pod."""

from __future__ import annotations

from collections.abc import Sequence

from pybernetes.api.types import core_v1
from pybernetes.kubelet.containers import downward
from pybernetes.kubelet.volumes import atomic
from pybernetes.kubelet.volumes import place as places


def payload(
    place: places.Place, items: Sequence[core_v1.DownwardAPIVolumeFile], *, mode: int | None
) -> dict[str, atomic.File]:
    """The files. Raises VolumeError."""
    default = 0o644 if mode is None else mode
    files = {}
    for item in items:
        try:
            if item.fieldRef is not None:
                text = downward.field_value(place.pod, item.fieldRef.fieldPath, place.facts)
            elif item.resourceFieldRef is not None:
                text = downward.resource_value(place.pod, item.resourceFieldRef, place.facts, None)
            else:
                continue
        except downward.Unsupported as error:
            raise places.VolumeError(str(error)) from None
        files[item.path] = atomic.File(text.encode(), default if item.mode is None else item.mode)
    return files
