"""Keeps pods off nodes whose taints they do not tolerate; prefers those with the fewest soft taints left."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from pybernetes.api import tolerations
from pybernetes.scheduler import changes
from pybernetes.scheduler import nodes as tables
from pybernetes.scheduler import shape as shapes
from pybernetes.scheduler.plugins import plugin

REASON = "node(s) had untolerated taint(s)"


class _State(NamedTuple):
    hard: tables.Bools
    soft: tables.Ints


class TaintToleration(plugin.Plugin):
    name = "TaintToleration"
    weight = 3
    sees = plugin.Sees.NODE
    scale = plugin.Scale.LEAST
    helped_by = changes.Change.NODE_ADDED | changes.Change.NODE_TAINTS

    def prepare(self, shape: shapes.Shape, nodes: tables.Nodes) -> Any | None:
        hard = 0
        soft = np.zeros(nodes.size, np.int64)
        for (key, value, effect), bits in nodes.taints.items():
            if tolerations.tolerated(shape.spec.tolerations, key, value, effect):
                continue
            if effect == tolerations.PREFER_NO_SCHEDULE:
                soft += nodes.mask(bits)
            elif effect in (tolerations.NO_SCHEDULE, tolerations.NO_EXECUTE):
                hard |= bits
        if not hard and not soft.any():
            # All nodes are alike.
            return None
        return _State(nodes.mask(hard), soft)

    def reject(self, state: _State, nodes: tables.Nodes, rows: Any) -> list[plugin.Rejection]:
        return [plugin.Rejection(REASON, state.hard[rows], True)]

    def score(self, state: _State, nodes: tables.Nodes, rows: Any) -> tables.Ints | None:
        raw: tables.Ints = state.soft[rows]
        return raw
