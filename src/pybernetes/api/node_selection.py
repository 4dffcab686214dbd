"""Whether a pod may be on a node by what it says of nodes; asked by controllers and by the kubelet.

The scheduler, which looks at all nodes at once, has its own way (`scheduler/plugins/node_affinity.py`).
"""

from __future__ import annotations

from collections.abc import Mapping

from pybernetes.api.types import core_v1

NODE_NAME = "metadata.name"


def matches(spec: core_v1.PodSpec, node: core_v1.Node) -> bool:
    """Its nodeSelector, and what its node affinity requires."""
    if not spec.nodeSelector.items() <= node.metadata.labels.items():
        return False
    affinity = spec.affinity.nodeAffinity if spec.affinity is not None else None
    required = affinity.requiredDuringSchedulingIgnoredDuringExecution if affinity is not None else None
    return required is None or any(_term(term, node) for term in required.nodeSelectorTerms)


def _term(term: core_v1.NodeSelectorTerm, node: core_v1.Node) -> bool:
    if not term.matchExpressions and not term.matchFields:
        return False
    named = {NODE_NAME: node.metadata.name}
    return all(_holds(one, node.metadata.labels) for one in term.matchExpressions) and all(
        _holds(one, named) for one in term.matchFields
    )


def _holds(requirement: core_v1.NodeSelectorRequirement, labels: Mapping[str, str]) -> bool:
    value = labels.get(requirement.key)
    operator = requirement.operator
    if operator == "In":
        return value in requirement.values
    if operator == "NotIn":
        return value not in requirement.values
    if operator == "Exists":
        return value is not None
    if operator == "DoesNotExist":
        return value is None
    try:
        number, bound = int(value or ""), int(requirement.values[0])
    except (ValueError, IndexError):
        return False
    return number > bound if operator == "Gt" else number < bound
