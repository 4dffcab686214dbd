"""StorageObjectInUseProtection: volumes, claims and volume attributes classes are born with their finalizers.

Were they only added later, what is deleted in its first moments could go from under a pod.
"""

from __future__ import annotations

from pybernetes.apiserver.admission import plugin

_FINALIZERS = {
    "persistentvolumes": "kubernetes.io/pv-protection",
    "persistentvolumeclaims": "kubernetes.io/pvc-protection",
    "volumeattributesclasses.storage.k8s.io": "kubernetes.io/vac-protection",
}


class StorageObjectInUseProtection(plugin.Plugin):
    name = "StorageObjectInUseProtection"
    operations = (plugin.CREATE,)
    resources = tuple(_FINALIZERS)

    async def admit(self, attributes: plugin.Attributes) -> None:
        finalizer = _FINALIZERS[attributes.resource]
        if finalizer not in attributes.obj.metadata.finalizers:
            attributes.obj.metadata.finalizers.append(finalizer)
