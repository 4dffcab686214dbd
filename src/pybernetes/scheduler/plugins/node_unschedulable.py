"""Keeps pods off cordoned nodes, unless they tolerate that."""

from __future__ import annotations

from typing import Any

from pybernetes.api import tolerations
from pybernetes.scheduler import changes
from pybernetes.scheduler import nodes as tables
from pybernetes.scheduler import shape as shapes
from pybernetes.scheduler.plugins import plugin

TAINT = "node.kubernetes.io/unschedulable"
REASON = "node(s) were unschedulable"


class NodeUnschedulable(plugin.Plugin):
    name = "NodeUnschedulable"
    sees = plugin.Sees.NODE
    helped_by = changes.Change.NODE_ADDED | changes.Change.NODE_TAINTS

    def prepare(self, shape: shapes.Shape, nodes: tables.Nodes) -> Any | None:
        if not nodes.unschedulable:
            return None
        if tolerations.tolerated(shape.spec.tolerations, TAINT, "", tolerations.NO_SCHEDULE):
            return None
        return nodes.mask(nodes.unschedulable)

    def reject(self, state: Any, nodes: tables.Nodes, rows: Any) -> list[plugin.Rejection]:
        return [plugin.Rejection(REASON, state[rows], True)]
