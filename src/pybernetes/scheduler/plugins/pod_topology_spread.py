"""Spreads equal pods over the domains of a topology: strictly where they ask for that, else as a preference.

Pods that ask for nothing but belong to a service or a workload are spread over hosts and zones, as far as that goes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from pybernetes.api import fields, names, selectors, tolerations
from pybernetes.api.types import core_v1
from pybernetes.scheduler import changes, counting, terms
from pybernetes.scheduler import nodes as tables
from pybernetes.scheduler import shape as shapes
from pybernetes.scheduler.plugins import arguments, node_affinity, plugin

REASON = "node(s) didn't match pod topology spread constraints"
NO_LABEL = f"{REASON} (missing required label)"
HOSTNAME, ZONE = "kubernetes.io/hostname", "topology.kubernetes.io/zone"
SYSTEM, LIST = "System", "List"
HARD, SOFT = "DoNotSchedule", "ScheduleAnyway"
SYSTEM_DEFAULTS = (
    core_v1.TopologySpreadConstraint(topologyKey=HOSTNAME, whenUnsatisfiable=SOFT, maxSkew=3),
    core_v1.TopologySpreadConstraint(topologyKey=ZONE, whenUnsatisfiable=SOFT, maxSkew=5),
)
# More pods than a domain can have.
_COUNTLESS = 2**31 - 1


class Args(arguments.Args, kw_only=True):
    """`pluginConfig` of PodTopologySpread."""

    defaultConstraints: list[core_v1.TopologySpreadConstraint] = []
    defaultingType: str = SYSTEM

    def problems(self, path: fields.Path) -> list[fields.FieldError]:
        found = []
        step = path["defaultingType"]
        if self.defaultingType not in (SYSTEM, LIST):
            found.append(fields.not_supported(step, self.defaultingType, (SYSTEM, LIST), in_order=True))
        elif self.defaultingType == SYSTEM and self.defaultConstraints:
            found.append(fields.invalid(step, self.defaultingType, "when .defaultConstraints are not empty"))
        seen = set()
        for at, one in enumerate(self.defaultConstraints):
            step = path["defaultConstraints"][at]
            if one.maxSkew <= 0:
                found.append(fields.invalid(step["maxSkew"], one.maxSkew, "not in valid range (0, inf)"))
            found += _name_problems(one, step)
            if one.labelSelector is not None:
                detail = "constraint must not define a selector, as they deduced for each pod"
                found.append(fields.forbidden(step["labelSelector"], detail))
            pair = one.topologyKey, one.whenUnsatisfiable
            if pair in seen:
                found.append(fields.duplicate(step, f"{{{pair[0]}, {pair[1]}}}"))
            seen.add(pair)
        return found


def _name_problems(one: core_v1.TopologySpreadConstraint, path: fields.Path) -> list[fields.FieldError]:
    key, action = one.topologyKey, one.whenUnsatisfiable
    found = [fields.invalid(path["topologyKey"], key, problem) for problem in names.qualified_name(key) if key]
    if not key:
        found.append(fields.required(path["topologyKey"], "can not be empty"))
    if not action:
        found.append(fields.required(path["whenUnsatisfiable"], "can not be empty"))
    elif action not in (HARD, SOFT):
        found.append(fields.not_supported(path["whenUnsatisfiable"], action, (HARD, SOFT)))
    return found


class _Constraint(NamedTuple):
    """One constraint over these nodes: `missing` marks rows without the label."""

    max_skew: int
    min_domains: int
    hostname: bool
    topology: tables.Topology
    missing: tables.Bools
    counter: counting.Counter
    tally: counting.Tally
    self_match: int


class _State(NamedTuple):
    hard: tuple[_Constraint, ...]
    soft: tuple[_Constraint, ...]
    # Rows left out of the comparison, as they lack one of the labels.
    ignored: tables.Bools


class PodTopologySpread(plugin.Plugin):
    name = "PodTopologySpread"
    weight = 2
    wide = True
    helped_by = (
        changes.Change.NODE_ADDED
        | changes.Change.NODE_GONE
        | changes.Change.NODE_LABELS
        | changes.Change.NODE_TAINTS
        | changes.Change.POD_PLACED
        | changes.Change.POD_RELABELLED
        | changes.Change.POD_GONE
    )
    Args = Args

    def prepare(self, shape: shapes.Shape, nodes: tables.Nodes) -> _State | None:
        asked = shape.spec.topologySpreadConstraints
        system = not asked and self.args.defaultingType == SYSTEM
        selector = None
        if not asked:
            asked = list(SYSTEM_DEFAULTS) if system else self.args.defaultConstraints
            selector = nodes.world.siblings(shape) if asked else None
            if selector is None or selector.empty:
                return None
        hard = [one for one in asked if one.whenUnsatisfiable == HARD]
        soft = [one for one in asked if one.whenUnsatisfiable == SOFT]
        ignored = np.zeros(nodes.size, np.bool_)
        if not system:
            for one in soft:
                ignored |= nodes.topology(one.topologyKey).ids < 0
        return _State(
            _constraints(hard, shape, nodes, selector, all_labels=True),
            _constraints(soft, shape, nodes, selector, all_labels=not system),
            ignored,
        )

    def reject(self, state: _State, nodes: tables.Nodes, rows: Any) -> list[plugin.Rejection]:
        rejections: list[plugin.Rejection] = []
        out: Any = False
        for one in state.hard:
            sums = one.tally.sums
            lowest = 0
            if int(np.count_nonzero(one.tally.exists)) >= one.min_domains:
                lowest = int(np.min(sums, where=one.tally.exists, initial=_COUNTLESS))
            missing = one.missing[rows]
            # Rows without the label have the last place, which no domain has.
            crowded = (sums + (one.self_match - lowest) > one.max_skew)[one.topology.ids[rows]] & ~missing
            if rejections:
                # A node speaks for the first constraint that it does not meet.
                missing, crowded = missing & ~out, crowded & ~out
            rejections.append(plugin.Rejection(NO_LABEL, missing, True))
            rejections.append(plugin.Rejection(REASON, crowded, False))
            out = out | missing | crowded
        return rejections

    def rank(self, state: _State, nodes: tables.Nodes, feasible: tables.Bools) -> tables.Ints | None:
        """The fewer pods of the kind there are around, the better; every topology weighs the same."""
        if not state.soft:
            return None
        racing = feasible & ~state.ignored
        number = int(np.count_nonzero(racing))
        every = number == nodes.size
        total: Any = 0.0
        for one in state.soft:
            lacking = bool(one.missing.any())
            if one.hostname:
                weighed = one.counter.rows[: nodes.size] * np.log(number + 2.0) + (one.max_skew - 1)
                total = total + (np.where(one.missing, 0.0, weighed) if lacking else weighed)
                continue
            if every:
                size = one.topology.domains + lacking
            else:
                ids = one.topology.ids[racing]
                present = np.bincount(ids[ids >= 0], minlength=one.topology.domains) > 0
                size = int(np.count_nonzero(present)) + bool((ids < 0).any())
            weighed = one.tally.sums * np.log(size + 2.0) + (one.max_skew - 1)
            # Rows without the label have the last place.
            weighed[-1] = 0.0
            total = total + weighed[one.topology.ids]
        raw = np.floor(total + 0.5).astype(np.int64)
        rows: Any = True if every else racing
        highest = int(np.max(raw, where=rows, initial=0))
        if not highest:
            return np.where(racing, plugin.MAX, 0)
        lowest = int(np.min(raw, where=rows, initial=highest))
        ranks = plugin.MAX * (highest + lowest - raw) // highest
        return ranks if every else np.where(racing, ranks, 0)

    def helps(self, pod: core_v1.Pod, event: changes.Event) -> bool:
        """Of pods, those that are counted."""
        pods = [one for one in (event.old, event.new) if isinstance(one, core_v1.Pod)]
        if not pods:
            return True
        meta = pod.metadata
        near = [one.metadata.labels for one in pods if one.metadata.namespace == meta.namespace]
        asked = pod.spec.topologySpreadConstraints
        selecting = [terms.selector_of(one.labelSelector) for one in asked if one.whenUnsatisfiable == HARD]
        # Default constraints have no selector of their own.
        return bool(near) and (not selecting or any(one.matches(labels) for one in selecting for labels in near))


def _constraints(
    asked: Iterable[core_v1.TopologySpreadConstraint],
    shape: shapes.Shape,
    nodes: tables.Nodes,
    common: selectors.LabelSelector | None,
    *,
    all_labels: bool,
) -> tuple[_Constraint, ...]:
    """`common` selects the pods that count where the constraints do not say.

    `all_labels`: only nodes that have all the labels count.
    """
    asked = list(asked)
    topologies = [nodes.topology(one.topologyKey) for one in asked]
    labelled = np.ones(nodes.size, np.bool_)
    if all_labels:
        for topology in topologies:
            labelled &= topology.ids >= 0
    found = []
    for one, topology in zip(asked, topologies, strict=True):
        selector = common
        if selector is None:
            selector = terms.selector_of(one.labelSelector)
            selector = terms.with_keys(selector, shape.labels, one.matchLabelKeys)
        counted = selectors.NOTHING if selector.empty else selector
        scope = counting.Scope(frozenset((shape.namespace,)), counted)
        counter = nodes.counts.counter(counting.Query((scope,), living=True))
        included = labelled & _included(one, shape, nodes)
        ids = np.where(included, topology.ids, -1)
        found.append(
            _Constraint(
                max_skew=one.maxSkew,
                min_domains=one.minDomains or 1,
                hostname=one.topologyKey == HOSTNAME,
                topology=topology,
                missing=topology.ids < 0,
                counter=counter,
                tally=counter.tally((one.topologyKey, included.tobytes()), ids, topology.domains),
                self_match=int(selector.matches(shape.labels)),
            )
        )
    return tuple(found)


def _included(one: core_v1.TopologySpreadConstraint, shape: shapes.Shape, nodes: tables.Nodes) -> tables.Bools:
    """The nodes whose pods count: by default those that the pod's affinity allows, whatever their taints."""
    bits = nodes.alive
    if one.nodeAffinityPolicy != "Ignore":
        required = node_affinity.required(shape.spec, nodes)
        bits = bits if required is None else bits & required
    if one.nodeTaintsPolicy == "Honor":
        for (key, value, effect), tainted in nodes.taints.items():
            if effect != tolerations.PREFER_NO_SCHEDULE and not tolerations.tolerated(
                shape.spec.tolerations, key, value, effect
            ):
                bits &= ~tainted
    return nodes.mask(bits)
