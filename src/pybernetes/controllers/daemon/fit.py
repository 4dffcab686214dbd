"""Which nodes a DaemonSet's pods belong on. Pure."""

from __future__ import annotations

from pybernetes.api import codecs, node_selection, tolerations
from pybernetes.api.types import apps_v1, core_v1

# What every daemon pod puts up with, because it belongs to the node.
_ALWAYS = (
    ("node.kubernetes.io/not-ready", tolerations.NO_EXECUTE),
    ("node.kubernetes.io/unreachable", tolerations.NO_EXECUTE),
    ("node.kubernetes.io/disk-pressure", tolerations.NO_SCHEDULE),
    ("node.kubernetes.io/memory-pressure", tolerations.NO_SCHEDULE),
    ("node.kubernetes.io/pid-pressure", tolerations.NO_SCHEDULE),
    ("node.kubernetes.io/unschedulable", tolerations.NO_SCHEDULE),
)
_HOST_NETWORK = (("node.kubernetes.io/network-unavailable", tolerations.NO_SCHEDULE),)


def daemon_tolerations(spec: core_v1.PodSpec) -> list[core_v1.Toleration]:
    """The pod's own, and those that every daemon pod has."""
    result = list(spec.tolerations)
    for key, effect in _ALWAYS + (_HOST_NETWORK if spec.hostNetwork else ()):
        added = core_v1.Toleration(key=key, operator="Exists", effect=effect)
        if added not in result:
            result.append(added)
    return result


def fits(daemon_set: apps_v1.DaemonSet, node: core_v1.Node) -> tuple[bool, bool]:
    """(should a pod be started there, may a running one go on)."""
    spec = daemon_set.spec.template.spec
    if spec.nodeName and spec.nodeName != node.metadata.name:
        return False, False
    if not node_selection.matches(spec, node):
        return False, False
    covered = daemon_tolerations(spec)
    against = [
        taint.effect
        for taint in node.spec.taints
        if taint.effect in (tolerations.NO_SCHEDULE, tolerations.NO_EXECUTE)
        and not tolerations.tolerated(covered, taint.key, taint.value, taint.effect)
    ]
    return not against, tolerations.NO_EXECUTE not in against


def pin(pod: core_v1.Pod, node: str) -> None:
    """Tie a fresh pod to its node, in place: the scheduler binds it there and nowhere else."""
    pod.spec.tolerations = daemon_tolerations(pod.spec)
    here = core_v1.NodeSelectorTerm(
        matchFields=[core_v1.NodeSelectorRequirement(key=node_selection.NODE_NAME, operator="In", values=[node])]
    )
    affinity = codecs.copy(pod.spec.affinity) if pod.spec.affinity is not None else core_v1.Affinity()
    if affinity.nodeAffinity is None:
        affinity.nodeAffinity = core_v1.NodeAffinity()
    required = affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution
    terms = required.nodeSelectorTerms if required is not None else []
    for term in terms:
        term.matchFields = here.matchFields
    affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution = core_v1.NodeSelector(
        nodeSelectorTerms=terms or [here]
    )
    pod.spec.affinity = affinity


def node_of(pod: core_v1.Pod) -> str:
    """Where a daemon pod is, or is meant to be."""
    if pod.spec.nodeName or pod.spec.affinity is None or pod.spec.affinity.nodeAffinity is None:
        return pod.spec.nodeName
    required = pod.spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution
    for term in required.nodeSelectorTerms if required is not None else []:
        for requirement in term.matchFields:
            if (
                requirement.key == node_selection.NODE_NAME
                and requirement.operator == "In"
                and len(requirement.values) == 1
            ):
                return requirement.values[0]
    return ""
