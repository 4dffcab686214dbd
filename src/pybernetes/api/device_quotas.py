"""What claims of devices count for by extended resources, which device classes can stand behind. Pure.

A quota limits the devices of a class under three names: `<class>.deviceclass.resource.k8s.io/devices`, which claims
count for as `quotas` has it, `requests.deviceclass.resource.kubernetes.io/<class>`, and `requests.` with the extended
resource that the class is named to serve. Pods count for what they ask for under the latter two; a claim that the
scheduler made for such a pod counts for what is beyond that.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from pybernetes.api import quantity, quotas
from pybernetes.api.types import core_v1, meta_v1, resource_v1

CLAIMS = ("resource.k8s.io", "resourceclaims")
# Of claims that the scheduler made for the extended resources of a pod; "true".
ANNOTATION = "resource.kubernetes.io/extended-resource-claim"
# With its name, the extended resource that every class stands behind.
IMPLICIT = "deviceclass.resource.kubernetes.io/"
_REQUESTS = "requests."


class Classes:
    """The extended resources that device classes stand behind."""

    def __init__(self, classes: Iterable[resource_v1.DeviceClass] = ()) -> None:
        self._names: set[str] = set()
        self._explicit: dict[str, str] = {}
        for one in classes:
            self._names.add(one.metadata.name)
            if one.spec.extendedResourceName:
                self._explicit[one.metadata.name] = one.spec.extendedResourceName

    def back(self, resource: str) -> bool:
        if resource.startswith(IMPLICIT):
            return resource.removeprefix(IMPLICIT) in self._names
        return resource in self._explicit.values()

    def resources(self, name: str) -> tuple[str, ...]:
        """What the devices of a class can be asked for as, whether there is such a class or not."""
        explicit = self._explicit.get(name)
        return (IMPLICIT + name, explicit) if explicit else (IMPLICIT + name,)


NONE = Classes()


def names_extended(hard: Iterable[str]) -> bool:
    """Whether a quota may limit extended resources that classes stand behind."""
    return any(name.startswith(_REQUESTS) and "/" in name for name in hard)


def governs(hard: Iterable[str], group: str, resource: str, classes: Classes) -> bool:
    """As `quotas.governs`, with what claims count for by extended resources."""
    if quotas.governs(hard, group, resource):
        return True
    if (group, resource) != CLAIMS:
        return False
    return any(name.startswith(_REQUESTS) and classes.back(name.removeprefix(_REQUESTS)) for name in hard)


def usage(claim: resource_v1.ResourceClaim, classes: Classes, stated: quotas.Amounts) -> quotas.Amounts:
    """All that a claim counts for; `stated` is what its pod counts for, where it was made for one (`stated_by`)."""
    found = quotas.usage(*CLAIMS, claim)
    more: quotas.Amounts = {}
    for name, amount in found.items():
        if name.endswith(quotas.DEVICES_SUFFIX):
            for resource in classes.resources(name.removesuffix(quotas.DEVICES_SUFFIX)):
                known = f"{_REQUESTS}{resource}"
                # Of classes that serve one resource, each is all that is counted of it, as upstream has it.
                rest = quantity.sub(amount, stated.get(known, quotas.ZERO))
                if rest.milli() > 0:
                    more[known] = rest
    return found | more


def owner(claim: resource_v1.ResourceClaim) -> meta_v1.OwnerReference | None:
    """The pod whose extended resources the claim says it was made for."""
    if claim.metadata.annotations.get(ANNOTATION) != "true":
        return None
    found = next((one for one in claim.metadata.ownerReferences if one.controller), None)
    return found if found is not None and (found.apiVersion, found.kind) == ("v1", "Pod") else None


def stated_by(
    pod: core_v1.Pod | None, claim: resource_v1.ResourceClaim, others: Collection[resource_v1.ResourceClaim]
) -> quotas.Amounts:
    """What the pod counts for, where the claim is the one that was made for it; `others` say the same of themselves."""
    of = owner(claim)
    if of is None or pod is None or pod.metadata.uid != of.uid:
        return {}
    known = pod.status.extendedResourceClaimStatus
    if known is not None and known.resourceClaimName != claim.metadata.name:
        return {}
    if known is None and any(_age(other) < _age(claim) for other in others):
        # Anybody can write such a claim; only the first is taken at its word.
        return {}
    return quotas.pod_usage(pod)


def _age(claim: resource_v1.ResourceClaim) -> tuple[str, str]:
    """Older ones come first, then those of lower names."""
    return claim.metadata.creationTimestamp or "", claim.metadata.name
