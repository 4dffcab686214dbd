"""The writes that bind claims and volumes to each other; each is made only where it changes something."""

from __future__ import annotations

from pybernetes.api import codecs, quantity
from pybernetes.api.types import core_v1
from pybernetes.client import Client
from pybernetes.controllers.volume import matching

PRE_RESIZE = "volume.alpha.kubernetes.io/pre-resize-capacity"


class Writer:
    """Raises StatusError; Conflict where somebody else has bound the one or the other meanwhile."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def bind(self, volume: core_v1.PersistentVolume, claim: core_v1.PersistentVolumeClaim) -> None:
        """Volume first: from then on nobody else gets it, whatever happens to the rest."""
        volume = await self._keep(volume, claim)
        volume = await self.phase(volume, "Bound")
        claim = await self._name(claim, volume)
        await self.claim_status(claim, "Bound", volume)

    async def _keep(
        self, volume: core_v1.PersistentVolume, claim: core_v1.PersistentVolumeClaim
    ) -> core_v1.PersistentVolume:
        reference = volume.spec.claimRef
        ours = matching.is_bound_to(volume, claim)
        if reference is not None and ours and reference.uid:
            return volume
        copy = codecs.copy(volume)
        copy.spec.claimRef = core_v1.ObjectReference(
            apiVersion="v1",
            kind="PersistentVolumeClaim",
            namespace=claim.metadata.namespace,
            name=claim.metadata.name,
            uid=claim.metadata.uid,
            resourceVersion=claim.metadata.resourceVersion,
        )
        if not ours:
            copy.metadata.annotations[matching.BOUND_BY_CONTROLLER] = "yes"
        return await self._client.update(copy)

    async def _name(
        self, claim: core_v1.PersistentVolumeClaim, volume: core_v1.PersistentVolume
    ) -> core_v1.PersistentVolumeClaim:
        named = claim.spec.volumeName == volume.metadata.name
        if named and matching.BIND_COMPLETED in claim.metadata.annotations:
            return claim
        copy = codecs.copy(claim)
        if not named:
            copy.spec.volumeName = volume.metadata.name
            copy.metadata.annotations[matching.BOUND_BY_CONTROLLER] = "yes"
        copy.metadata.annotations[matching.BIND_COMPLETED] = "yes"
        return await self._client.update(copy)

    async def unbind(self, volume: core_v1.PersistentVolume) -> None:
        """Give the volume back, to whomever its administrator keeps it for."""
        copy = codecs.copy(volume)
        if copy.metadata.annotations.pop(matching.BOUND_BY_CONTROLLER, None) is not None:
            copy.spec.claimRef = None
        elif copy.spec.claimRef is not None:
            copy.spec.claimRef.uid = ""
        await self.phase(await self._client.update(copy), "Available")

    async def phase(self, volume: core_v1.PersistentVolume, phase: str, message: str = "") -> core_v1.PersistentVolume:
        if volume.status.phase == phase:
            return volume
        copy = codecs.copy(volume)
        copy.status.phase, copy.status.message = phase, message
        return await self._client.update_status(copy)

    async def claim_status(
        self, claim: core_v1.PersistentVolumeClaim, phase: str, volume: core_v1.PersistentVolume | None = None
    ) -> core_v1.PersistentVolumeClaim:
        """The claim in a phase, with what its volume gives it."""
        copy = codecs.copy(claim)
        copy.status.phase = phase
        if volume is None:
            copy.status.accessModes, copy.status.capacity = [], {}
            copy.status.currentVolumeAttributesClassName = None
        else:
            copy.status.accessModes = list(volume.spec.accessModes)
            if claim.status.phase != phase:
                copy.status.capacity = _capacity(volume, claim)
                if claim.status.phase == "Pending":
                    copy.status.currentVolumeAttributesClassName = volume.spec.volumeAttributesClassName
        if copy.status == claim.status:
            return claim
        return await self._client.update_status(copy)


def _capacity(volume: core_v1.PersistentVolume, claim: core_v1.PersistentVolumeClaim) -> dict[str, quantity.Quantity]:
    told = volume.metadata.annotations.get(PRE_RESIZE)
    if told is None:
        return dict(volume.spec.capacity)
    try:
        # The file system is not yet as large as the volume.
        return claim.status.capacity | {matching.STORAGE: quantity.Quantity.parse(told)}
    except ValueError:
        return dict(volume.spec.capacity)
