"""Which volume a claim gets. Pure; upstream's order and words."""

from __future__ import annotations

from collections.abc import Iterable

from pybernetes.api import quantity, selectors
from pybernetes.api.types import core_v1, storage_v1

STORAGE = "storage"
CLASS = "volume.beta.kubernetes.io/storage-class"
BIND_COMPLETED = "pv.kubernetes.io/bind-completed"
BOUND_BY_CONTROLLER = "pv.kubernetes.io/bound-by-controller"
PROVISIONED_BY = "pv.kubernetes.io/provisioned-by"
SELECTED_NODE = "volume.kubernetes.io/selected-node"
WAIT = "WaitForFirstConsumer"
DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"
DEFAULT_CLASS_BETA = "storageclass.beta.kubernetes.io/is-default-class"

_NONE = quantity.Quantity("0")


def class_of(claim: core_v1.PersistentVolumeClaim) -> str:
    """The name of the claim's storage class, empty where it has none."""
    annotated = claim.metadata.annotations.get(CLASS)
    return annotated if annotated is not None else claim.spec.storageClassName or ""


def has_class(claim: core_v1.PersistentVolumeClaim) -> bool:
    """Whether it says anything of a class, be it that it wants none."""
    return CLASS in claim.metadata.annotations or claim.spec.storageClassName is not None


def class_of_volume(volume: core_v1.PersistentVolume) -> str:
    annotated = volume.metadata.annotations.get(CLASS)
    return annotated if annotated is not None else volume.spec.storageClassName


def is_bound_to(volume: core_v1.PersistentVolume, claim: core_v1.PersistentVolumeClaim) -> bool:
    """Whether the volume is kept for that claim: by its uid, or by its name alone where an administrator did it."""
    reference = volume.spec.claimRef
    return (
        reference is not None
        and (reference.namespace, reference.name) == (claim.metadata.namespace, claim.metadata.name)
        and reference.uid in ("", claim.metadata.uid)
    )


def same_mode(volume: core_v1.PersistentVolume, claim: core_v1.PersistentVolumeClaim) -> bool:
    return (volume.spec.volumeMode or "Filesystem") == (claim.spec.volumeMode or "Filesystem")


def best(
    claim: core_v1.PersistentVolumeClaim, volumes: Iterable[core_v1.PersistentVolume], *, delayed: bool
) -> core_v1.PersistentVolume | None:
    """The volume kept for the claim, or else the smallest that does, of those with the fewest access modes.

    `delayed`: free ones are left alone, because the scheduler chooses one that the pod's node can reach.
    """
    selector = selectors.from_object(claim.spec.selector) if claim.spec.selector is not None else None
    wanted = claim.spec.resources.requests.get(STORAGE, _NONE)
    free: list[core_v1.PersistentVolume] = []
    for volume in volumes:
        kept = is_bound_to(volume, claim)
        if (volume.spec.claimRef is not None and not kept) or volume.metadata.deletionTimestamp is not None:
            continue
        if quantity.compare(volume.spec.capacity.get(STORAGE, _NONE), wanted) < 0 or not same_mode(volume, claim):
            continue
        if (volume.spec.volumeAttributesClassName or "") != (claim.spec.volumeAttributesClassName or ""):
            continue
        if not set(claim.spec.accessModes) <= set(volume.spec.accessModes):
            continue
        if kept:
            return volume
        if (
            not delayed
            and volume.status.phase == "Available"
            and (selector is None or selector.matches(volume.metadata.labels))
            and class_of_volume(volume) == class_of(claim)
        ):
            free.append(volume)
    return min(free, key=_rank, default=None)


def _rank(volume: core_v1.PersistentVolume) -> tuple[int, int, str]:
    return (
        len(volume.spec.accessModes),
        volume.spec.capacity.get(STORAGE, _NONE).as_int(),
        volume.metadata.name,
    )


def unfit(volume: core_v1.PersistentVolume, claim: core_v1.PersistentVolumeClaim) -> str:
    """Why a volume that the claim names does not do; empty where it does."""
    wanted = claim.spec.resources.requests.get(STORAGE, _NONE)
    if volume.metadata.deletionTimestamp is not None:
        return f'the volume is marked for deletion "{volume.metadata.name}"'
    if volume.spec.capacity.get(STORAGE, _NONE).as_int() < wanted.as_int():
        return "requested PV is too small"
    if class_of_volume(volume) != class_of(claim):
        return "storageClassName does not match"
    if (volume.spec.volumeAttributesClassName or "") != (claim.spec.volumeAttributesClassName or ""):
        return "volumeAttributesClassName does not match"
    if not same_mode(volume, claim):
        return "incompatible volumeMode"
    if not set(claim.spec.accessModes) <= set(volume.spec.accessModes):
        return "incompatible accessMode"
    return ""


def default_class(classes: Iterable[storage_v1.StorageClass]) -> storage_v1.StorageClass | None:
    """The newest of those that are marked as default, by name where they are of one age."""
    marked = [
        one
        for one in classes
        if "true" in (one.metadata.annotations.get(DEFAULT_CLASS), one.metadata.annotations.get(DEFAULT_CLASS_BETA))
    ]
    marked.sort(key=lambda one: one.metadata.name)
    return max(marked, key=lambda one: one.metadata.creationTimestamp or "", default=None)
