"""Pods that are promised room on a node: others were removed for them there, and others of less weight keep off."""

from __future__ import annotations

from typing import NamedTuple

from pybernetes.api.types import core_v1
from pybernetes.scheduler import cycle
from pybernetes.scheduler import nodes as tables
from pybernetes.scheduler import shape as shapes


class Nomination(NamedTuple):
    """A pod, and the node that it is to get."""

    pod: core_v1.Pod
    shape: shapes.Shape
    node: str


class Nominations:
    """By uid. What was decided here holds until the API server tells otherwise."""

    def __init__(self) -> None:
        self._known: dict[str, Nomination] = {}

    def __len__(self) -> int:
        return len(self._known)

    def node_of(self, pod: core_v1.Pod) -> str:
        """Where a pod is nominated to run; empty: nowhere."""
        known = self._known.get(pod.metadata.uid)
        return known.node if known is not None else pod.status.nominatedNodeName

    def put(self, pod: core_v1.Pod, shape: shapes.Shape, node: str) -> None:
        if node:
            self._known[pod.metadata.uid] = Nomination(pod, shape, node)
        else:
            self._known.pop(pod.metadata.uid, None)

    def seen(self, old: core_v1.Pod | None, new: core_v1.Pod, shape: shapes.Shape) -> None:
        """Take over what the API server tells; a change that is not about the nomination leaves it as it is."""
        if new.status.nominatedNodeName:
            self.put(new, shape, new.status.nominatedNodeName)
        elif old is not None and old.status.nominatedNodeName:
            self.remove(new.metadata.uid)

    def remove(self, uid: str) -> None:
        self._known.pop(uid, None)

    def promised(self, nodes: tables.Nodes, uid: str, priority: int) -> cycle.Promised | None:
        """The rows where a pod of this priority must leave room for others, and for whom."""
        if not self._known:
            return None
        found: dict[int, list[tuple[str, shapes.Shape]]] = {}
        for other, nomination in self._known.items():
            row = nodes.rows.get(nomination.node)
            if other != uid and row is not None and nomination.shape.priority >= priority:
                found.setdefault(row, []).append((other, nomination.shape))
        return found or None

    def below(self, node: str, priority: int) -> list[core_v1.Pod]:
        """The pods of lower priority that are nominated to run there."""
        return [n.pod for n in self._known.values() if n.node == node and n.shape.priority < priority]
