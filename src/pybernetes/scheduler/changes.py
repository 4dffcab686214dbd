"""What happens in the cluster that may let a waiting pod fit; plugins say which of it can undo their rejections."""

from __future__ import annotations

import enum
from typing import Any, NamedTuple

from pybernetes.api import scheme


class Change(enum.Flag):
    """Kinds of changes, as fine as plugins tell them apart."""

    NODE_ADDED = enum.auto()
    NODE_GONE = enum.auto()
    NODE_LABELS = enum.auto()
    NODE_TAINTS = enum.auto()
    NODE_ROOM = enum.auto()
    POD_PLACED = enum.auto()
    POD_RELABELLED = enum.auto()
    POD_GONE = enum.auto()
    POD_SHRUNK = enum.auto()
    STORAGE = enum.auto()
    DEVICES = enum.auto()

    NODE = NODE_ADDED | NODE_GONE | NODE_LABELS | NODE_TAINTS | NODE_ROOM
    ROOM = NODE_ADDED | NODE_ROOM | POD_GONE | POD_SHRUNK
    ANY = NODE | POD_PLACED | POD_RELABELLED | POD_GONE | POD_SHRUNK | STORAGE | DEVICES


class Event(NamedTuple):
    """A change, and the object before and after; None where there is none or it does not matter."""

    change: Change
    old: Any = None
    new: Any = None

    @property
    def label(self) -> str:
        """What upstream calls it; of several kinds of changes in one, the first."""
        for change, label in _LABELS.items():
            if change & self.change:
                return label
        known = self.new if self.new is not None else self.old
        action = "Delete" if self.new is None else "Update" if self.old is not None else "Add"
        return f"{_resource(known)}{action}"


_LABELS = {
    Change.NODE_ADDED: "NodeAdd",
    Change.NODE_GONE: "NodeDelete",
    Change.NODE_ROOM: "NodeUpdateNodeAllocatable",
    Change.NODE_LABELS: "NodeUpdateNodeLabel",
    Change.NODE_TAINTS: "NodeUpdateNodeTaint",
    Change.POD_PLACED: "AssignedPodAdd",
    Change.POD_RELABELLED: "AssignedPodUpdatePodLabel",
    Change.POD_SHRUNK: "AssignedPodUpdatePodScaleDown",
    Change.POD_GONE: "AssignedPodDelete",
}


def _resource(obj: Any) -> str:
    """Of storage or devices: the kind, with its group but for the core's."""
    if obj is None:
        return "*"
    of: type = type(obj)
    group = scheme.by_type(of).group
    return f"{group}/{of.__name__}" if group else of.__name__
