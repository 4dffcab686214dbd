"""For whom a kubelet may have tokens of its pods: for those whom the pod, or a driver of its volumes, names."""

from __future__ import annotations

from collections.abc import Iterator

from pybernetes.api.types import core_v1, storage_v1
from pybernetes.apiserver import request as requests
from pybernetes.apiserver.admission import hosts, plugin
from pybernetes.apiserver.authz import authorizer as authorizers
from pybernetes.apiserver.storage import collection as collections


class Audiences:
    def __init__(self, host: hosts.Host) -> None:
        self._authorizer = host.authorizer
        self._drivers: collections.Collection = host.collection("storage.k8s.io", "csidrivers")
        self._claims: collections.Collection = host.collection("", "persistentvolumeclaims")
        self._volumes: collections.Collection = host.collection("", "persistentvolumes")

    async def check(self, attributes: plugin.Attributes, audiences: list[str], pod: core_v1.Pod) -> None:
        """Raises StatusError."""
        if len(audiences) > 1:
            raise attributes.forbidden("node may only request 0 or 1 audiences")
        audience = audiences[0] if audiences else ""
        if audience in self._named(pod):
            return
        asked = requests.Attributes(
            "request-serviceaccounts-token-audience",
            "",
            version="v1",
            namespace=attributes.namespace,
            resource=audience,
            name=attributes.name,
        )
        if not (await authorizers.decided(self._authorizer, attributes.user, asked)).allowed:
            raise attributes.forbidden(
                f'audience "{audience}" not found in pod spec volume, {attributes.user.name} is not authorized to '
                "request tokens for this audience"
            )

    def _named(self, pod: core_v1.Pod) -> Iterator[str]:
        for volume in pod.spec.volumes:
            for source in volume.projected.sources if volume.projected is not None else ():
                if source.serviceAccountToken is not None:
                    yield source.serviceAccountToken.audience or ""
            driver = self._driver(pod, volume)
            item = self._drivers.get("", driver) if driver else None
            if item is not None:
                found: storage_v1.CSIDriver = item.peek(storage_v1.CSIDriver)
                yield from (request.audience for request in found.spec.tokenRequests)

    def _driver(self, pod: core_v1.Pod, volume: core_v1.Volume) -> str:
        """ "" where there is none."""
        if volume.csi is not None:
            return volume.csi.driver
        claim = f"{pod.metadata.name}-{volume.name}" if volume.ephemeral is not None else ""
        if volume.persistentVolumeClaim is not None:
            claim = volume.persistentVolumeClaim.claimName
        item = self._claims.get(pod.metadata.namespace, claim) if claim else None
        if item is None:
            return ""
        bound: core_v1.PersistentVolumeClaim = item.peek(core_v1.PersistentVolumeClaim)
        behind = self._volumes.get("", bound.spec.volumeName) if bound.spec.volumeName else None
        if behind is None:
            return ""
        found: core_v1.PersistentVolume = behind.peek(core_v1.PersistentVolume)
        return found.spec.csi.driver if found.spec.csi is not None else ""
