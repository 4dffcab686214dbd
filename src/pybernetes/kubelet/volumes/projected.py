"""projected volumes: several sources in one folder, the service-account token among them."""

from __future__ import annotations

from pybernetes.api.types import core_v1
from pybernetes.kubelet.volumes import atomic, config_map, downward_api, secret
from pybernetes.kubelet.volumes import place as places


async def payload(place: places.Place, source: core_v1.ProjectedVolumeSource) -> dict[str, atomic.File]:
    """The files of all sources; later ones win. Raises VolumeError, StatusError and ConnectionError."""
    mode = 0o644 if source.defaultMode is None else source.defaultMode
    files: dict[str, atomic.File] = {}
    for part in source.sources:
        if (wanted := part.configMap) is not None:
            files |= await config_map.payload(
                place, name=wanted.name, items=wanted.items, optional=wanted.optional, mode=mode
            )
        if (hidden := part.secret) is not None:
            files |= await secret.payload(
                place, name=hidden.name, items=hidden.items, optional=hidden.optional, mode=mode
            )
        if part.downwardAPI is not None:
            files |= downward_api.payload(place, part.downwardAPI.items, mode=mode)
        if (token := part.serviceAccountToken) is not None:
            text = await place.tokens.get(place.pod, token)
            # Readable by the pod's user alone where there is one; by its group where there is an fsGroup.
            private = place.user is not None or place.group is not None
            files[token.path] = atomic.File(text.encode(), 0o600 if private else mode, place.user)
    return files
