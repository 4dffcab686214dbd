"""Prefers nodes whose CPU and memory the pod brings closer to being used in equal shares."""

from __future__ import annotations

from typing import Any

import numpy as np

from pybernetes.scheduler import nodes as tables
from pybernetes.scheduler import shape as shapes
from pybernetes.scheduler.plugins import plugin


class NodeResourcesBalancedAllocation(plugin.Plugin):
    name = "NodeResourcesBalancedAllocation"
    weight = 1

    def prepare(self, shape: shapes.Shape, nodes: tables.Nodes) -> Any | None:
        asked = shape.requests.get(shapes.CPU, 0), shape.requests.get(shapes.MEMORY, 0)
        return asked if any(asked) else None

    def score(self, state: tuple[int, int], nodes: tables.Nodes, rows: Any) -> tables.Ints | None:
        """75 where the balance stays as it is, up to 100 where it gets better, down to 50 where worse."""
        result: tables.Ints = (
            plugin.MAX // 2 + (plugin.MAX // 2 + _balance(nodes, rows, state) - _balance(nodes, rows, (0, 0))) // 2
        )
        return result


def _balance(nodes: tables.Nodes, rows: Any, asked: tuple[int, int]) -> Any:
    shares = []
    for at in (0, 1):
        allocatable = nodes.allocatable[rows, at]
        share = np.minimum((nodes.requested[rows, at] + asked[at]) / np.maximum(allocatable, 1), 1.0)
        shares.append(np.where(allocatable > 0, share, np.nan))
    deviation = np.nan_to_num(np.abs(shares[0] - shares[1]) / 2)
    return ((1.0 - deviation) * plugin.MAX).astype(np.int64)
