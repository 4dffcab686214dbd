"""Keeps pods to nodes with room for their requests; prefers those with the most left."""

from __future__ import annotations

from typing import Any

import numpy as np

from pybernetes.scheduler import changes
from pybernetes.scheduler import nodes as tables
from pybernetes.scheduler import shape as shapes
from pybernetes.scheduler.plugins import plugin


class NodeResourcesFit(plugin.Plugin):
    name = "NodeResourcesFit"
    weight = 1
    helped_by = changes.Change.ROOM

    def prepare(self, shape: shapes.Shape, nodes: tables.Nodes) -> Any | None:
        for resource in shape.requests:
            nodes.column(resource)
        return shape

    def reject(self, state: shapes.Shape, nodes: tables.Nodes, rows: Any) -> list[plugin.Rejection]:
        pods = nodes.columns[shapes.PODS]
        full = nodes.requested[rows, pods] + 1 > nodes.allocatable[rows, pods]
        rejections = [plugin.Rejection("Too many pods", full, False)]
        for resource, asked in state.requests.items():
            if resource == shapes.PODS:
                continue
            at = nodes.columns[resource]
            allocatable = nodes.allocatable[rows, at]
            short = asked > allocatable - nodes.requested[rows, at]
            rejections.append(plugin.Rejection(f"Insufficient {resource}", short, asked > allocatable))
        return rejections

    def score(self, state: shapes.Shape, nodes: tables.Nodes, rows: Any) -> tables.Ints | None:
        """The mean, over CPU and memory, of the share in percent that would be left."""
        total: Any = 0
        weights: Any = 0
        for at, asked in ((0, state.counted_cpu), (1, state.counted_memory)):
            allocatable = nodes.allocatable[rows, at]
            left = np.maximum(allocatable - nodes.counted[rows, at] - asked, 0)
            total = total + left * plugin.MAX // np.maximum(allocatable, 1)
            weights = weights + (allocatable > 0)
        result: tables.Ints = total // np.maximum(weights, 1)
        return result
