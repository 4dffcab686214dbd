"""DefaultStorageClass: a claim that names no class gets the default one."""

from __future__ import annotations

from pybernetes.api import times
from pybernetes.api.types import core_v1, storage_v1
from pybernetes.apiserver.admission import plugin
from pybernetes.apiserver.resources.storage import storageclasses
from pybernetes.apiserver.storage import collection as collections
from pybernetes.apiserver.storage import selection

_OLD_ANNOTATION = "volume.beta.kubernetes.io/storage-class"


class DefaultStorageClass(plugin.Plugin):
    name = "DefaultStorageClass"
    operations = (plugin.CREATE,)
    resources = ("persistentvolumeclaims",)

    def __init__(self, classes: collections.Collection) -> None:
        self._classes = classes

    async def admit(self, attributes: plugin.Attributes) -> None:
        claim: core_v1.PersistentVolumeClaim = attributes.obj
        if claim.spec.storageClassName is None and _OLD_ANNOTATION not in claim.metadata.annotations:
            claim.spec.storageClassName = self._default()

    def _default(self) -> str | None:
        """The newest of the default classes."""
        found = self._classes.select(selection.EVERYTHING).items
        classes = [item.decoded(storage_v1.StorageClass) for item in found]
        marked = [c.metadata for c in classes if storageclasses.is_default(c)]
        newest = min(marked, key=lambda m: (-times.parse(m.creationTimestamp or ""), m.name), default=None)
        return newest.name if newest is not None else None
