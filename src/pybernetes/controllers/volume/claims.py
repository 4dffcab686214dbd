"""Which claims a pod uses, by its own words and by its ephemeral volumes."""

from __future__ import annotations

from collections.abc import Iterator

from pybernetes.api.types import core_v1
from pybernetes.informers import Informer

# The index of pods by `namespace/name` of the claims they use.
INDEX = "claim"


def ephemeral_name(pod: core_v1.Pod, volume: core_v1.Volume) -> str:
    """Of the claim that an ephemeral volume is."""
    return f"{pod.metadata.name}-{volume.name}"


def names(pod: core_v1.Pod) -> Iterator[str]:
    for volume in pod.spec.volumes:
        if volume.persistentVolumeClaim is not None:
            yield volume.persistentVolumeClaim.claimName
        elif volume.ephemeral is not None:
            yield ephemeral_name(pod, volume)


def index(informer: Informer[core_v1.Pod]) -> None:
    """Declare INDEX; harmless where it is there already."""
    informer.add_index(INDEX, lambda pod: [f"{pod.metadata.namespace}/{name}" for name in names(pod)])


def is_for(pod: core_v1.Pod, claim: core_v1.PersistentVolumeClaim) -> bool:
    """Whether a claim of an ephemeral volume's name was made for that very pod."""
    return any(one.controller and one.uid == pod.metadata.uid for one in claim.metadata.ownerReferences)
