"""All nodes as columns: one row per node, resources as int64 matrices, labels, taints, ports and images as bitsets.

A bitset is a Python int with one bit per row; set operations on ten thousand nodes take a microsecond, and `mask`
turns one into a numpy array of booleans. Every change of a node or pod touches one row.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy import typing as npt

from pybernetes.api import host_ports
from pybernetes.api.types import core_v1
from pybernetes.scheduler import counting, worlds
from pybernetes.scheduler import shape as shapes

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

Taint = tuple[str, str, str]
_FIXED = (shapes.CPU, shapes.MEMORY, shapes.STORAGE, shapes.PODS)


# So many changes are remembered; who has not kept up by then starts anew.
TOUCHED = 100_000
# Above any priority.
NOBODY = 2**40


class Placed(NamedTuple):
    """A pod that takes room on a node."""

    row: int
    shape: shapes.Shape


class Topology(NamedTuple):
    """A label as a partition of the nodes: `ids` has each row's domain, -1 where a node lacks the label."""

    ids: Ints
    domains: int


class Nodes:
    """The table. Rows are re-used; `alive` says which are in use. `world` is what else placement depends on."""

    def __init__(self, world: worlds.World | None = None) -> None:
        self.world = world or worlds.World()
        self.rows: dict[str, int] = {}
        self.names: list[str] = []
        self.objects: list[core_v1.Node | None] = []
        self.alive = 0
        self.unschedulable = 0
        self.labels: dict[str, dict[str, int]] = {}
        self.taints: dict[Taint, int] = {}
        self.ports: dict[host_ports.HostPort, int] = {}
        self.images: dict[str, tuple[int, int]] = {}
        self.columns: dict[str, int] = {name: at for at, name in enumerate(_FIXED)}
        self.allocatable: Ints = np.zeros((64, len(_FIXED)), np.int64)
        self.requested: Ints = np.zeros((64, len(_FIXED)), np.int64)
        self.counted: Ints = np.zeros((64, 2), np.int64)
        # The lowest priority of the pods on a row; `NOBODY` on an empty one.
        self.lowest: Ints = np.full(64, NOBODY, np.int64)
        self.counts = counting.Counts(len(self.allocatable))
        self.placed: dict[str, Placed] = {}
        # The placed pods that use a volume claim, by `namespace/name`.
        self.claimed: dict[str, set[str]] = {}
        self._pods: list[set[str]] = []
        self._waiting: dict[str, dict[str, shapes.Shape]] = {}
        self._free: list[int] = []
        # Raised whenever a row's own facts change, so that results worked out before are not used after.
        self.version = 0
        # The rows whose room changed, in order; who keeps results catches up from where it last looked.
        self.touched: list[int] = []
        self._topologies: dict[str, Topology] = {}

    def __len__(self) -> int:
        """How many nodes there are."""
        return len(self.rows)

    @property
    def size(self) -> int:
        """How many rows a column has."""
        return len(self.names)

    def mask(self, bits: int) -> Bools:
        """A bitset as one boolean per row."""
        size = self.size
        raw = np.frombuffer(bits.to_bytes((size + 7) // 8, "little"), np.uint8)
        return np.unpackbits(raw, count=size, bitorder="little").view(np.bool_)

    def column(self, resource: str) -> int:
        """The column of a resource, made when first asked for."""
        at = self.columns.get(resource)
        if at is None:
            at = self.columns[resource] = len(self.columns)
            grown = ((0, 0), (0, 1))
            self.allocatable = np.pad(self.allocatable, grown)
            self.requested = np.pad(self.requested, grown)
        return at

    def topology(self, label: str) -> Topology:
        """How a label parts the nodes; valid as long as `version` stays."""
        known = self._topologies.get(label)
        if known is None:
            values: dict[str, int] = {}
            ids = np.full(self.size, -1, np.int64)
            for row, node in enumerate(self.objects):
                value = node.metadata.labels.get(label) if node is not None else None
                if value is not None:
                    ids[row] = values.setdefault(value, len(values))
            known = self._topologies[label] = Topology(ids, len(values))
        return known

    def invalidate(self) -> None:
        """What results were worked out from has changed."""
        self.version += 1
        self._topologies.clear()
        self.counts.forget_tallies()

    def trim(self) -> None:
        """Drop counters that nobody may need any more; before new results are worked out."""
        if self.counts.trim():
            self.invalidate()

    def room(self, row: int) -> bytes:
        """Equal for rows that have as much of everything, and as much of it requested."""
        room: bytes = self.allocatable[row].tobytes() + self.requested[row].tobytes() + self.counted[row].tobytes()
        return room

    def pods_on(self, row: int) -> set[str]:
        """The uids of the pods that take room on a row."""
        return self._pods[row]

    def put(self, node: core_v1.Node) -> None:
        """Add a node, or take over its changes."""
        name = node.metadata.name
        row = self.rows.get(name)
        if row is None:
            row = self._new_row(name)
        elif self._same(row, node):
            self.objects[row] = node
            return
        else:
            self._clear_facts(row)
        self.invalidate()
        bit = 1 << row
        self.objects[row] = node
        for key, value in node.metadata.labels.items():
            values = self.labels.setdefault(key, {})
            values[value] = values.get(value, 0) | bit
        for taint in node.spec.taints:
            known = (taint.key, taint.value, taint.effect)
            self.taints[known] = self.taints.get(known, 0) | bit
        if node.spec.unschedulable:
            self.unschedulable |= bit
        for image in node.status.images:
            for image_name in image.names:
                # Nodes may tell different sizes; the first one counts until no node has the image any more.
                size, bits = self.images.get(image_name, (image.sizeBytes, 0))
                self.images[image_name] = size, bits | bit
        self.allocatable[row] = 0
        for resource, value in node.status.allocatable.items():
            # A resource seen for the first time makes the table wider, that is, another array.
            column = self.column(resource)
            self.allocatable[row, column] = shapes.amount(resource, value)

    def _same(self, row: int, node: core_v1.Node) -> bool:
        """Whether nothing changed that placement depends on: heartbeats are most of a node's changes."""
        old = self.objects[row]
        return (
            old is not None
            and old.metadata.labels == node.metadata.labels
            and old.spec == node.spec
            and old.status.allocatable == node.status.allocatable
            and old.status.images == node.status.images
        )

    def remove(self, name: str) -> None:
        row = self.rows.pop(name, None)
        if row is None:
            return
        self.invalidate()
        self._clear_facts(row)
        for uid in list(self._pods[row]):
            shape = self.placed[uid].shape
            self.remove_pod(uid)
            self._waiting.setdefault(name, {})[uid] = shape
        self.alive &= ~(1 << row)
        self.objects[row] = None
        self.allocatable[row] = 0
        self._free.append(row)

    def add_pod(self, uid: str, node: str, shape: shapes.Shape) -> None:
        """A pod takes its room; a pod of a node that is not known yet waits for it."""
        if uid in self.placed:
            known = self.placed[uid]
            if self.names[known.row] == node and (known.shape is shape or known.shape.key == shape.key):
                return
            self.remove_pod(uid)
        row = self.rows.get(node)
        if row is None:
            self._waiting.setdefault(node, {})[uid] = shape
            return
        self.placed[uid] = Placed(row, shape)
        self._pods[row].add(uid)
        self._account(row, shape, 1)
        if shape.priority < self.lowest[row]:
            self.lowest[row] = shape.priority
        self.counts.add(row, _marks(shape), shape.terms)
        for claim in shape.claims:
            self.claimed.setdefault(f"{shape.namespace}/{claim}", set()).add(uid)
        for port in shape.ports:
            self.ports[port] = self.ports.get(port, 0) | 1 << row

    def remove_pod(self, uid: str) -> bool:
        """Whether it had been placed."""
        placed = self.placed.pop(uid, None)
        if placed is None:
            for waiting in self._waiting.values():
                waiting.pop(uid, None)
            return False
        row, shape = placed
        self._pods[row].discard(uid)
        self._account(row, shape, -1)
        if shape.priority == self.lowest[row]:
            self.lowest[row] = min((self.placed[other].shape.priority for other in self._pods[row]), default=NOBODY)
        self.counts.remove(row, _marks(shape), shape.terms)
        for claim in shape.claims:
            users = self.claimed[f"{shape.namespace}/{claim}"]
            users.discard(uid)
            if not users:
                del self.claimed[f"{shape.namespace}/{claim}"]
        for port in shape.ports:
            still = any(port in self.placed[other].shape.ports for other in self._pods[row])
            if not still:
                self.ports[port] &= ~(1 << row)
        return True

    def _account(self, row: int, shape: shapes.Shape, sign: int) -> None:
        for resource, value in shape.requests.items():
            # First the column: a resource seen for the first time makes the table another array.
            at = self.column(resource)
            self.requested[row, at] += sign * value
        self.requested[row, self.columns[shapes.PODS]] += sign
        self.counted[row, 0] += sign * shape.counted_cpu
        self.counted[row, 1] += sign * shape.counted_memory
        self.touched.append(row)
        if len(self.touched) > TOUCHED:
            self.touched.clear()
            self.version += 1

    def _new_row(self, name: str) -> int:
        if self._free:
            row = self._free.pop()
            self.names[row] = name
        else:
            row = len(self.names)
            self.names.append(name)
            self.objects.append(None)
            self._pods.append(set())
            if row >= len(self.allocatable):
                grown = ((0, len(self.allocatable)), (0, 0))
                self.allocatable = np.pad(self.allocatable, grown)
                self.requested = np.pad(self.requested, grown)
                self.counted = np.pad(self.counted, grown)
                self.lowest = np.pad(self.lowest, (0, len(self.lowest)), constant_values=NOBODY)
                self.counts.grow(len(self.allocatable))
        self.rows[name] = row
        self.alive |= 1 << row
        for uid, shape in self._waiting.pop(name, {}).items():
            self.add_pod(uid, name, shape)
        return row

    def _clear_facts(self, row: int) -> None:
        node = self.objects[row]
        if node is None:
            return
        others = ~(1 << row)
        for key, value in node.metadata.labels.items():
            values = self.labels[key]
            values[value] &= others
            if not values[value]:
                del values[value]
                if not values:
                    del self.labels[key]
        for taint in node.spec.taints:
            known = (taint.key, taint.value, taint.effect)
            self.taints[known] &= others
            if not self.taints[known]:
                del self.taints[known]
        self.unschedulable &= others
        for image in node.status.images:
            for image_name in image.names:
                size, bits = self.images.get(image_name, (0, 0))
                if bits & others:
                    self.images[image_name] = size, bits & others
                else:
                    self.images.pop(image_name, None)


def _marks(shape: shapes.Shape) -> counting.Marks:
    return counting.Marks(shape.namespace, shape.marks, shape.terminating)
