"""Keeps pods near to or away from others, as they or the others ask; prefers nodes by what both like."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
import numpy as np

from pybernetes.api import fields, selectors
from pybernetes.api.types import core_v1
from pybernetes.scheduler import changes, counting, terms
from pybernetes.scheduler import nodes as tables
from pybernetes.scheduler import shape as shapes
from pybernetes.scheduler.plugins import arguments, plugin
from pybernetes.scheduler.terms import Kind

NOT_NEAR = "node(s) didn't match pod affinity rules"
NOT_AWAY = "node(s) didn't match pod anti-affinity rules"
OTHERS_AWAY = "node(s) didn't satisfy existing pods anti-affinity rules"

_SIGNS = {Kind.LIKES: 1, Kind.DISLIKES: -1}


class Args(arguments.Args, kw_only=True):
    """`pluginConfig` of InterPodAffinity."""

    hardPodAffinityWeight: int = 1
    ignorePreferredTermsOfExistingPods: bool = False

    def problems(self, path: fields.Path) -> list[fields.FieldError]:
        weight = self.hardPodAffinityWeight
        if 0 <= weight <= 100:
            return []
        return [fields.invalid(path["hardPodAffinityWeight"], weight, "not in valid range [0, 100]")]


class _Near(msgspec.Struct):
    """Pods that match all required terms, by the topologies of the terms."""

    topologies: list[tables.Topology]
    tallies: list[counting.Tally]
    # The pod meets its own terms: the first of its kind may go anywhere.
    self_match: bool


class _Sums(msgspec.Struct):
    """Pods by domain, each weighing so much."""

    topology: tables.Topology
    tally: counting.Tally
    weight: int


class _State(msgspec.Struct):
    namespace: str
    labels: terms.Labels
    namespace_labels: terms.Labels
    near: _Near | None
    away: list[_Sums]
    wishes: list[_Sums]
    # What placed pods ask about such a pod, as of that version of the counts.
    seen: int
    others_away: list[_Sums]
    others_wishes: list[_Sums]


class InterPodAffinity(plugin.Plugin):
    name = "InterPodAffinity"
    weight = 2
    wide = True
    helped_by = (
        changes.Change.NODE_ADDED
        | changes.Change.NODE_LABELS
        | changes.Change.POD_PLACED
        | changes.Change.POD_RELABELLED
        | changes.Change.POD_GONE
    )
    Args = Args

    def prepare(self, shape: shapes.Shape, nodes: tables.Nodes) -> _State:
        own = [one._replace(term=_resolved(one.term, nodes)) for one in shape.terms]
        needed = [one.term for one in own if one.kind is Kind.NEEDS]
        near = None
        if needed:
            topologies = [nodes.topology(term.topology) for term in needed]
            counter = nodes.counts.counter(counting.Query(tuple(_scope(term) for term in needed)))
            near = _Near(
                topologies,
                [_tally(counter, term.topology, nodes) for term in needed],
                all(term.matches(shape.namespace, shape.labels, {}) for term in needed),
            )
        return _State(
            namespace=shape.namespace,
            labels=shape.labels,
            namespace_labels=nodes.world.namespace_labels(shape.namespace),
            near=near,
            away=[_asked(one, nodes, 1) for one in own if one.kind is Kind.AVOIDS],
            wishes=[_asked(one, nodes, _SIGNS[one.kind] * one.weight) for one in own if one.kind in _SIGNS],
            seen=-1,
            others_away=[],
            others_wishes=[],
        )

    def _look_around(self, state: _State, nodes: tables.Nodes) -> None:
        if state.seen == nodes.counts.carried_version:
            return
        state.seen = nodes.counts.carried_version
        state.others_away, state.others_wishes = [], []
        ignoring = self.args.ignorePreferredTermsOfExistingPods and not state.wishes
        for one, counter in nodes.counts.carried_towards(state.namespace, state.labels, state.namespace_labels):
            weight = one.weight * _SIGNS.get(one.kind, 0)
            if one.kind is Kind.NEEDS:
                weight = self.args.hardPodAffinityWeight
            found = _Sums(nodes.topology(one.term.topology), _tally(counter, one.term.topology, nodes), weight)
            if one.kind is Kind.AVOIDS:
                state.others_away.append(found)
            elif weight and not ignoring:
                state.others_wishes.append(found)

    def reject(self, state: _State, nodes: tables.Nodes, rows: Any) -> list[plugin.Rejection]:
        self._look_around(state, nodes)
        rejections = []
        out: Any = False
        if state.near is not None:
            out = self._not_near(state.near, rows)
            rejections.append(plugin.Rejection(NOT_NEAR, out, True))
        for reason, away in ((NOT_AWAY, state.away), (OTHERS_AWAY, state.others_away)):
            if away:
                taken = _any_in_domain(away, rows) & ~np.asarray(out)
                rejections.append(plugin.Rejection(reason, taken, False))
                out = out | taken
        return rejections

    def _not_near(self, near: _Near, rows: Any) -> tables.Bools:
        found: Any = True
        labelled: Any = True
        for topology, tally in zip(near.topologies, near.tallies, strict=True):
            ids = topology.ids[rows]
            labelled = labelled & (ids >= 0)
            found = found & (tally.sums > 0)[ids]
        if near.self_match and not any(bool((tally.sums > 0).any()) for tally in near.tallies):
            found = True
        result: tables.Bools = ~(labelled & found)
        return result

    def rank(self, state: _State, nodes: tables.Nodes, feasible: tables.Bools) -> tables.Ints | None:
        self._look_around(state, nodes)
        if not state.wishes and not state.others_wishes:
            return None
        total = np.zeros(nodes.size, np.int64)
        for one in (*state.wishes, *state.others_wishes):
            # The last sum, that of rows without the label, is always 0.
            total += (one.tally.sums * one.weight)[one.topology.ids]
        racing = total[feasible]
        if not len(racing):
            return None
        lowest, highest = int(racing.min()), int(racing.max())
        if highest == lowest:
            return None
        return (plugin.MAX * ((total - lowest) / (highest - lowest))).astype(np.int64)

    def helps(self, pod: core_v1.Pod, event: changes.Event) -> bool:
        """A pod that came or changed must be one that is needed; one that went, one that was in the way."""
        if event.change & (changes.Change.NODE_ADDED | changes.Change.NODE_LABELS | changes.Change.POD_RELABELLED):
            return True
        own = terms.of(pod)
        if event.change & changes.Change.POD_PLACED:
            needed = [one.term for one in own if one.kind is Kind.NEEDS]
            return bool(needed) and all(_may_match(term, event.new) for term in needed)
        if any(_may_match(one.term, event.old) for one in own if one.kind is Kind.AVOIDS):
            return True
        return any(_may_match(one.term, pod) for one in terms.of(event.old) if one.kind is Kind.AVOIDS)


def _may_match(term: terms.Term, pod: core_v1.Pod) -> bool:
    """Whether a term matches a pod, if the pod's namespace has the labels asked for."""
    meta = pod.metadata
    if meta.namespace not in term.namespaces and term.namespace_selector.nothing:
        return False
    return term.selector.matches(meta.labels)


def _resolved(term: terms.Term, nodes: tables.Nodes) -> terms.Term:
    """The namespaces that the term's selector stands for now, by name; all of them stay a selector."""
    if term.namespace_selector.empty or term.namespace_selector.nothing:
        return term
    named = term.namespaces | nodes.world.namespaces(term.namespace_selector)
    return term._replace(namespaces=named, namespace_selector=selectors.NOTHING)


def _scope(term: terms.Term) -> counting.Scope:
    return counting.Scope(None if term.namespace_selector.empty else term.namespaces, term.selector)


def _tally(counter: counting.Counter, label: str, nodes: tables.Nodes) -> counting.Tally:
    topology = nodes.topology(label)
    return counter.tally(label, topology.ids, topology.domains)


def _asked(one: terms.Carried, nodes: tables.Nodes, weight: int) -> _Sums:
    counter = nodes.counts.counter(counting.Query((_scope(one.term),)))
    return _Sums(nodes.topology(one.term.topology), _tally(counter, one.term.topology, nodes), weight)


def _any_in_domain(many: Iterable[_Sums], rows: Any) -> tables.Bools:
    found: Any = False
    for one in many:
        found = found | (one.tally.sums > 0)[one.topology.ids[rows]]
    result: tables.Bools = found
    return result
