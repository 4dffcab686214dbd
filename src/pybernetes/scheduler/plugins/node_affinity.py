"""Keeps a pod to nodes that its nodeSelector and required affinity match; prefers those it prefers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from pybernetes.api.types import core_v1
from pybernetes.scheduler import changes
from pybernetes.scheduler import nodes as tables
from pybernetes.scheduler import shape as shapes
from pybernetes.scheduler.plugins import plugin

REASON = "node(s) didn't match Pod's node affinity/selector"


class _State(NamedTuple):
    out: tables.Bools | None
    preferred: tables.Ints | None


class NodeAffinity(plugin.Plugin):
    name = "NodeAffinity"
    weight = 2
    scale = plugin.Scale.MOST
    helped_by = changes.Change.NODE_ADDED | changes.Change.NODE_LABELS

    def prepare(self, shape: shapes.Shape, nodes: tables.Nodes) -> Any | None:
        affinity = shape.spec.affinity.nodeAffinity if shape.spec.affinity is not None else None
        matching = required(shape.spec, nodes)
        out = None if matching is None else ~nodes.mask(matching)
        preferred = None
        if affinity is not None and affinity.preferredDuringSchedulingIgnoredDuringExecution:
            preferred = np.zeros(nodes.size, np.int64)
            for choice in affinity.preferredDuringSchedulingIgnoredDuringExecution:
                preferred += choice.weight * nodes.mask(term_bits(choice.preference, nodes)).astype(np.int64)
        return None if out is None and preferred is None else _State(out, preferred)

    def reject(self, state: _State, nodes: tables.Nodes, rows: Any) -> list[plugin.Rejection]:
        return [] if state.out is None else [plugin.Rejection(REASON, state.out[rows], True)]

    def score(self, state: _State, nodes: tables.Nodes, rows: Any) -> tables.Ints | None:
        return None if state.preferred is None else state.preferred[rows]


def required(spec: core_v1.PodSpec, nodes: tables.Nodes) -> int | None:
    """The nodes that a pod may go to by selector and required affinity, as a bitset; None: it does not mind."""
    affinity = spec.affinity.nodeAffinity if spec.affinity is not None else None
    selector = affinity.requiredDuringSchedulingIgnoredDuringExecution if affinity is not None else None
    if not spec.nodeSelector and selector is None:
        return None
    bits = nodes.alive
    for key, value in spec.nodeSelector.items():
        bits &= nodes.labels.get(key, {}).get(value, 0)
    if selector is not None:
        matched = 0
        for term in selector.nodeSelectorTerms:
            matched |= term_bits(term, nodes)
        bits &= matched
    return bits


def term_bits(term: core_v1.NodeSelectorTerm, nodes: tables.Nodes) -> int:
    """The nodes a term matches; an empty one matches none."""
    if not term.matchExpressions and not term.matchFields:
        return 0
    bits = nodes.alive
    for requirement in term.matchExpressions:
        bits &= _expression_bits(requirement, nodes)
    for requirement in term.matchFields:
        bits &= _field_bits(requirement, nodes)
    return bits


def _expression_bits(requirement: core_v1.NodeSelectorRequirement, nodes: tables.Nodes) -> int:
    values = nodes.labels.get(requirement.key, {})
    operator = requirement.operator
    if operator == "In":
        return _union(values.get(value, 0) for value in requirement.values)
    if operator == "NotIn":
        return nodes.alive & ~_union(values.get(value, 0) for value in requirement.values)
    present = _union(values.values())
    if operator == "Exists":
        return present
    if operator == "DoesNotExist":
        return nodes.alive & ~present
    bound = _number(requirement.values[0]) if len(requirement.values) == 1 else None
    if bound is None:
        return 0
    above = operator == "Gt"
    numbers = ((_number(value), bits) for value, bits in values.items())
    return _union(b for n, b in numbers if n is not None and (n > bound if above else n < bound))


def _field_bits(requirement: core_v1.NodeSelectorRequirement, nodes: tables.Nodes) -> int:
    """The only field that may be asked for is metadata.name."""
    if requirement.key != "metadata.name":
        return 0
    named = _union(1 << nodes.rows[value] for value in requirement.values if value in nodes.rows)
    return named if requirement.operator == "In" else nodes.alive & ~named


def _union(many: Iterable[int]) -> int:
    bits = 0
    for one in many:
        bits |= one
    return bits


def _number(text: str) -> int | None:
    try:
        return int(text)
    except ValueError:
        return None
