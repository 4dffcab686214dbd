"""Prefers nodes whose resources the pod brings closer to being used in equal shares."""

from __future__ import annotations

from typing import Any

import numpy as np

from pybernetes.api import fields
from pybernetes.scheduler import nodes as tables
from pybernetes.scheduler import shape as shapes
from pybernetes.scheduler.plugins import arguments, plugin


class Args(arguments.Args, kw_only=True):
    """`pluginConfig` of NodeResourcesBalancedAllocation."""

    resources: list[arguments.ResourceSpec] = []

    def problems(self, path: fields.Path) -> list[fields.FieldError]:
        found = []
        seen = set()
        for at, resource in enumerate(self.resources):
            step = path["resources"][at]
            if resource.name in seen:
                found.append(fields.duplicate(step["name"], resource.name))
            seen.add(resource.name)
            if resource.weight not in (0, 1):
                found.append(fields.invalid(step["weight"], resource.weight, "must be 1"))
        return found


_State = tuple[tuple[str, int], ...]


class NodeResourcesBalancedAllocation(plugin.Plugin):
    name = "NodeResourcesBalancedAllocation"
    weight = 1
    sees = plugin.Sees.ROOM
    Args = Args

    def prepare(self, shape: shapes.Shape, nodes: tables.Nodes) -> _State | None:
        resources = arguments.weighted(self.args.resources)
        asked = [(resource, shape.requests.get(resource, 0)) for resource, _ in resources]
        if not any(amount for _, amount in asked):
            # Pods that ask for nothing would all go where the balance is best.
            return None
        for resource, _ in asked:
            nodes.column(resource)
        return tuple((resource, amount) for resource, amount in asked if amount or not shapes.scalar(resource))

    def score(self, state: _State, nodes: tables.Nodes, rows: Any) -> tables.Ints | None:
        """75 where the balance stays as it is, up to 100 where it gets better, down to 50 where worse."""
        before: list[Any] = []
        after: list[Any] = []
        for resource, asked in state:
            at = nodes.columns[resource]
            capacity = nodes.allocatable[rows, at]
            used = nodes.requested[rows, at]
            some = np.maximum(capacity, 1)
            lacking = capacity == 0
            for shares, amount in ((before, used), (after, used + asked)):
                shares.append(np.where(lacking, -1.0, np.minimum(amount / some, 1.0)))
        half = plugin.MAX // 2
        result: tables.Ints = half + (half + _balance(after) - _balance(before)) // 2
        return result


def _balance(shares: list[Any]) -> Any:
    """0..100: how close the shares are to each other; -1 stands for a resource that a node does not have."""
    if len(shares) < 2:
        return plugin.MAX
    if len(shares) == 2:
        deviation = np.abs(shares[0] - shares[1]) / 2
        deviation = np.where((shares[0] < 0) | (shares[1] < 0), 0.0, deviation)
    else:
        every = np.array(shares)
        present = every >= 0
        number = np.maximum(present.sum(axis=0), 1)
        mean = np.where(present, every, 0.0).sum(axis=0) / number
        deviation = np.sqrt((np.where(present, every - mean, 0.0) ** 2).sum(axis=0) / number)
    return ((1.0 - deviation) * plugin.MAX).astype(np.int64)
