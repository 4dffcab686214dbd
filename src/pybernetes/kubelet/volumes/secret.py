"""secret volumes: a file per key, in memory."""

from __future__ import annotations

import base64
from collections.abc import Sequence

from pybernetes.api.types import core_v1
from pybernetes.kubelet.volumes import atomic, config_map
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
    found = await place.source.secret(place.pod.metadata.namespace, name)
    if found is None:
        if optional:
            return {}
        raise places.VolumeError(f'secret "{name}" not found')
    content = {key: base64.b64decode(data) for key, data in found.data.items()}
    return config_map.select(content, items, optional=optional, mode=mode, what="references non-existent secret key")
