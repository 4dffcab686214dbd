"""Keeps a pod that names its node to that node."""

from __future__ import annotations

from typing import Any

from pybernetes.scheduler import changes
from pybernetes.scheduler import nodes as tables
from pybernetes.scheduler import shape as shapes
from pybernetes.scheduler.plugins import plugin

REASON = "node(s) didn't match the requested node name"


class NodeName(plugin.Plugin):
    name = "NodeName"
    sees = plugin.Sees.NODE
    helped_by = changes.Change.NODE_ADDED

    def prepare(self, shape: shapes.Shape, nodes: tables.Nodes) -> Any | None:
        if not shape.spec.nodeName:
            return None
        row = nodes.rows.get(shape.spec.nodeName)
        return ~nodes.mask(0 if row is None else 1 << row)

    def reject(self, state: Any, nodes: tables.Nodes, rows: Any) -> list[plugin.Rejection]:
        return [plugin.Rejection(REASON, state[rows], True)]
