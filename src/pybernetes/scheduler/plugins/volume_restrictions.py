"""Keeps pods off nodes where another pod has a disk that only one may have, and apart from claims in use elsewhere."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from pybernetes.api.types import core_v1
from pybernetes.scheduler import changes
from pybernetes.scheduler import nodes as tables
from pybernetes.scheduler import shape as shapes
from pybernetes.scheduler.plugins import plugin

DISK = "node(s) had no available disk"
IN_USE = (
    "node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already in-use by another pod"
)
ONE_POD = "ReadWriteOncePod"


class _State(NamedTuple):
    shape: shapes.Shape
    disks: tuple[core_v1.Volume, ...]
    # Claims that one pod may have, as `namespace/name`.
    alone: tuple[str, ...]


class VolumeRestrictions(plugin.Plugin):
    name = "VolumeRestrictions"
    wide = True
    helped_by = changes.Change.NODE_ADDED | changes.Change.POD_GONE | changes.Change.STORAGE

    def prepare(self, shape: shapes.Shape, nodes: tables.Nodes) -> _State | None:
        if not shape.single:
            return None
        alone = []
        for volume in shape.spec.volumes:
            if volume.persistentVolumeClaim is None:
                continue
            name = volume.persistentVolumeClaim.claimName
            claim = nodes.world.of(core_v1.PersistentVolumeClaim).get(name, shape.namespace)
            if claim is None:
                raise plugin.Rejected(f'persistentvolumeclaim "{name}" not found')
            if ONE_POD in claim.spec.accessModes:
                alone.append(f"{shape.namespace}/{name}")
        disks = tuple(volume for volume in shape.spec.volumes if _exclusive(volume))
        return _State(shape, disks, tuple(alone)) if disks or alone else None

    def reject(self, state: _State, nodes: tables.Nodes, rows: Any) -> list[plugin.Rejection]:
        rejections = []
        if state.disks:
            taken = 0
            for placed in nodes.placed.values():
                others = placed.shape.spec.volumes if placed.shape.single else ()
                if others and any(_conflict(disk, other) for disk in state.disks for other in others):
                    taken |= 1 << placed.row
            rejections.append(plugin.Rejection(DISK, nodes.mask(taken)[rows], False))
        if any(nodes.claimed.get(claim) for claim in state.alone):
            rejections.append(plugin.Rejection(IN_USE, nodes.mask(nodes.alive)[rows], False))
        return rejections


def _exclusive(volume: core_v1.Volume) -> bool:
    sources = (volume.gcePersistentDisk, volume.awsElasticBlockStore, volume.iscsi, volume.rbd)
    return any(source is not None for source in sources)


def _conflict(one: core_v1.Volume, other: core_v1.Volume) -> bool:
    """Whether two pods on one node cannot both have their volume; most can if both only read."""
    if one.gcePersistentDisk is not None and other.gcePersistentDisk is not None:
        gce, held = one.gcePersistentDisk, other.gcePersistentDisk
        return gce.pdName == held.pdName and not (gce.readOnly and held.readOnly)
    if one.awsElasticBlockStore is not None and other.awsElasticBlockStore is not None:
        return one.awsElasticBlockStore.volumeID == other.awsElasticBlockStore.volumeID
    if one.iscsi is not None and other.iscsi is not None:
        return one.iscsi.iqn == other.iscsi.iqn and not (one.iscsi.readOnly and other.iscsi.readOnly)
    if one.rbd is not None and other.rbd is not None:
        rbd, mine = one.rbd, other.rbd
        same = (rbd.pool, rbd.image) == (mine.pool, mine.image) and _overlap(rbd.monitors, mine.monitors)
        return same and not (rbd.readOnly and mine.readOnly)
    return False


def _overlap(one: Iterable[str], other: Iterable[str]) -> bool:
    return bool(set(one) & set(other))
