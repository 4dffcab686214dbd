"""Keeps a pod to nodes that its nodeSelector and required affinity match; prefers those it prefers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from pybernetes.api.types import core_v1
from pybernetes.scheduler import changes
from pybernetes.scheduler import nodes as tables
from pybernetes.scheduler import shape as shapes
from pybernetes.scheduler.plugins import arguments, plugin

REASON = "node(s) didn't match Pod's node affinity/selector"


CONFLICT = "pod affinity terms conflict"
ENFORCED = "node(s) didn't match scheduler-enforced node affinity"


class Args(arguments.Args, kw_only=True):
    """`pluginConfig` of NodeAffinity: affinity that all pods of the profile have besides their own."""

    addedAffinity: core_v1.NodeAffinity | None = None


class _State(NamedTuple):
    enforced: tables.Bools | None
    elsewhere: tables.Bools | None
    out: tables.Bools | None
    preferred: tables.Ints | None


class NodeAffinity(plugin.Plugin):
    name = "NodeAffinity"
    weight = 2
    sees = plugin.Sees.NODE
    scale = plugin.Scale.MOST
    helped_by = changes.Change.NODE_ADDED | changes.Change.NODE_LABELS

    Args = Args

    def prepare(self, shape: shapes.Shape, nodes: tables.Nodes) -> Any | None:
        own = shape.spec.affinity.nodeAffinity if shape.spec.affinity is not None else None
        matching = required(shape.spec, nodes)
        out = None if matching is None else ~nodes.mask(matching)
        wishes = list(own.preferredDuringSchedulingIgnoredDuringExecution) if own is not None else []
        enforced = None
        added = self.args.addedAffinity
        if added is not None:
            wishes += added.preferredDuringSchedulingIgnoredDuringExecution
            selector = added.requiredDuringSchedulingIgnoredDuringExecution
            if selector is not None:
                enforced = ~nodes.mask(_union(term_bits(term, nodes) for term in selector.nodeSelectorTerms))
        preferred = None
        if wishes:
            preferred = np.zeros(nodes.size, np.int64)
            for choice in wishes:
                preferred += choice.weight * nodes.mask(term_bits(choice.preference, nodes)).astype(np.int64)
        if out is None and preferred is None and enforced is None:
            return None
        named = _named(own)
        elsewhere = None
        if named is not None:
            elsewhere = ~nodes.mask(_union(1 << nodes.rows[name] for name in named if name in nodes.rows))
        return _State(enforced, elsewhere, out, preferred)

    def reject(self, state: _State, nodes: tables.Nodes, rows: Any) -> list[plugin.Rejection]:
        rejections: list[plugin.Rejection] = []
        said: Any = False
        for reason, mask in ((ENFORCED, state.enforced), (REASON, state.out)):
            if mask is not None:
                here = mask[rows] & ~np.asarray(said)
                rejections.append(plugin.Rejection(reason, here, True))
                said = said | here
        return rejections

    def elsewhere(self, state: _State, nodes: tables.Nodes) -> tables.Bools | None:
        return state.elsewhere

    def score(self, state: _State, nodes: tables.Nodes, rows: Any) -> tables.Ints | None:
        return None if state.preferred is None else state.preferred[rows]


def _named(own: core_v1.NodeAffinity | None) -> set[str] | None:
    """The nodes that a pod may go to because it names them in every term; None: not all terms name any."""
    selector = own.requiredDuringSchedulingIgnoredDuringExecution if own is not None else None
    if selector is None:
        return None
    named: set[str] = set()
    for term in selector.nodeSelectorTerms:
        lists = [set(one.values) for one in term.matchFields if one.key == "metadata.name" and one.operator == "In"]
        if not lists:
            return None
        named |= set.intersection(*lists)
    if selector.nodeSelectorTerms and not named:
        raise plugin.Rejected(CONFLICT)
    return named or None


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
