"""Keeps pods to the zones that the labels of their volumes name."""

from __future__ import annotations

from typing import Any

from pybernetes.api.types import core_v1, storage_v1
from pybernetes.scheduler import changes, volumes
from pybernetes.scheduler import nodes as tables
from pybernetes.scheduler import shape as shapes
from pybernetes.scheduler.plugins import plugin

REASON = "node(s) had no available volume zone"
# Labels of the past, and what they are called now.
_NOW = {
    "failure-domain.beta.kubernetes.io/zone": "topology.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/region": "topology.kubernetes.io/region",
}
LABELS = (*_NOW, *_NOW.values())


class VolumeZone(plugin.Plugin):
    name = "VolumeZone"
    helped_by = changes.Change.NODE_ADDED | changes.Change.NODE_LABELS | changes.Change.STORAGE

    def prepare(self, shape: shapes.Shape, nodes: tables.Nodes) -> tables.Bools | None:
        constrained = 0
        for label in LABELS:
            for bits in nodes.labels.get(label, {}).values():
                constrained |= bits
        out = 0
        for name in shape.claims:
            volume = _volume(name, shape, nodes)
            if volume is None:
                continue
            for label in LABELS:
                if label in volume.metadata.labels:
                    out |= constrained & ~_in_zones(label, volume.metadata.labels[label], nodes)
        return nodes.mask(out) if out else None

    def reject(self, state: tables.Bools, nodes: tables.Nodes, rows: Any) -> list[plugin.Rejection]:
        return [plugin.Rejection(REASON, state[rows], True)]


def _volume(name: str, shape: shapes.Shape, nodes: tables.Nodes) -> core_v1.PersistentVolume | None:
    """A claim's volume; None where it waits for a node. Raises `plugin.Rejected` where there should be one."""
    claim = nodes.world.of(core_v1.PersistentVolumeClaim).get(name, shape.namespace)
    if claim is None:
        raise plugin.Rejected(f'persistentvolumeclaim "{name}" not found')
    if claim.spec.volumeName:
        volume = nodes.world.of(core_v1.PersistentVolume).get(claim.spec.volumeName)
        if volume is None:
            raise plugin.Rejected(f'persistentvolume "{claim.spec.volumeName}" not found')
        return volume
    class_name = volumes.class_of(claim)
    if not class_name:
        raise plugin.Rejected("PersistentVolumeClaim had no pv name and storageClass name")
    found = nodes.world.of(storage_v1.StorageClass).get(class_name)
    if found is None:
        raise plugin.Rejected(f'storageclass.storage.k8s.io "{class_name}" not found')
    if found.volumeBindingMode != volumes.WAIT:
        raise plugin.Rejected("PersistentVolume had no name")
    return None


def _in_zones(label: str, value: str, nodes: tables.Nodes) -> int:
    """The nodes in one of the zones, which a label lists with `__` in between."""
    bits = 0
    for zone in value.split("__"):
        bits |= nodes.labels.get(label, {}).get(zone, 0)
        if label in _NOW:
            here = 0
            for same in nodes.labels.get(label, {}).values():
                here |= same
            bits |= nodes.labels.get(_NOW[label], {}).get(zone, 0) & ~here
    return bits
