"""Keeps volumes, claims and volume attributes classes from going while they are used, by finalizers."""

from __future__ import annotations

import abc
from typing import Any

from pybernetes.api import codecs
from pybernetes.api.types import core_v1, storage_v1
from pybernetes.controllers.context import Context
from pybernetes.controllers.volume import claims
from pybernetes.informers import Informer, key_of, split_key

CLAIMS = "persistentvolumeclaim-protection-controller"
VOLUMES = "persistentvolume-protection-controller"
ATTRIBUTES = "volumeattributesclass-protection-controller"
CLAIM_FINALIZER = "kubernetes.io/pvc-protection"
VOLUME_FINALIZER = "kubernetes.io/pv-protection"
ATTRIBUTES_FINALIZER = "kubernetes.io/vac-protection"


def uses(pod: core_v1.Pod, claim: core_v1.PersistentVolumeClaim) -> bool:
    """Whether the pod, once on a node, may have the claim mounted."""
    if not pod.spec.nodeName:
        return False
    for volume in pod.spec.volumes:
        if volume.persistentVolumeClaim is not None and volume.persistentVolumeClaim.claimName == claim.metadata.name:
            return True
        own = volume.ephemeral is not None and claims.ephemeral_name(pod, volume) == claim.metadata.name
        # Its claim goes with the pod, which may still be there although nothing of it runs.
        if own and claims.is_for(pod, claim) and not _is_shut_down(pod):
            return True
    return False


def _is_shut_down(pod: core_v1.Pod) -> bool:
    return pod.metadata.deletionTimestamp is not None and pod.metadata.deletionGracePeriodSeconds == 0


def without(obj: Any, finalizer: str) -> Any:
    """A copy that has the finalizer no longer."""
    copy = codecs.copy(obj)
    copy.metadata.finalizers = [known for known in copy.metadata.finalizers if known != finalizer]
    return copy


def with_it(obj: Any, finalizer: str) -> Any:
    """A copy that has the finalizer as well."""
    copy = codecs.copy(obj)
    copy.metadata.finalizers.append(finalizer)
    return copy


def _needs_it(obj: Any, finalizer: str) -> bool:
    return obj.metadata.deletionTimestamp is None and finalizer not in obj.metadata.finalizers


def _may_go(obj: Any, finalizer: str) -> bool:
    return obj.metadata.deletionTimestamp is not None and finalizer in obj.metadata.finalizers


class _Protection(abc.ABC):
    """What the three have in common. Work items are what is protected."""

    def __init__(self, context: Context, name: str, finalizer: str, protected: Informer[Any]) -> None:
        self._context, self._client = context, context.client
        self._name, self._finalizer, self._protected = name, finalizer, protected
        self._queue = context.queue(name)
        self._after: tuple[Informer[Any], ...] = (protected,)
        protected.on_change(self._changed)

    async def run(self) -> None:
        await self._context.reconcile(self._name, self._queue, self.reconcile, after=self._after, workers=2)

    def _changed(self, old: Any, new: Any) -> None:
        if new is not None and (_needs_it(new, self._finalizer) or _may_go(new, self._finalizer)):
            self._queue.add(key_of(new), "it changed")

    async def reconcile(self, key: str) -> None:
        namespace, name = split_key(key)
        obj = self._protected.cache.get(name, namespace)
        if obj is None:
            return
        if _may_go(obj, self._finalizer):
            if not await self._is_used(obj):
                await self._client.update(without(obj, self._finalizer))
        elif _needs_it(obj, self._finalizer):
            await self._client.update(with_it(obj, self._finalizer))

    @abc.abstractmethod
    async def _is_used(self, obj: Any) -> bool:
        """Whether it has to stay."""


class ClaimProtection(_Protection):
    """Claims stay while pods on nodes use them."""

    def __init__(self, context: Context) -> None:
        super().__init__(context, CLAIMS, CLAIM_FINALIZER, context.informers.of(core_v1.PersistentVolumeClaim))
        self._pods = context.informers.of(core_v1.Pod)
        claims.index(self._pods)
        self._pods.on_change(self._pod_changed)
        self._after = (self._protected, self._pods)

    def _pod_changed(self, old: core_v1.Pod | None, new: core_v1.Pod | None) -> None:
        if old is None and new is not None:
            return
        for pod in (old, new):
            for name in claims.names(pod) if pod is not None else ():
                claim = self._protected.cache.get(name, pod.metadata.namespace) if pod is not None else None
                if claim is not None and claim.metadata.deletionTimestamp is not None:
                    self._queue.add(key_of(claim), f"Pod {key_of(pod)} changed")

    async def _is_used(self, obj: core_v1.PersistentVolumeClaim) -> bool:
        if any(uses(pod, obj) for pod in self._pods.cache.index(claims.INDEX, key_of(obj))):
            return True
        # A pod may have been placed that the cache does not show yet; the claim would go from under it.
        listed = await self._client.list(core_v1.Pod, obj.metadata.namespace)
        return any(uses(pod, obj) for pod in listed.items)


class VolumeProtection(_Protection):
    """Volumes stay while they are bound."""

    def __init__(self, context: Context) -> None:
        super().__init__(context, VOLUMES, VOLUME_FINALIZER, context.informers.of(core_v1.PersistentVolume))

    async def _is_used(self, obj: core_v1.PersistentVolume) -> bool:
        return obj.status.phase == "Bound"


class AttributesProtection(_Protection):
    """Volume attributes classes stay while a claim or a volume has one, or is to have it."""

    def __init__(self, context: Context) -> None:
        super().__init__(
            context, ATTRIBUTES, ATTRIBUTES_FINALIZER, context.informers.of(storage_v1.VolumeAttributesClass)
        )
        self._claims = context.informers.of(core_v1.PersistentVolumeClaim)
        self._volumes = context.informers.of(core_v1.PersistentVolume)
        self._claims.add_index("attributes", _of_claim)
        self._volumes.add_index("attributes", _of_volume)
        self._claims.on_change(self._claim_changed)
        self._volumes.on_change(self._volume_changed)
        self._after = (self._protected, self._claims, self._volumes)

    def _claim_changed(
        self, old: core_v1.PersistentVolumeClaim | None, new: core_v1.PersistentVolumeClaim | None
    ) -> None:
        self._look(_of_claim(old) if old is not None else set(), _of_claim(new) if new is not None else set())

    def _volume_changed(self, old: core_v1.PersistentVolume | None, new: core_v1.PersistentVolume | None) -> None:
        self._look(_of_volume(old) if old is not None else set(), _of_volume(new) if new is not None else set())

    def _look(self, before: set[str], after: set[str]) -> None:
        for name in before ^ after:
            self._queue.add(name, "who has it changed")

    async def _is_used(self, obj: storage_v1.VolumeAttributesClass) -> bool:
        name = obj.metadata.name
        return bool(self._claims.cache.index("attributes", name) or self._volumes.cache.index("attributes", name))


def _of_claim(claim: core_v1.PersistentVolumeClaim) -> set[str]:
    status = claim.status
    target = status.modifyVolumeStatus.targetVolumeAttributesClassName if status.modifyVolumeStatus is not None else ""
    return {claim.spec.volumeAttributesClassName or "", status.currentVolumeAttributesClassName or "", target} - {""}


def _of_volume(volume: core_v1.PersistentVolume) -> set[str]:
    return {volume.spec.volumeAttributesClassName or ""} - {""}
