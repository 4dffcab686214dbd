"""What objects count for in a ResourceQuota, and which quotas they fall under. Pure; names and words are upstream's.

Amounts are by quota resource name: `pods`, `requests.cpu`, `count/deployments.apps`,
`gold.storageclass.storage.k8s.io/requests.storage`, `gpu.deviceclass.resource.k8s.io/devices`, ...
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pybernetes.api import pod_qos, quantity
from pybernetes.api.types import core_v1, resource_v1

Amounts = dict[str, quantity.Quantity]

ONE = quantity.Quantity("1")
ZERO = quantity.Quantity("0")
CLASS_SUFFIX = ".storageclass.storage.k8s.io/"
DEVICES_SUFFIX = ".deviceclass.resource.k8s.io/devices"
_DEVICE_CLAIMS = ("resource.k8s.io", "resourceclaims")
# What a request for all devices of a class counts for: no claim can be allocated more.
_ALL_DEVICES = 32
# Kinds that are counted under their bare name as well.
_BARE = frozenset(
    {"configmaps", "persistentvolumeclaims", "pods", "replicationcontrollers", "resourcequotas", "secrets", "services"}
)
_UNPREFIXED = ("cpu", "memory", "ephemeral-storage")
_COMPUTE = ("cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory")
_BEST_EFFORT, _TERMINATING = "BestEffort", "Terminating"
_CLASS_ANNOTATION = "volume.beta.kubernetes.io/storage-class"


def resource_key(group: str, resource: str) -> str:
    """`count/...` of a resource."""
    return f"count/{resource}.{group}" if group else f"count/{resource}"


def usage(group: str, resource: str, obj: Any) -> Amounts:
    """What one object counts for, whatever its quotas name."""
    found: Amounts = {resource_key(group, resource): ONE}
    if (group, resource) == _DEVICE_CLAIMS:
        return found | _device_usage(obj)
    if group:
        return found
    if resource == "pods":
        return found | pod_usage(obj)
    if resource in _BARE:
        found[resource] = ONE
    if resource == "services":
        found |= _service_usage(obj)
    elif resource == "persistentvolumeclaims":
        found |= _claim_usage(obj)
    return found


def pod_usage(pod: core_v1.Pod) -> Amounts:
    """Nothing for a pod that has ended."""
    if not counts(pod):
        return {}
    found: Amounts = {"pods": ONE}
    requests, limits = pod_total(pod, "requests"), pod_total(pod, "limits")
    for name, amount in requests.items():
        found[f"requests.{name}"] = amount
        if name in _UNPREFIXED or name.startswith("hugepages-"):
            found[name] = amount
    for name, amount in limits.items():
        found[f"limits.{name}"] = amount
    return found


def counts(pod: core_v1.Pod) -> bool:
    """Whether the pod still uses anything."""
    return pod.status.phase not in ("Succeeded", "Failed")


def pod_total(pod: core_v1.Pod, part: str) -> Amounts:
    """`requests` or `limits` of a whole pod, with what its runtime class adds."""
    total = pod_qos.aggregate(pod.spec, part)
    if pod.spec.resources is not None:
        stated: Mapping[str, quantity.Quantity] = getattr(pod.spec.resources, part)
        total.update((name, value) for name, value in stated.items() if name in ("cpu", "memory"))
    for name, amount in pod.spec.overhead.items():
        if part == "requests" or name in total:
            total[name] = quantity.add(total.get(name, ZERO), amount)
    return total


def _service_usage(service: core_v1.Service) -> Amounts:
    ports = quantity.Quantity(str(len(service.spec.ports)))
    match service.spec.type:
        case "NodePort":
            return {"services.nodeports": ports, "services.loadbalancers": ZERO}
        case "LoadBalancer":
            own = ports
            if service.spec.allocateLoadBalancerNodePorts is False:
                own = quantity.Quantity(str(sum(1 for port in service.spec.ports if port.nodePort)))
            return {"services.nodeports": own, "services.loadbalancers": ONE}
    return {"services.nodeports": ZERO, "services.loadbalancers": ZERO}


def _claim_usage(claim: core_v1.PersistentVolumeClaim) -> Amounts:
    found: Amounts = {}
    asked, allocated = claim.spec.resources.requests.get("storage"), claim.status.allocatedResources.get("storage")
    if asked is not None and allocated is not None and quantity.compare(allocated, asked) > 0:
        # An expansion that was taken back, but may have come about.
        asked = allocated
    storage_class = claim.spec.storageClassName or claim.metadata.annotations.get(_CLASS_ANNOTATION, "")
    prefix = f"{storage_class}{CLASS_SUFFIX}" if storage_class else ""
    if prefix:
        found[f"{prefix}persistentvolumeclaims"] = ONE
    if asked is not None:
        found["requests.storage"] = asked
        if prefix:
            found[f"{prefix}requests.storage"] = asked
    return found


def _device_usage(claim: resource_v1.ResourceClaim) -> Amounts:
    """By device class, how many the claim can come to hold; of a request's alternatives, the most of each class."""
    total: dict[str, int] = {}
    for request in claim.spec.devices.requests:
        most: dict[str, int] = {}
        for one in request.firstAvailable or filter(None, (request.exactly,)):
            number = {"ExactCount": one.count, "All": _ALL_DEVICES}.get(one.allocationMode, 0)
            most[one.deviceClassName] = max(number, most.get(one.deviceClassName, 0))
        for name, number in most.items():
            total[name] = total.get(name, 0) + number
    return {f"{name}{DEVICES_SUFFIX}": quantity.Quantity(str(number)) for name, number in total.items()}


def constrained(hard: Iterable[str], amounts: Amounts) -> Amounts:
    """Of the amounts, those that a quota names."""
    return {name: amounts[name] for name in hard if name in amounts}


def governs(hard: Iterable[str], group: str, resource: str) -> bool:
    """Whether a quota names anything that objects of that resource count for."""
    return any(_of(name, group, resource) for name in hard)


def _of(name: str, group: str, resource: str) -> bool:
    if name == resource_key(group, resource):
        return True
    if (group, resource) == _DEVICE_CLAIMS:
        return name.endswith(DEVICES_SUFFIX)
    if group:
        return False
    match resource:
        case "pods":
            return name in ("pods", *_UNPREFIXED) or (
                name.startswith(("requests.", "limits.", "hugepages-")) and name != "requests.storage"
            )
        case "services":
            return name in ("services", "services.nodeports", "services.loadbalancers")
        case "persistentvolumeclaims":
            return name in ("persistentvolumeclaims", "requests.storage") or CLASS_SUFFIX in name
    return name == resource and resource in _BARE


def required(hard: Iterable[str]) -> list[str]:
    """What every container must state where a quota limits it."""
    return sorted(name for name in hard if name in _COMPUTE)


def lacking(pod: core_v1.Pod, hard: Iterable[str]) -> list[tuple[str, str]]:
    """(resource, container) for each of those that a container leaves out."""
    found = []
    for name in required(hard):
        part, _, bare = name.rpartition(".")
        part = part or "requests"
        stated = pod.spec.resources
        if stated is not None and bare in getattr(stated, part):
            continue
        found += [
            (name, container.name)
            for container in (*pod.spec.containers, *pod.spec.initContainers)
            if bare not in getattr(container.resources, part)
        ]
    return found


def matches(quota: core_v1.ResourceQuota, group: str, resource: str, obj: Any) -> bool:
    """Whether the object is in all of the quota's scopes; where it has scopes, only pods and claims can be."""
    selector = quota.spec.scopeSelector.matchExpressions if quota.spec.scopeSelector is not None else []
    if not quota.spec.scopes and not selector:
        return True
    is_pod = (group, resource) == ("", "pods")
    is_claim = (group, resource) == ("", "persistentvolumeclaims")
    if not (is_pod or is_claim):
        return False
    terms: list[tuple[str, str, tuple[str, ...]]] = [(scope, "Exists", ()) for scope in quota.spec.scopes]
    terms += [(term.scopeName, term.operator, tuple(term.values)) for term in selector]
    in_scope = _claim_in_scope if is_claim else _pod_in_scope
    return all(in_scope(obj, *term) for term in terms)


def _claim_in_scope(claim: core_v1.PersistentVolumeClaim, scope: str, operator: str, values: tuple[str, ...]) -> bool:
    if scope != "VolumeAttributesClass":
        return False
    # While its class changes it is in the scopes of all of them.
    names = {claim.spec.volumeAttributesClassName, claim.status.currentVolumeAttributesClassName}
    if claim.status.modifyVolumeStatus is not None:
        names.add(claim.status.modifyVolumeStatus.targetVolumeAttributesClassName)
    each = [{name} for name in names if name]
    return any(_selected(name, operator, values) for name in each or [set[str]()])


def _pod_in_scope(pod: core_v1.Pod, scope: str, operator: str, values: tuple[str, ...]) -> bool:
    match scope:
        case "Terminating":
            return pod.spec.activeDeadlineSeconds is not None and pod.spec.activeDeadlineSeconds >= 0
        case "NotTerminating":
            return pod.spec.activeDeadlineSeconds is None
        case "BestEffort":
            return pod_qos.qos_class(pod) == _BEST_EFFORT
        case "NotBestEffort":
            return pod_qos.qos_class(pod) != _BEST_EFFORT
        case "PriorityClass":
            return _selected({pod.spec.priorityClassName} - {""}, operator, values)
        case "CrossNamespacePodAffinity":
            return _reaches_out(pod)
    return False


def _selected(names: set[str], operator: str, values: tuple[str, ...]) -> bool:
    match operator:
        case "In":
            return bool(names & set(values))
        case "NotIn":
            return not names & set(values)
        case "DoesNotExist":
            return not names
    return bool(names)


def _reaches_out(pod: core_v1.Pod) -> bool:
    """Whether its affinity looks at pods of other namespaces."""
    affinity = pod.spec.affinity
    if affinity is None:
        return False
    terms: list[core_v1.PodAffinityTerm] = []
    for one in (affinity.podAffinity, affinity.podAntiAffinity):
        if one is not None:
            terms += one.requiredDuringSchedulingIgnoredDuringExecution
            terms += [wished.podAffinityTerm for wished in one.preferredDuringSchedulingIgnoredDuringExecution]
    return any(term.namespaces or term.namespaceSelector is not None for term in terms)


def over(hard: Mapping[str, quantity.Quantity], used: Amounts, more: Amounts) -> list[str]:
    """What would be above its limit with more of it, in order."""
    return sorted(
        name
        for name, amount in more.items()
        if name in hard and quantity.compare(quantity.add(used.get(name, ZERO), amount), hard[name]) > 0
    )


def shown(amounts: Mapping[str, quantity.Quantity], names: Iterable[str]) -> str:
    """`cpu=2,pods=10`."""
    return ",".join(f"{name}={amounts.get(name, ZERO)}" for name in sorted(names))
