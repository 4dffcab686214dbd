"""Inter-pod affinity terms in a form that can be compared and counted by: equal terms of a thousand pods are one."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from pybernetes.api import selectors
from pybernetes.api.types import core_v1, meta_v1

Labels = Mapping[str, str]


class Term(NamedTuple):
    """Pods matched by labels, in namespaces given by name or by the labels of the namespace."""

    topology: str
    namespaces: frozenset[str]
    namespace_selector: selectors.LabelSelector
    selector: selectors.LabelSelector

    def matches(self, namespace: str, labels: Labels, namespace_labels: Labels) -> bool:
        if namespace not in self.namespaces and not self.namespace_selector.matches(namespace_labels):
            return False
        return self.selector.matches(labels)


class Kind(enum.Enum):
    """What a pod asks of the pods around it."""

    NEEDS = "required affinity"
    AVOIDS = "required anti-affinity"
    LIKES = "preferred affinity"
    DISLIKES = "preferred anti-affinity"


class Carried(NamedTuple):
    """A term of a pod. `weight` is 0 for required ones."""

    kind: Kind
    term: Term
    weight: int = 0


def of(pod: core_v1.Pod) -> tuple[Carried, ...]:
    """The inter-pod terms of a pod; a selector that cannot be read matches nothing."""
    affinity = pod.spec.affinity
    if affinity is None:
        return ()
    found: list[Carried] = []
    near, far = affinity.podAffinity, affinity.podAntiAffinity
    if near is not None:
        found += [Carried(Kind.NEEDS, _term(t, pod)) for t in near.requiredDuringSchedulingIgnoredDuringExecution]
        found += _weighted(Kind.LIKES, near.preferredDuringSchedulingIgnoredDuringExecution, pod)
    if far is not None:
        found += [Carried(Kind.AVOIDS, _term(t, pod)) for t in far.requiredDuringSchedulingIgnoredDuringExecution]
        found += _weighted(Kind.DISLIKES, far.preferredDuringSchedulingIgnoredDuringExecution, pod)
    return tuple(found)


def _weighted(kind: Kind, wishes: Iterable[core_v1.WeightedPodAffinityTerm], pod: core_v1.Pod) -> list[Carried]:
    return [Carried(kind, _term(wish.podAffinityTerm, pod), wish.weight) for wish in wishes if wish.weight]


def _term(term: core_v1.PodAffinityTerm, pod: core_v1.Pod) -> Term:
    # The API server has put what matchLabelKeys and mismatchLabelKeys say into the selector.
    namespaces = frozenset(term.namespaces)
    if not namespaces and term.namespaceSelector is None:
        namespaces = frozenset((pod.metadata.namespace,))
    return Term(term.topologyKey, namespaces, selector_of(term.namespaceSelector), selector_of(term.labelSelector))


def selector_of(selector: meta_v1.LabelSelector | None) -> selectors.LabelSelector:
    """As `selectors.from_object`; what cannot be read matches nothing."""
    try:
        return selectors.from_object(selector)
    except selectors.SelectorError:
        return selectors.NOTHING


def with_keys(selector: selectors.LabelSelector, labels: Labels, keys: Iterable[str]) -> selectors.LabelSelector:
    """The selector, narrowed to the pod's own values of those labels; keys it does not have are left out."""
    more = [selectors.Requirement(key, selectors.IN, (labels[key],)) for key in keys if key in labels]
    more = [requirement for requirement in more if requirement not in selector.requirements]
    if not more or selector.nothing:
        return selector
    return selectors.LabelSelector((*selector.requirements, *more))
