"""Tells claims that are to grow who makes them grow: none of the volumes that Kubernetes itself knows does any more.

What a CSI driver serves is resized by the driver's resizer, which the volume's old kinds are handed over to by name.
"""

from __future__ import annotations

from pybernetes.api import codecs, quantity
from pybernetes.api.types import core_v1
from pybernetes.controllers.context import Context
from pybernetes.controllers.volume import matching, writing
from pybernetes.informers import key_of, split_key

NAME = "persistentvolume-expander-controller"
RESIZER = "volume.kubernetes.io/storage-resizer"
EXTERNAL = "waiting for an external controller to expand this PVC"
# The field of a volume's source -> the plugin of old, and the driver that does its work now.
MIGRATED = {
    "awsElasticBlockStore": ("kubernetes.io/aws-ebs", "ebs.csi.aws.com"),
    "gcePersistentDisk": ("kubernetes.io/gce-pd", "pd.csi.storage.gke.io"),
    "azureFile": ("kubernetes.io/azure-file", "file.csi.azure.com"),
    "azureDisk": ("kubernetes.io/azure-disk", "disk.csi.azure.com"),
    "cinder": ("kubernetes.io/cinder", "cinder.csi.openstack.org"),
    "vsphereVolume": ("kubernetes.io/vsphere-volume", "csi.vsphere.vmware.com"),
    "portworxVolume": ("kubernetes.io/portworx-volume", "pxd.portworx.com"),
}

_NONE = quantity.Quantity.of(0)


def asked(claim: core_v1.PersistentVolumeClaim) -> quantity.Quantity:
    return claim.spec.resources.requests.get(matching.STORAGE, _NONE)


def had(claim: core_v1.PersistentVolumeClaim) -> quantity.Quantity:
    return claim.status.capacity.get(matching.STORAGE, _NONE)


def is_due(claim: core_v1.PersistentVolumeClaim, volume: core_v1.PersistentVolume) -> bool:
    """Whether the claim is bound to the volume, and asks for more than it has."""
    reference = volume.spec.claimRef
    if claim.status.phase != "Bound" or reference is None or reference.uid != claim.metadata.uid:
        return False
    return asked(claim).value() > had(claim).value() or writing.PRE_RESIZE in volume.metadata.annotations


def migrated(volume: core_v1.PersistentVolume) -> tuple[str, str] | None:
    """The plugin that a volume was made for, and the driver it is handed over to."""
    return next((names for source, names in MIGRATED.items() if getattr(volume.spec, source) is not None), None)


class Expanding:
    """The controller. Work items are claims."""

    def __init__(self, context: Context) -> None:
        self._context, self._client = context, context.client
        self._recorder = context.recorder("volume_expand")
        self._queue = context.queue(NAME)
        self._claims = context.informers.of(core_v1.PersistentVolumeClaim)
        self._volumes = context.informers.of(core_v1.PersistentVolume)
        self._claims.on_change(self._changed)

    async def run(self) -> None:
        await self._context.reconcile(NAME, self._queue, self.reconcile, after=(self._claims, self._volumes))

    def _changed(self, old: core_v1.PersistentVolumeClaim | None, new: core_v1.PersistentVolumeClaim | None) -> None:
        if new is None or new.status.phase != "Bound":
            return
        if old is None or asked(new).value() > asked(old).value() or had(new).value() > had(old).value():
            self._queue.add(key_of(new), "PersistentVolumeClaim changed")

    async def reconcile(self, key: str) -> None:
        namespace, name = split_key(key)
        claim = self._claims.cache.get(name, namespace)
        volume = self._volumes.cache.get(claim.spec.volumeName) if claim is not None else None
        if claim is None or volume is None or not is_due(claim, volume):
            return
        handed_over = migrated(volume)
        if handed_over is None:
            self._recorder.event(claim, "Normal", "ExternalExpanding", EXTERNAL)
            return
        plugin, driver = handed_over
        message = f"CSI migration enabled for {plugin}; waiting for external resizer to expand the pvc"
        self._recorder.event(claim, "Normal", "ExternalExpanding", message)
        if claim.metadata.annotations.get(RESIZER) != driver:
            copy = codecs.copy(claim)
            copy.metadata.annotations[RESIZER] = driver
            await self._client.update_status(copy)
