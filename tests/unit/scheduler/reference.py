"""Topology spread and inter-pod affinity, node by node and pod by pod: slow, plain, and independent of the tables."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pybernetes.api import selectors
from pybernetes.api.types import core_v1, meta_v1


class Existing(NamedTuple):
    pod: core_v1.Pod
    node: str


Nodes = Mapping[str, core_v1.Node]


def matches(selector: meta_v1.LabelSelector | None, labels: Mapping[str, str]) -> bool:
    return selectors.from_object(selector).matches(labels)


def _labels(nodes: Nodes, name: str) -> Mapping[str, str]:
    return nodes[name].metadata.labels


# Topology spread


def spread_counts(
    constraints: Sequence[core_v1.TopologySpreadConstraint],
    one: core_v1.TopologySpreadConstraint,
    pod: core_v1.Pod,
    nodes: Nodes,
    existing: Sequence[Existing],
) -> dict[str, int]:
    counts: dict[str, int] = {}
    for name in nodes:
        labels = _labels(nodes, name)
        if any(c.topologyKey not in labels for c in constraints):
            continue
        if one.nodeAffinityPolicy != "Ignore" and any(
            labels.get(key) != value for key, value in pod.spec.nodeSelector.items()
        ):
            continue
        if one.nodeTaintsPolicy == "Honor" and nodes[name].spec.taints:
            continue
        domain = labels[one.topologyKey]
        counts.setdefault(domain, 0)
        for other in existing:
            if (
                other.node == name
                and other.pod.metadata.namespace == pod.metadata.namespace
                and other.pod.metadata.deletionTimestamp is None
                and matches(one.labelSelector, other.pod.metadata.labels)
            ):
                counts[domain] += 1
    return counts


def spread_fits(pod: core_v1.Pod, nodes: Nodes, existing: Sequence[Existing]) -> set[str]:
    hard = [c for c in pod.spec.topologySpreadConstraints if c.whenUnsatisfiable == "DoNotSchedule"]
    fits = set()
    for name in nodes:
        for one in hard:
            labels = _labels(nodes, name)
            if one.topologyKey not in labels:
                break
            counts = spread_counts(hard, one, pod, nodes, existing)
            lowest = min(counts.values(), default=math.inf) if len(counts) >= (one.minDomains or 1) else 0
            itself = int(matches(one.labelSelector, pod.metadata.labels))
            if counts.get(labels[one.topologyKey], 0) + itself - lowest > one.maxSkew:
                break
        else:
            fits.add(name)
    return fits


def spread_scores(pod: core_v1.Pod, nodes: Nodes, existing: Sequence[Existing], feasible: set[str]) -> dict[str, int]:
    soft = [c for c in pod.spec.topologySpreadConstraints if c.whenUnsatisfiable == "ScheduleAnyway"]
    racing = {name for name in feasible if all(c.topologyKey in _labels(nodes, name) for c in soft)}
    raw = {}
    for name in racing:
        score = 0.0
        for one in soft:
            counts = spread_counts(soft, one, pod, nodes, existing)
            domain = _labels(nodes, name)[one.topologyKey]
            if one.topologyKey == "kubernetes.io/hostname":
                number = sum(
                    other.node == name
                    and other.pod.metadata.namespace == pod.metadata.namespace
                    and other.pod.metadata.deletionTimestamp is None
                    and matches(one.labelSelector, other.pod.metadata.labels)
                    for other in existing
                )
                size = len(racing)
            else:
                number = counts.get(domain, 0)
                size = len({_labels(nodes, other)[one.topologyKey] for other in racing})
            score += number * math.log(size + 2) + (one.maxSkew - 1)
        raw[name] = math.floor(score + 0.5)
    lowest, highest = min(raw.values(), default=0), max(raw.values(), default=0)
    return {
        name: 0 if name not in raw else 100 if not highest else 100 * (highest + lowest - raw[name]) // highest
        for name in feasible
    }


# Inter-pod affinity


def term_matches(
    term: core_v1.PodAffinityTerm, owner: core_v1.Pod, pod: core_v1.Pod, namespaces: Mapping[str, Mapping[str, str]]
) -> bool:
    allowed = set(term.namespaces)
    if not allowed and term.namespaceSelector is None:
        allowed = {owner.metadata.namespace}
    inside = pod.metadata.namespace in allowed or matches(
        term.namespaceSelector, namespaces.get(pod.metadata.namespace, {})
    )
    return inside and matches(term.labelSelector, pod.metadata.labels)


def _required(pod: core_v1.Pod, *, anti: bool) -> list[core_v1.PodAffinityTerm]:
    affinity = pod.spec.affinity
    half = None if affinity is None else affinity.podAntiAffinity if anti else affinity.podAffinity
    return [] if half is None else half.requiredDuringSchedulingIgnoredDuringExecution


def _preferred(pod: core_v1.Pod, *, anti: bool) -> list[core_v1.WeightedPodAffinityTerm]:
    affinity = pod.spec.affinity
    half = None if affinity is None else affinity.podAntiAffinity if anti else affinity.podAffinity
    return [] if half is None else half.preferredDuringSchedulingIgnoredDuringExecution


def _same_domain(nodes: Nodes, key: str, one: str, other: str) -> bool:
    a, b = _labels(nodes, one).get(key), _labels(nodes, other).get(key)
    return a is not None and a == b


def affinity_fits(
    pod: core_v1.Pod,
    nodes: Nodes,
    existing: Sequence[Existing],
    namespaces: Mapping[str, Mapping[str, str]],
) -> dict[str, str]:
    """What keeps the pod off each node; nodes that fit are absent."""
    needed, avoided = _required(pod, anti=False), _required(pod, anti=True)
    friends = [e for e in existing if needed and all(term_matches(t, pod, e.pod, namespaces) for t in needed)]
    nobody = not any(t.topologyKey in _labels(nodes, f.node) for f in friends for t in needed)
    first = nobody and all(term_matches(t, pod, pod, namespaces) for t in needed)
    problems = {}
    for name in nodes:
        labelled = all(t.topologyKey in _labels(nodes, name) for t in needed)
        near = all(any(_same_domain(nodes, t.topologyKey, name, f.node) for f in friends) for t in needed)
        if not labelled or not (near or first):
            problems[name] = "node(s) didn't match pod affinity rules"
        elif any(
            _same_domain(nodes, t.topologyKey, name, e.node) and term_matches(t, pod, e.pod, namespaces)
            for e in existing
            for t in avoided
        ):
            problems[name] = "node(s) didn't match pod anti-affinity rules"
        elif any(
            _same_domain(nodes, t.topologyKey, name, e.node) and term_matches(t, e.pod, pod, namespaces)
            for e in existing
            for t in _required(e.pod, anti=True)
        ):
            problems[name] = "node(s) didn't satisfy existing pods anti-affinity rules"
    return problems


def affinity_scores(
    pod: core_v1.Pod,
    nodes: Nodes,
    existing: Sequence[Existing],
    namespaces: Mapping[str, Mapping[str, str]],
    feasible: set[str],
) -> dict[str, int]:
    raw = dict.fromkeys(feasible, 0)
    for name in feasible:
        for other in existing:
            for sign, anti in ((1, False), (-1, True)):
                for wish in _preferred(pod, anti=anti):
                    term = wish.podAffinityTerm
                    if _same_domain(nodes, term.topologyKey, name, other.node) and term_matches(
                        term, pod, other.pod, namespaces
                    ):
                        raw[name] += sign * wish.weight
                for wish in _preferred(other.pod, anti=anti):
                    term = wish.podAffinityTerm
                    if _same_domain(nodes, term.topologyKey, name, other.node) and term_matches(
                        term, other.pod, pod, namespaces
                    ):
                        raw[name] += sign * wish.weight
            for term in _required(other.pod, anti=False):
                if _same_domain(nodes, term.topologyKey, name, other.node) and term_matches(
                    term, other.pod, pod, namespaces
                ):
                    raw[name] += 1
    lowest, highest = min(raw.values(), default=0), max(raw.values(), default=0)
    if highest == lowest:
        return dict.fromkeys(feasible, 0)
    return {name: int(100 * ((value - lowest) / (highest - lowest))) for name, value in raw.items()}
