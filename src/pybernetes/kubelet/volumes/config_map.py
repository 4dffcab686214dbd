"""configMap volumes: a file per key."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence

from pybernetes.api.types import core_v1
from pybernetes.kubelet.volumes import atomic
from pybernetes.kubelet.volumes import place as places


async def payload(
    place: places.Place,
    *,
    name: str,
    items: Sequence[core_v1.KeyToPath],
    optional: bool | None,
    mode: int | None,
) -> dict[str, atomic.File]:
    """The files. Raises VolumeError."""
    found = await place.source.config_map(place.pod.metadata.namespace, name)
    if found is None:
        if optional:
            return {}
        raise places.VolumeError(f'configmap "{name}" not found')
    content = {key: text.encode() for key, text in found.data.items()}
    content |= {key: base64.b64decode(data) for key, data in found.binaryData.items()}
    return select(content, items, optional=optional, mode=mode, what="configmap references non-existent config key")


def select(
    content: Mapping[str, bytes],
    items: Sequence[core_v1.KeyToPath],
    *,
    optional: bool | None,
    mode: int | None,
    what: str,
) -> dict[str, atomic.File]:
    """All keys under their own names, or the listed ones under theirs."""
    default = 0o644 if mode is None else mode
    if not items:
        return {key: atomic.File(data, default) for key, data in content.items()}
    files = {}
    for item in items:
        if item.key in content:
            files[item.path] = atomic.File(content[item.key], default if item.mode is None else item.mode)
        elif not optional:
            raise places.VolumeError(f"{what}: {item.key}")
    return files
