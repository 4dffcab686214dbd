"""PersistentVolumeClaimResize: only what is bound, and of a class that allows it, may grow."""

from __future__ import annotations

from pybernetes.api import quantity
from pybernetes.api.types import core_v1, storage_v1
from pybernetes.apiserver.admission import plugin
from pybernetes.apiserver.storage import collection as collections

_CLASS = "volume.beta.kubernetes.io/storage-class"


class PersistentVolumeClaimResize(plugin.Plugin):
    name = "PersistentVolumeClaimResize"
    operations = (plugin.UPDATE,)
    resources = ("persistentvolumeclaims",)

    def __init__(self, classes: collections.Collection) -> None:
        self._classes = classes

    async def validate(self, attributes: plugin.Attributes) -> None:
        if not _grows(attributes.obj, attributes.old):
            return
        if attributes.old.status.phase != "Bound":
            raise attributes.forbidden("Only bound persistent volume claims can be expanded")
        if not self._allows(attributes.obj, attributes.old):
            why = (
                "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must "
                "support resize"
            )
            raise attributes.forbidden(why)

    def _allows(self, new: core_v1.PersistentVolumeClaim, old: core_v1.PersistentVolumeClaim) -> bool:
        name = _class_of(new)
        item = self._classes.get("", name) if name and name == _class_of(old) else None
        return item is not None and bool(item.decoded(storage_v1.StorageClass).allowVolumeExpansion)


def _grows(new: core_v1.PersistentVolumeClaim, old: core_v1.PersistentVolumeClaim) -> bool:
    before, after = (one.spec.resources.requests.get("storage", quantity.Quantity("0")) for one in (old, new))
    return quantity.compare(after, before) > 0


def _class_of(claim: core_v1.PersistentVolumeClaim) -> str:
    return claim.metadata.annotations.get(_CLASS) or claim.spec.storageClassName or ""
