"""Claims and volumes as placement sees them: what a claim is bound to, which volumes would do, and where."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from pybernetes.api import quantity
from pybernetes.api.types import core_v1, storage_v1
from pybernetes.scheduler import nodes as tables
from pybernetes.scheduler import shape as shapes
from pybernetes.scheduler import terms, worlds
from pybernetes.scheduler.plugins import node_affinity, plugin

CLASS = "volume.beta.kubernetes.io/storage-class"
BOUND = "pv.kubernetes.io/bind-completed"
BOUND_BY_CONTROLLER = "pv.kubernetes.io/bound-by-controller"
SELECTED_NODE = "volume.kubernetes.io/selected-node"
NO_PROVISIONER = "kubernetes.io/no-provisioner"
WAIT = "WaitForFirstConsumer"
STORAGE = "storage"


class Claims(NamedTuple):
    """A pod's claims: bound to a volume, to be bound now that a node is chosen, and to be bound before."""

    bound: tuple[core_v1.PersistentVolumeClaim, ...]
    delayed: tuple[core_v1.PersistentVolumeClaim, ...]
    immediate: tuple[core_v1.PersistentVolumeClaim, ...]


def key(claim: core_v1.PersistentVolumeClaim) -> str:
    return f"{claim.metadata.namespace}/{claim.metadata.name}"


def class_of(claim: core_v1.PersistentVolumeClaim) -> str:
    annotated = claim.metadata.annotations.get(CLASS)
    return annotated if annotated is not None else claim.spec.storageClassName or ""


def fully_bound(claim: core_v1.PersistentVolumeClaim) -> bool:
    return bool(claim.spec.volumeName) and BOUND in claim.metadata.annotations


def claims_of(shape: shapes.Shape, world: worlds.World) -> Claims:
    """Sorts a pod's claims. Raises `plugin.Rejected` where one is missing or of no use."""
    bound: list[core_v1.PersistentVolumeClaim] = []
    delayed: list[core_v1.PersistentVolumeClaim] = []
    immediate: list[core_v1.PersistentVolumeClaim] = []
    plain = {v.persistentVolumeClaim.claimName for v in shape.spec.volumes if v.persistentVolumeClaim is not None}
    for name in shape.claims:
        claim = _usable(name, shape, world, ephemeral=name not in plain)
        if fully_bound(claim):
            bound.append(claim)
        elif not claim.spec.volumeName and _waits(claim, world):
            delayed.append(claim)
        else:
            immediate.append(claim)
    return Claims(tuple(bound), tuple(delayed), tuple(immediate))


def _usable(name: str, shape: shapes.Shape, world: worlds.World, *, ephemeral: bool) -> core_v1.PersistentVolumeClaim:
    claim = world.of(core_v1.PersistentVolumeClaim).get(name, shape.namespace)
    if claim is None:
        if ephemeral:
            text = f'waiting for ephemeral volume controller to create the persistentvolumeclaim "{name}"'
            raise plugin.Rejected(text)
        raise plugin.Rejected(f'persistentvolumeclaim "{name}" not found')
    if claim.status.phase == "Lost":
        volume = claim.spec.volumeName
        raise plugin.Rejected(f'persistentvolumeclaim "{name}" bound to non-existent persistentvolume "{volume}"')
    if claim.metadata.deletionTimestamp is not None:
        raise plugin.Rejected(f'persistentvolumeclaim "{name}" is being deleted')
    if ephemeral and not any(owner.controller and owner.uid == shape.uid for owner in claim.metadata.ownerReferences):
        raise plugin.Rejected(f"PVC {key(claim)} was not created for the pod (pod is not owner)")
    return claim


def _waits(claim: core_v1.PersistentVolumeClaim, world: worlds.World) -> bool:
    found = world.of(storage_v1.StorageClass).get(class_of(claim))
    return found is not None and found.volumeBindingMode == WAIT


def reach(volume: core_v1.PersistentVolume, nodes: tables.Nodes) -> int:
    """The nodes on which a volume can be used, as a bitset."""
    affinity = volume.spec.nodeAffinity
    if affinity is None or affinity.required is None:
        return nodes.alive
    bits = 0
    for term in affinity.required.nodeSelectorTerms:
        bits |= node_affinity.term_bits(term, nodes)
    return bits


def candidates(
    claim: core_v1.PersistentVolumeClaim, world: worlds.World
) -> tuple[list[core_v1.PersistentVolume], list[core_v1.PersistentVolume]]:
    """Volumes that are kept for the claim already, and free ones that would do, the smallest first."""
    wanted = claim.spec.resources.requests.get(STORAGE)
    kept: list[core_v1.PersistentVolume] = []
    free: list[core_v1.PersistentVolume] = []
    selector = terms.selector_of(claim.spec.selector) if claim.spec.selector is not None else None
    name = class_of(claim)
    for volume in world.of(core_v1.PersistentVolume):
        spec = volume.spec
        reference = spec.claimRef
        for_us = reference is not None and (reference.namespace, reference.name) == (
            claim.metadata.namespace,
            claim.metadata.name,
        )
        if for_us and reference is not None and reference.uid and reference.uid != claim.metadata.uid:
            continue
        if (reference is not None and not for_us) or volume.metadata.deletionTimestamp is not None:
            continue
        if world.volumes_taken.get(volume.metadata.name, key(claim)) != key(claim):
            continue
        capacity = spec.capacity.get(STORAGE)
        if wanted is not None and (capacity is None or quantity.compare(capacity, wanted) < 0):
            continue
        if (spec.volumeMode or "Filesystem") != (claim.spec.volumeMode or "Filesystem"):
            continue
        if (spec.volumeAttributesClassName or "") != (claim.spec.volumeAttributesClassName or ""):
            continue
        if for_us:
            kept.append(volume)
        elif (
            volume.status.phase == "Available"
            and (selector is None or selector.matches(volume.metadata.labels))
            and (volume.metadata.annotations.get(CLASS) or spec.storageClassName) == name
            and set(claim.spec.accessModes) <= set(spec.accessModes)
        ):
            free.append(volume)
    return kept, sorted(free, key=_size)


def _size(volume: core_v1.PersistentVolume) -> int:
    capacity = volume.spec.capacity.get(STORAGE)
    return capacity.as_int() if capacity is not None else 0


def asked(claim: core_v1.PersistentVolumeClaim) -> int:
    """Bytes."""
    wanted = claim.spec.resources.requests.get(STORAGE)
    return wanted.as_int() if wanted is not None else 0


class Provision(NamedTuple):
    """Where a volume can be made for a claim, and where there is also enough space for it; bitsets."""

    allowed: int
    roomy: int


def provision(claim: core_v1.PersistentVolumeClaim, nodes: tables.Nodes) -> Provision:
    """Raises `plugin.Rejected` where the claim's class does not exist."""
    world = nodes.world
    name = class_of(claim)
    found = world.of(storage_v1.StorageClass).get(name)
    if found is None:
        raise plugin.Rejected(f'failed to find storage class "{name}"')
    if not found.provisioner or found.provisioner == NO_PROVISIONER:
        return Provision(0, 0)
    allowed = nodes.alive
    if found.allowedTopologies:
        allowed = 0
        for term in found.allowedTopologies:
            bits = nodes.alive
            for one in term.matchLabelExpressions:
                bits &= _with_label(one.key, one.values, nodes)
            allowed |= bits if term.matchLabelExpressions else 0
    driver = world.of(storage_v1.CSIDriver).get(found.provisioner)
    if driver is None or not driver.spec.storageCapacity or STORAGE not in claim.spec.resources.requests:
        return Provision(allowed, allowed)
    roomy = 0
    for capacity in world.of(storage_v1.CSIStorageCapacity):
        limit = capacity.maximumVolumeSize if capacity.maximumVolumeSize is not None else capacity.capacity
        if capacity.storageClassName == name and limit is not None and limit.as_int() >= asked(claim):
            roomy |= _matching(capacity, nodes)
    return Provision(allowed, allowed & roomy)


def _with_label(label: str, values: Iterable[str], nodes: tables.Nodes) -> int:
    bits = 0
    for value in values:
        bits |= nodes.labels.get(label, {}).get(value, 0)
    return bits


def _matching(capacity: storage_v1.CSIStorageCapacity, nodes: tables.Nodes) -> int:
    """The nodes from which storage can be reached."""
    if capacity.nodeTopology is None:
        return 0
    selector = terms.selector_of(capacity.nodeTopology)
    bits = 0
    for row, node in enumerate(nodes.objects):
        if node is not None and selector.matches(node.metadata.labels):
            bits |= 1 << row
    return bits
