"""Which claims a pod has, which it is to get, and what becomes of a claim: pure."""

from __future__ import annotations

from collections.abc import Iterator

from pybernetes.api import codecs
from pybernetes.api.types import core_v1, meta_v1, resource_v1
from pybernetes.controllers import owners, pods

FINALIZER = "resource.kubernetes.io/delete-protection"
# On a claim that was made: the name that the pod has for it.
ENTRY = "resource.kubernetes.io/pod-claim-name"
# A generated name with its five random characters must not be longer than 63.
LONGEST = 57


def names(pod: core_v1.Pod) -> dict[str, str]:
    """The claims that a pod has, by its own names for them; not those that it is still to get, or does not need."""
    told = {status.name: status.resourceClaimName for status in pod.status.resourceClaimStatuses}
    found = {entry.name: entry.resourceClaimName or told.get(entry.name) for entry in pod.spec.resourceClaims}
    return {entry: name for entry, name in found.items() if name}


def all_names(pod: core_v1.Pod) -> Iterator[str]:
    """Those, and the one that the scheduler made for its extended resources."""
    yield from names(pod).values()
    if pod.status.extendedResourceClaimStatus is not None:
        yield pod.status.extendedResourceClaimStatus.resourceClaimName


def is_done(pod: core_v1.Pod) -> bool:
    """Whether it will never use its claims (again)."""
    return pods.is_terminal(pod) or (pod.metadata.deletionTimestamp is not None and not pod.spec.nodeName)


def lacking(pod: core_v1.Pod) -> list[core_v1.PodResourceClaim]:
    """The entries whose claims are to be made of a template, and of which the pod's status says nothing yet."""
    told = {status.name for status in pod.status.resourceClaimStatuses}
    return [
        entry
        for entry in pod.spec.resourceClaims
        if entry.resourceClaimName is None and entry.resourceClaimTemplateName is not None and entry.name not in told
    ]


def generate_name(pod: str, entry: str) -> str:
    """What a claim's name begins with; both parts are cut alike where they are too long together."""
    whole = f"{pod}-{entry}-"
    if len(whole) <= LONGEST:
        return whole
    return f"{pod[: len(pod) * LONGEST // len(whole)]}-{entry[: len(entry) * LONGEST // len(whole)]}"


def claim_for(pod: core_v1.Pod, entry: str, template: resource_v1.ResourceClaimTemplate) -> resource_v1.ResourceClaim:
    spec = codecs.copy(template.spec)
    owner = owners.reference_to(pod)
    owner.blockOwnerDeletion = None
    return resource_v1.ResourceClaim(
        metadata=meta_v1.ObjectMeta(
            generateName=generate_name(pod.metadata.name, entry),
            namespace=pod.metadata.namespace,
            labels=spec.metadata.labels,
            annotations=spec.metadata.annotations | {ENTRY: entry},
            ownerReferences=[owner],
        ),
        spec=spec.spec,
    )


def owner_of(claim: resource_v1.ResourceClaim) -> meta_v1.OwnerReference | None:
    """The pod that a claim was made for."""
    reference = owners.controller_of(claim)
    return reference if reference is not None and (reference.apiVersion, reference.kind) == ("v1", "Pod") else None


def is_pod(consumer: resource_v1.ResourceClaimConsumerReference) -> bool:
    return not consumer.apiGroup and consumer.resource == "pods"


def is_reserved(claim: resource_v1.ResourceClaim, pod: core_v1.Pod) -> bool:
    return any(consumer.uid == pod.metadata.uid for consumer in claim.status.reservedFor)


def reserved(claim: resource_v1.ResourceClaim, pod: core_v1.Pod) -> resource_v1.ResourceClaim:
    """The claim, reserved for the pod as well."""
    copy = codecs.copy(claim)
    copy.status.reservedFor.append(
        resource_v1.ResourceClaimConsumerReference(resource="pods", name=pod.metadata.name, uid=pod.metadata.uid)
    )
    return copy


def released(claim: resource_v1.ResourceClaim, gone: frozenset[str]) -> resource_v1.ResourceClaim | None:
    """The claim without consumers that are gone, by uid; without any, its devices are free. None: as it is."""
    left = [consumer for consumer in claim.status.reservedFor if consumer.uid not in gone]
    changes = len(left) < len(claim.status.reservedFor)
    frees = not left and FINALIZER in claim.metadata.finalizers and claim.status.allocation is not None
    if not changes and not (frees and claim.metadata.deletionTimestamp is not None):
        return None
    copy = codecs.copy(claim)
    copy.status.reservedFor = left
    if frees:
        copy.status.allocation = None
    return copy


def unprotected(claim: resource_v1.ResourceClaim) -> resource_v1.ResourceClaim | None:
    """The claim without its finalizer, where it holds nothing any more; None: as it is."""
    if FINALIZER not in claim.metadata.finalizers or claim.status.allocation is not None or claim.status.reservedFor:
        return None
    copy = codecs.copy(claim)
    copy.metadata.finalizers.remove(FINALIZER)
    return copy
