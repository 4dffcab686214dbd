"""What happens in the cluster that may let a waiting pod fit; plugins say which of it can undo their rejections."""

from __future__ import annotations

import enum
from typing import Any, NamedTuple


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
