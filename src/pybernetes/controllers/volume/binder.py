"""Binds claims to volumes, and reclaims volumes whose claims are gone.

Volumes are never made or wiped here: who provisions them does both. Claims that wait are looked at again when a
volume, a class or a pod changes that may end their wait.
"""

from __future__ import annotations

from collections.abc import Iterator

from pybernetes.api import codecs, errors
from pybernetes.api.types import core_v1, storage_v1
from pybernetes.controllers import pods
from pybernetes.controllers.context import Context
from pybernetes.controllers.volume import claims, matching, writing
from pybernetes.informers import join_key, key_of, split_key

NAME = "persistentvolume-binder-controller"
PROVISIONER = "volume.kubernetes.io/storage-provisioner"
PROVISIONER_BETA = "volume.beta.kubernetes.io/storage-provisioner"
MIGRATED_TO = "pv.kubernetes.io/migrated-to"
IN_TREE = "kubernetes.io/"
_CLAIM, _VOLUME = "claim/", "volume/"


class Binder:
    """The controller. Work items are `claim/<namespace>/<name>` and `volume/<name>`."""

    def __init__(self, context: Context) -> None:
        self._context, self._client = context, context.client
        self._recorder = context.recorder("persistentvolume-controller")
        self._queue = context.queue(NAME)
        self._writer = writing.Writer(context.client)
        self._volumes = context.informers.of(core_v1.PersistentVolume)
        self._claims = context.informers.of(core_v1.PersistentVolumeClaim)
        self._classes = context.informers.of(storage_v1.StorageClass)
        self._pods = context.informers.of(core_v1.Pod)
        claims.index(self._pods)
        self._claims.add_index("waiting", _waiting_for)
        self._volumes.add_index("kept", _kept_for)
        self._volumes.on_change(self._volume_changed)
        self._claims.on_change(self._claim_changed)
        self._classes.on_change(self._class_changed)
        self._pods.on_change(self._pod_changed)

    async def run(self) -> None:
        after = (self._volumes, self._claims, self._classes, self._pods)
        # One at a time, so that of two claims that could have the same volume only one tries.
        await self._context.reconcile(NAME, self._queue, self.reconcile, after=after, workers=1)

    # -- whom a change concerns

    def _volume_changed(self, old: core_v1.PersistentVolume | None, new: core_v1.PersistentVolume | None) -> None:
        volume = new or old
        if volume is None:
            return
        self._queue.add(f"{_VOLUME}{volume.metadata.name}", "PersistentVolume changed")
        for key in {key for one in (old, new) if one is not None for key in _kept_for(one)}:
            self._queue.add(f"{_CLAIM}{key}", f"PersistentVolume {volume.metadata.name} changed")
        for claim in self._claims.cache.index("waiting", f"volume/{volume.metadata.name}"):
            self._queue.add(f"{_CLAIM}{key_of(claim)}", f"PersistentVolume {volume.metadata.name} changed")
        if new is not None and new.spec.claimRef is None and new.status.phase == "Available":
            self._wake(matching.class_of_volume(new), f"PersistentVolume {volume.metadata.name} is available")

    def _wake(self, class_name: str, why: str) -> None:
        for claim in self._claims.cache.index("waiting", f"class/{class_name}"):
            self._queue.add(f"{_CLAIM}{key_of(claim)}", why)

    def _claim_changed(
        self, old: core_v1.PersistentVolumeClaim | None, new: core_v1.PersistentVolumeClaim | None
    ) -> None:
        claim = new or old
        if claim is None:
            return
        if new is not None:
            self._queue.add(f"{_CLAIM}{key_of(claim)}", "PersistentVolumeClaim changed")
        for volume in self._volumes.cache.index("kept", key_of(claim)):
            self._queue.add(f"{_VOLUME}{volume.metadata.name}", f"PersistentVolumeClaim {key_of(claim)} changed")
        if claim.spec.volumeName:
            self._queue.add(f"{_VOLUME}{claim.spec.volumeName}", f"PersistentVolumeClaim {key_of(claim)} changed")

    def _class_changed(self, old: storage_v1.StorageClass | None, new: storage_v1.StorageClass | None) -> None:
        if new is not None:
            # One that is the default now concerns claims that say nothing of a class.
            for name in (new.metadata.name, ""):
                self._wake(name, f"StorageClass {new.metadata.name} changed")

    def _pod_changed(self, old: core_v1.Pod | None, new: core_v1.Pod | None) -> None:
        if old is not None or new is None:
            return
        for name in claims.names(new):
            claim = self._claims.cache.get(name, new.metadata.namespace)
            if claim is not None and not claim.spec.volumeName and self._is_delayed(claim):
                self._queue.add(f"{_CLAIM}{key_of(claim)}", f"Pod {key_of(new)} uses it")

    # -- claims

    async def reconcile(self, key: str) -> None:
        if key.startswith(_VOLUME):
            await self._reconcile_volume(key.removeprefix(_VOLUME))
            return
        namespace, name = split_key(key.removeprefix(_CLAIM))
        claim = self._claims.cache.get(name, namespace)
        if claim is None:
            return
        if matching.BIND_COMPLETED in claim.metadata.annotations:
            await self._hold(claim)
        elif claim.spec.volumeName:
            await self._take(claim, claim.spec.volumeName)
        else:
            await self._find(claim)

    async def _hold(self, claim: core_v1.PersistentVolumeClaim) -> None:
        """A claim that was bound once stays so, or is lost."""
        if not claim.spec.volumeName:
            message = "Bound claim has lost reference to PersistentVolume. Data on the volume is lost!"
            await self._lose(claim, "ClaimLost", message)
            return
        volume = self._volumes.cache.get(claim.spec.volumeName)
        if volume is None:
            message = "Bound claim has lost its PersistentVolume. Data on the volume is lost!"
            await self._lose(claim, "ClaimLost", message)
        elif volume.spec.claimRef is None or volume.spec.claimRef.uid == claim.metadata.uid:
            await self._writer.bind(volume, claim)
        elif not matching.is_bound_to(volume, claim):
            message = "Two claims are bound to the same volume, this one is bound incorrectly"
            await self._lose(claim, "ClaimMisbound", message)

    async def _lose(self, claim: core_v1.PersistentVolumeClaim, reason: str, message: str) -> None:
        if claim.status.phase != "Lost":
            lost = await self._writer.claim_status(claim, "Lost")
            self._recorder.event(lost, "Warning", reason, message)

    async def _take(self, claim: core_v1.PersistentVolumeClaim, name: str) -> None:
        """A claim that names its volume waits until that is there, and fits."""
        volume = self._volumes.cache.get(name)
        if volume is not None and volume.spec.claimRef is None:
            problem = matching.unfit(volume, claim)
            if not problem:
                await self._writer.bind(volume, claim)
                return
            message = f'Cannot bind to requested volume "{name}": {problem}'
            self._recorder.event(claim, "Warning", "VolumeMismatch", message)
        elif volume is not None and matching.is_bound_to(volume, claim):
            await self._writer.bind(volume, claim)
            return
        elif volume is not None:
            message = f'volume "{name}" already bound to a different claim.'
            self._recorder.event(claim, "Warning", "FailedBinding", message)
        await self._writer.claim_status(claim, "Pending")

    async def _find(self, claim: core_v1.PersistentVolumeClaim) -> None:
        delayed = self._is_delayed(claim)
        volume = matching.best(claim, self._volumes.cache, delayed=delayed)
        if volume is not None:
            await self._writer.bind(volume, claim)
            return
        if not matching.has_class(claim):
            default = matching.default_class(self._classes.cache)
            if default is not None:
                copy = codecs.copy(claim)
                copy.spec.storageClassName = default.metadata.name
                await self._client.update(copy)
                return
        if delayed and matching.SELECTED_NODE not in claim.metadata.annotations:
            self._tell_whom_it_waits_for(claim)
        elif matching.class_of(claim):
            await self._provision(claim)
            return
        else:
            message = "no persistent volumes available for this claim and no storage class is set"
            self._recorder.event(claim, "Normal", "FailedBinding", message)
        await self._writer.claim_status(claim, "Pending")

    def _is_delayed(self, claim: core_v1.PersistentVolumeClaim) -> bool:
        found = self._classes.cache.get(matching.class_of(claim))
        return found is not None and found.volumeBindingMode == matching.WAIT

    def _tell_whom_it_waits_for(self, claim: core_v1.PersistentVolumeClaim) -> None:
        waiting = [pod.metadata.name for pod in self._users(claim) if not pod.spec.nodeName]
        if waiting:
            word = "pods" if len(waiting) > 1 else "pod"
            message = f"waiting for {word} {','.join(waiting)} to be scheduled"
            self._recorder.event(claim, "Normal", "WaitForPodScheduled", message)
        else:
            message = "waiting for first consumer to be created before binding"
            self._recorder.event(claim, "Normal", matching.WAIT, message)

    def _users(self, claim: core_v1.PersistentVolumeClaim) -> Iterator[core_v1.Pod]:
        for pod in self._pods.cache.index(claims.INDEX, key_of(claim)):
            if not pods.is_terminal(pod):
                yield pod

    async def _provision(self, claim: core_v1.PersistentVolumeClaim) -> None:
        """Ask who makes volumes of the claim's class for one."""
        name = matching.class_of(claim)
        found = self._classes.cache.get(name)
        if found is None:
            problem = f'storageclass.storage.k8s.io "{name}" not found'
            self._recorder.event(claim, "Warning", "ProvisioningFailed", problem)
            return
        provisioner = found.provisioner
        if provisioner.startswith(IN_TREE):
            problem = f"no volume plugin matched name: {provisioner}"
            self._recorder.event(claim, "Warning", "ProvisioningFailed", problem)
            return
        if claim.metadata.annotations.get(PROVISIONER) != provisioner:
            copy = codecs.copy(claim)
            copy.metadata.annotations[PROVISIONER] = provisioner
            copy.metadata.annotations[PROVISIONER_BETA] = provisioner
            claim = await self._client.update(copy)
            message = (
                f"Waiting for a volume to be created either by the external provisioner '{provisioner}' or manually "
                "by the system administrator. If volume creation is delayed, please verify that the provisioner is "
                "running and correctly registered."
            )
            self._recorder.event(claim, "Normal", "ExternalProvisioning", message)

    # -- volumes

    async def _reconcile_volume(self, name: str) -> None:
        volume = self._volumes.cache.get(name)
        if volume is None:
            return
        reference = volume.spec.claimRef
        if reference is None or not reference.uid:
            await self._writer.phase(volume, "Available")
            return
        claim = await self._claim_of(reference, volume)
        if claim is None:
            await self._release(volume)
        elif not claim.spec.volumeName:
            if matching.same_mode(volume, claim):
                self._queue.add(f"{_CLAIM}{key_of(claim)}", f"PersistentVolume {name} is kept for it")
            else:
                self._tell_of_modes(volume, claim)
        elif claim.spec.volumeName == name:
            await self._writer.phase(volume, "Bound")
        elif matching.PROVISIONED_BY in volume.metadata.annotations and _policy(volume) == "Delete":
            await self._release(volume)
        else:
            # The claim has got another volume meanwhile.
            await self._writer.unbind(volume)

    async def _claim_of(
        self, reference: core_v1.ObjectReference, volume: core_v1.PersistentVolume
    ) -> core_v1.PersistentVolumeClaim | None:
        claim = self._claims.cache.get(reference.name, reference.namespace)
        if claim is not None and claim.metadata.uid == reference.uid:
            return claim
        if claim is None and volume.status.phase in ("Released", "Failed"):
            return None
        # Releasing cannot be taken back, and the cache may lag.
        try:
            claim = await self._client.get(core_v1.PersistentVolumeClaim, reference.name, reference.namespace)
        except errors.StatusError as error:
            if error.reason != "NotFound":
                raise
            return None
        return claim if claim.metadata.uid == reference.uid else None

    def _tell_of_modes(self, volume: core_v1.PersistentVolume, claim: core_v1.PersistentVolumeClaim) -> None:
        why = "due to incompatible volumeMode."
        message = f'Cannot bind PersistentVolume to requested PersistentVolumeClaim "{claim.metadata.name}" {why}'
        self._recorder.event(volume, "Warning", "VolumeMismatch", message)
        message = f'Cannot bind PersistentVolume "{volume.metadata.name}" to requested PersistentVolumeClaim {why}'
        self._recorder.event(claim, "Warning", "VolumeMismatch", message)

    async def _release(self, volume: core_v1.PersistentVolume) -> None:
        if volume.status.phase not in ("Released", "Failed"):
            volume = await self._writer.phase(volume, "Released")
        if MIGRATED_TO in volume.metadata.annotations:
            return
        policy = _policy(volume)
        if policy == "Recycle":
            await self._fail(volume, "VolumeFailedRecycle", "No recycler plugin found for the volume!")
        elif policy == "Delete":
            problem = _undeletable(volume)
            if problem:
                await self._fail(volume, "VolumeFailedDelete", problem)
        elif policy != "Retain":
            message = "Volume has unrecognized PersistentVolumeReclaimPolicy"
            await self._fail(volume, "VolumeUnknownReclaimPolicy", message)

    async def _fail(self, volume: core_v1.PersistentVolume, reason: str, message: str) -> None:
        if volume.status.phase != "Failed":
            failed = await self._writer.phase(volume, "Failed", message)
            self._recorder.event(failed, "Warning", reason, message)


def _policy(volume: core_v1.PersistentVolume) -> str:
    return volume.spec.persistentVolumeReclaimPolicy


def _undeletable(volume: core_v1.PersistentVolume) -> str:
    """Why nobody is there to wipe a volume; empty where who provisioned it will."""
    provisioner = volume.metadata.annotations.get(matching.PROVISIONED_BY, "")
    if provisioner:
        return f"no volume plugin matched name: {provisioner}" if provisioner.startswith(IN_TREE) else ""
    if volume.spec.csi is not None:
        return ""
    return (
        f'error getting deleter volume plugin for volume "{volume.metadata.name}": no deletable volume plugin matched'
    )


def _waiting_for(claim: core_v1.PersistentVolumeClaim) -> tuple[str, ...]:
    """What may end the claim's wait."""
    if claim.spec.volumeName:
        return (f"volume/{claim.spec.volumeName}",)
    return (f"class/{matching.class_of(claim)}",)


def _kept_for(volume: core_v1.PersistentVolume) -> tuple[str, ...]:
    reference = volume.spec.claimRef
    return (join_key(reference.namespace, reference.name),) if reference is not None else ()
