"""Keeps pods to nodes with room for their requests; prefers those with the most left, or as configured."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np

from pybernetes.api import fields, names
from pybernetes.api.types import resource_v1
from pybernetes.scheduler import changes
from pybernetes.scheduler import nodes as tables
from pybernetes.scheduler import shape as shapes
from pybernetes.scheduler.devices import extended
from pybernetes.scheduler.plugins import arguments, plugin

LEAST, MOST, RATIO = "LeastAllocated", "MostAllocated", "RequestedToCapacityRatio"


class Ratio(msgspec.Struct, kw_only=True):
    """A broken line from utilization to score."""

    shape: list[arguments.Point] = []


class Strategy(msgspec.Struct, kw_only=True):
    """How nodes are compared."""

    type: str = LEAST
    resources: list[arguments.ResourceSpec] = []
    requestedToCapacityRatio: Ratio | None = None


class Args(arguments.Args, kw_only=True):
    """`pluginConfig` of NodeResourcesFit."""

    ignoredResources: list[str] = []
    ignoredResourceGroups: list[str] = []
    scoringStrategy: Strategy | None = None

    def problems(self, path: fields.Path) -> list[fields.FieldError]:
        found = []
        for at, name in enumerate(self.ignoredResources):
            step = path["ignoredResources"][at]
            found += [fields.invalid(step, name, problem) for problem in names.qualified_name(name)]
        for at, group in enumerate(self.ignoredResourceGroups):
            step = path["ignoredResourceGroups"][at]
            if "/" in group:
                found.append(fields.invalid(step, group, "resource group name can't contain '/'"))
            found += [fields.invalid(step, group, problem) for problem in names.qualified_name(group)]
        if self.scoringStrategy is not None:
            found += _strategy_problems(self.scoringStrategy, path["scoringStrategy"])
        return found


def _strategy_problems(strategy: Strategy, path: fields.Path) -> list[fields.FieldError]:
    found = []
    if strategy.type not in (LEAST, MOST, RATIO):
        found.append(fields.not_supported(path["type"], strategy.type, (LEAST, MOST, RATIO)))
    for at, resource in enumerate(strategy.resources):
        # 0 is where nothing is written.
        if not 0 <= resource.weight <= 100:
            detail = f"resource weight of {resource.name} not in valid range (0, 100]"
            found.append(fields.invalid(path["resources"][at]["weight"], resource.weight, detail))
    step = path["requestedToCapacityRatio"]
    if strategy.type == RATIO:
        if strategy.requestedToCapacityRatio is None:
            found.append(fields.required(step, "must be specified when type is RequestedToCapacityRatio"))
        else:
            found += arguments.line_problems(strategy.requestedToCapacityRatio.shape, step["shape"])
    elif strategy.requestedToCapacityRatio is not None:
        found.append(fields.forbidden(step, "must be nil when type is not RequestedToCapacityRatio"))
    return found


class _Compared(NamedTuple):
    """A resource that nodes are compared by, and how much of it the pod counts as."""

    name: str
    weight: int
    asked: int


class _State(NamedTuple):
    checked: tuple[tuple[str, int], ...]
    backed: frozenset[str]
    compared: tuple[_Compared, ...]


class NodeResourcesFit(plugin.Plugin):
    name = "NodeResourcesFit"
    weight = 1
    sees = plugin.Sees.ROOM
    helped_by = changes.Change.ROOM
    Args = Args

    def __init__(self, args: Any = None) -> None:
        super().__init__(args)
        strategy = self.args.scoringStrategy or Strategy()
        self._kind = strategy.type
        self._resources = arguments.weighted(strategy.resources)
        self._line = strategy.requestedToCapacityRatio.shape if strategy.requestedToCapacityRatio is not None else []

    def _ignored(self, resource: str) -> bool:
        if not shapes.extended(resource):
            return False
        return resource in self.args.ignoredResources or resource.partition("/")[0] in self.args.ignoredResourceGroups

    def prepare(self, shape: shapes.Shape, nodes: tables.Nodes) -> _State:
        compared = []
        for resource, weight in self._resources:
            asked = {shapes.CPU: shape.counted_cpu, shapes.MEMORY: shape.counted_memory}.get(resource)
            if asked is None:
                asked = shape.requests.get(resource, 0)
                if not asked and shapes.scalar(resource):
                    continue
            compared.append(_Compared(resource, weight, asked))
        for resource in (*shape.requests, *(one.name for one in compared)):
            nodes.column(resource)
        checked = [(name, asked) for name, asked in shape.requests.items() if name != shapes.PODS]
        classes = nodes.world.of(resource_v1.DeviceClass)
        return _State(
            tuple(pair for pair in checked if not self._ignored(pair[0])),
            frozenset(name for name in shape.extended if extended.backed_by(classes, name) is not None),
            tuple(compared),
        )

    def reject(self, state: _State, nodes: tables.Nodes, rows: Any) -> list[plugin.Rejection]:
        pods = nodes.columns[shapes.PODS]
        full = nodes.requested[rows, pods] + 1 > nodes.allocatable[rows, pods]
        rejections = [plugin.Rejection("Too many pods", full, False)]
        for resource, asked in state.checked:
            at = nodes.columns[resource]
            allocatable = nodes.allocatable[rows, at]
            short = asked > allocatable - nodes.requested[rows, at]
            if resource in state.backed:
                # Where no device plugin has any of it, devices are claimed.
                short = short & (allocatable > 0)
            rejections.append(plugin.Rejection(f"Insufficient {resource}", short, asked > allocatable))
        return rejections

    def score(self, state: _State, nodes: tables.Nodes, rows: Any) -> tables.Ints | None:
        """The weighted mean, over the resources that a node has, of what each makes of its utilization."""
        total: Any = 0
        weights: Any = 0
        for resource, weight, asked in state.compared:
            at = nodes.columns[resource]
            capacity = nodes.allocatable[rows, at]
            # The first two columns are CPU and memory, where pods that ask for nothing count as something.
            used = nodes.counted[rows, at] if at < 2 else nodes.requested[rows, at]
            score = self._one(used + asked, capacity)
            counts: Any = capacity > 0
            if self._kind == RATIO:
                counts = counts & (score > 0)
            total = total + score * weight * counts
            weights = weights + weight * counts
        if self._kind == RATIO:
            rounded: tables.Ints = np.floor(total / np.maximum(weights, 1) + 0.5).astype(np.int64)
            return rounded
        mean: tables.Ints = total // np.maximum(weights, 1)
        return mean

    def _one(self, used: tables.Ints, capacity: tables.Ints) -> tables.Ints:
        some = np.maximum(capacity, 1)
        if self._kind != RATIO:
            wanted = np.maximum(capacity - used, 0) if self._kind == LEAST else np.minimum(used, capacity)
            percent: tables.Ints = wanted * plugin.MAX // some
            return percent
        share: tables.Ints = np.where((capacity == 0) | (used > capacity), 100, used * 100 // some)
        return broken_line(self._line, share)


def broken_line(shape: Sequence[arguments.Point], at: tables.Ints) -> tables.Ints:
    """The scores (0..100) at those utilizations; whole numbers throughout, rounded towards zero."""
    points = [(point.utilization, point.score * plugin.MAX // arguments.MAX_CUSTOM_SCORE) for point in shape]
    result: tables.Ints = np.full(at.shape, points[-1][1], np.int64)
    for (x0, y0), (x1, y1) in reversed(list(itertools.pairwise(points))):
        rise = (y1 - y0) * (at - x0)
        step = np.sign(rise) * (np.abs(rise) // (x1 - x0))
        result = np.where(at <= x1, y0 + step, result)
    return np.where(at <= points[0][0], points[0][1], result)
