"""Keeps pods off nodes to which a CSI driver cannot attach as many volumes more."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from pybernetes.api.types import core_v1, storage_v1
from pybernetes.scheduler import changes, volumes
from pybernetes.scheduler import nodes as tables
from pybernetes.scheduler import shape as shapes
from pybernetes.scheduler.plugins import plugin

REASON = "node(s) exceed max volume count"

# Volumes by what identifies them, with their drivers.
Attached = dict[str, str]


class _State(NamedTuple):
    wanted: Attached
    # Limits of the drivers that matter, by row.
    limits: dict[int, dict[str, int]]
    # What the API server knows to be attached, by node.
    attached: dict[str, Attached]


class NodeVolumeLimits(plugin.Plugin):
    name = "NodeVolumeLimits"
    helped_by = changes.Change.NODE_ADDED | changes.Change.POD_GONE | changes.Change.STORAGE

    def prepare(self, shape: shapes.Shape, nodes: tables.Nodes) -> _State | None:
        if not shape.claims:
            return None
        wanted = _attachable(shape, nodes)
        drivers = set(wanted.values())
        limits: dict[int, dict[str, int]] = {}
        for known in nodes.world.of(storage_v1.CSINode):
            row = nodes.rows.get(known.metadata.name)
            found = {
                driver.name: driver.allocatable.count
                for driver in known.spec.drivers
                if driver.name in drivers and driver.allocatable is not None and driver.allocatable.count is not None
            }
            if row is not None and found:
                limits[row] = found
        if not limits:
            return None
        attached: dict[str, Attached] = {}
        for attachment in nodes.world.of(storage_v1.VolumeAttachment):
            spec = attachment.spec
            volume = nodes.world.of(core_v1.PersistentVolume).get(spec.source.persistentVolumeName or "")
            if volume is not None and volume.spec.csi is not None and spec.attacher in drivers:
                attached.setdefault(spec.nodeName, {})[_name(volume.spec.csi)] = spec.attacher
        return _State(wanted, limits, attached)

    def reject(self, state: _State, nodes: tables.Nodes, rows: Any) -> list[plugin.Rejection]:
        out = np.zeros(nodes.size, np.bool_)
        for row in np.arange(nodes.size)[rows]:
            limits = state.limits.get(int(row))
            if limits is not None:
                out[row] = _exceeded(state, limits, int(row), nodes)
        return [plugin.Rejection(REASON, out[rows], False)]


def _exceeded(state: _State, limits: dict[str, int], row: int, nodes: tables.Nodes) -> bool:
    there = dict(state.attached.get(nodes.names[row], {}))
    for uid in nodes.pods_on(row):
        shape = nodes.placed[uid].shape
        if shape.claims:
            there |= _attachable(shape, nodes)
    new = {name: driver for name, driver in state.wanted.items() if name not in there}
    for driver, limit in limits.items():
        more = sum(one == driver for one in new.values())
        if more and more + sum(one == driver for one in there.values()) > limit:
            return True
    return False


def _attachable(shape: shapes.Shape, nodes: tables.Nodes) -> Attached:
    """The CSI volumes of a pod's claims; a claim without a volume counts as one of its provisioner's."""
    world = nodes.world
    found: Attached = {}
    for name in shape.claims:
        claim = world.of(core_v1.PersistentVolumeClaim).get(name, shape.namespace)
        if claim is None:
            continue
        volume = world.of(core_v1.PersistentVolume).get(claim.spec.volumeName) if claim.spec.volumeName else None
        if volume is not None:
            if volume.spec.csi is not None:
                found[_name(volume.spec.csi)] = volume.spec.csi.driver
            continue
        made_by = world.of(storage_v1.StorageClass).get(volumes.class_of(claim))
        if made_by is not None:
            found[volumes.key(claim)] = made_by.provisioner
    return found


def _name(source: core_v1.CSIPersistentVolumeSource) -> str:
    return f"{source.driver}/{source.volumeHandle}"
