"""The volume claims of a StatefulSet's pods, and who owns them, which is what decides when they are deleted. Pure.

`persistentVolumeClaimRetentionPolicy` is carried out by the garbage collector: a claim that is to go with its set is
owned by the set, one that is to go with a pod scaled away is owned by that pod, one that is to stay by nobody.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from pybernetes.api import codecs
from pybernetes.api.types import apps_v1, core_v1, meta_v1
from pybernetes.controllers import owners
from pybernetes.controllers.statefulset import identity

Claim = core_v1.PersistentVolumeClaim
Known = Mapping[str, Claim]
RETAIN, DELETE = "Retain", "Delete"


class Work(NamedTuple):
    """What a pod's claims need: those to create, those to update; `disputed` have another controller already, and
    `going` are being deleted, so that no pod can be made that needs them.
    """

    create: list[Claim]
    update: list[Claim]
    disputed: list[str]
    going: list[str]


def work(stateful_set: apps_v1.StatefulSet, pod: core_v1.Pod, known: Known, *, create: bool) -> Work:
    """`known` are the claims of the set's namespace by name; with `create`, those that are missing are made."""
    found = Work([], [], [], [])
    for name, template in _named(stateful_set, pod):
        claim = known.get(name)
        if claim is None:
            if create:
                found.create.append(_new(stateful_set, pod, name, template))
            continue
        if claim.metadata.deletionTimestamp is not None:
            found.going.append(name)
        if _is_settled(claim, stateful_set, pod):
            continue
        if _has_other_controller(claim, stateful_set, pod):
            found.disputed.append(name)
        copy = codecs.copy(claim)
        copy.metadata.ownerReferences = _owners(claim, stateful_set, pod)
        found.update.append(copy)
    return found


def is_stale(stateful_set: apps_v1.StatefulSet, pod: core_v1.Pod, known: Known) -> bool:
    """Whether a claim is still owned by an earlier pod of the name, with which it is about to go."""
    if _policy(stateful_set)[1] == RETAIN:
        return False
    present = (known.get(name) for name, _ in _named(stateful_set, pod))
    return any(claim is not None and _is_owned_by_namesake(claim, pod) for claim in present)


def _named(stateful_set: apps_v1.StatefulSet, pod: core_v1.Pod) -> Iterator[tuple[str, Claim]]:
    ordinal = identity.ordinal_of(pod)
    for template in stateful_set.spec.volumeClaimTemplates:
        yield identity.claim_name(stateful_set, template, ordinal), template


def _new(stateful_set: apps_v1.StatefulSet, pod: core_v1.Pod, name: str, template: Claim) -> Claim:
    claim = codecs.copy(template)
    claim.metadata.name, claim.metadata.namespace = name, stateful_set.metadata.namespace
    claim.status = core_v1.PersistentVolumeClaimStatus()
    if stateful_set.spec.selector is not None:
        claim.metadata.labels |= stateful_set.spec.selector.matchLabels
    claim.metadata.ownerReferences = _owners(claim, stateful_set, pod)
    return claim


def _policy(stateful_set: apps_v1.StatefulSet) -> tuple[str, str]:
    """(when deleted, when scaled)."""
    policy = stateful_set.spec.persistentVolumeClaimRetentionPolicy
    return (RETAIN, RETAIN) if policy is None else (policy.whenDeleted or RETAIN, policy.whenScaled or RETAIN)


def _wanted(stateful_set: apps_v1.StatefulSet, pod: core_v1.Pod) -> tuple[bool, bool]:
    """Whether (the set, the pod) should own the claims."""
    deleted, scaled = _policy(stateful_set)
    if scaled == DELETE and not identity.in_range(stateful_set, pod):
        return False, True
    return deleted == DELETE, False


def _speaks_of(reference: meta_v1.OwnerReference, obj: Any) -> bool:
    """By kind and name; the uid may be another."""
    return (reference.apiVersion, reference.kind, reference.name) == (obj.apiVersion, obj.kind, obj.metadata.name)


def _is_owned_by_namesake(claim: Claim, obj: Any) -> bool:
    return any(_speaks_of(one, obj) and one.uid != obj.metadata.uid for one in claim.metadata.ownerReferences)


def _is_owned_by(claim: Claim, obj: Any) -> bool:
    return any(one.uid == obj.metadata.uid for one in claim.metadata.ownerReferences)


def _has_other_controller(claim: Claim, stateful_set: apps_v1.StatefulSet, pod: core_v1.Pod) -> bool:
    """Whether somebody else decides about the claim; where claims are retained anyway, that is nothing to mind."""
    if _policy(stateful_set) == (RETAIN, RETAIN):
        return False
    for one in claim.metadata.ownerReferences:
        ours = [obj for obj in (stateful_set, pod) if _speaks_of(one, obj)]
        if ours and one.uid != ours[0].metadata.uid:
            return True
        if not ours and one.controller:
            return True
    return False


def _is_settled(claim: Claim, stateful_set: apps_v1.StatefulSet, pod: core_v1.Pod) -> bool:
    """Whether the owners are right already, or not ours to set right."""
    if _is_owned_by_namesake(claim, stateful_set) or _is_owned_by_namesake(claim, pod):
        # Left by an earlier set or pod of the name: what becomes of it was decided then.
        return True
    by_set, by_pod = _is_owned_by(claim, stateful_set), bool(pod.metadata.uid) and _is_owned_by(claim, pod)
    if _has_other_controller(claim, stateful_set, pod):
        return not by_set and not by_pod
    ours = [one for one in claim.metadata.ownerReferences if one.uid in (stateful_set.metadata.uid, pod.metadata.uid)]
    return all(one.controller for one in ours) and (by_set, by_pod) == _wanted(stateful_set, pod)


def _owners(claim: Claim, stateful_set: apps_v1.StatefulSet, pod: core_v1.Pod) -> list[meta_v1.OwnerReference]:
    others = [
        one for one in claim.metadata.ownerReferences if not _speaks_of(one, stateful_set) and not _speaks_of(one, pod)
    ]
    if _has_other_controller(claim, stateful_set, pod):
        return others
    by_set, by_pod = _wanted(stateful_set, pod)
    ours = [obj for obj, wanted in ((stateful_set, by_set), (pod, by_pod)) if wanted]
    return others + [owners.reference_to(obj) for obj in ours]
