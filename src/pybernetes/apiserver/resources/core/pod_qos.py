"""What a pod asks for as a whole: its quality-of-service class and resources stated for the pod itself."""

from __future__ import annotations

from collections.abc import Iterable

from pybernetes.api import quantity
from pybernetes.api.types import core_v1

_COUNTED = ("cpu", "memory")


def qos_class(pod: core_v1.Pod) -> str:
    """Guaranteed, Burstable or BestEffort."""
    requirements = (
        [pod.spec.resources]
        if pod.spec.resources is not None
        else [container.resources for container in (*pod.spec.containers, *pod.spec.initContainers)]
    )
    requests: dict[str, quantity.Quantity] = {}
    limits: dict[str, quantity.Quantity] = {}
    guaranteed = True
    for one in requirements:
        for name in _COUNTED:
            amount = one.requests.get(name)
            if amount is not None and not amount.is_zero():
                requests[name] = quantity.add(requests.get(name, "0"), amount)
        limited = [name for name in _COUNTED if name in one.limits and not one.limits[name].is_zero()]
        for name in limited:
            limits[name] = quantity.add(limits.get(name, "0"), one.limits[name])
        guaranteed = guaranteed and len(limited) == len(_COUNTED)
    if not requests and not limits:
        return "BestEffort"
    if guaranteed and len(requests) == len(limits):
        equal = all(name in limits and quantity.compare(limits[name], requests[name]) == 0 for name in requests)
        if equal:
            return "Guaranteed"
    return "Burstable"


def _total(containers: Iterable[core_v1.Container], part: str) -> dict[str, quantity.Quantity]:
    total: dict[str, quantity.Quantity] = {}
    for container in containers:
        total = quantity.add_all(total, getattr(container.resources, part))
    return total


def aggregate(spec: core_v1.PodSpec, part: str) -> dict[str, quantity.Quantity]:
    """`requests` or `limits` of all containers together; init containers count where they ask for more."""
    total = _total(spec.containers, part)
    running: dict[str, quantity.Quantity] = {}
    most: dict[str, quantity.Quantity] = {}
    for container in spec.initContainers:
        own = getattr(container.resources, part)
        if container.restartPolicy == "Always":
            running = quantity.add_all(running, own)
            most = quantity.max_all(most, running)
        else:
            most = quantity.max_all(most, quantity.add_all(running, own))
    return quantity.max_all(quantity.add_all(total, running), most)


def default_pod_level(spec: core_v1.PodSpec) -> None:
    """Requests of the pod itself follow from its limits and from what its containers ask for."""
    resources = spec.resources
    if resources is None:
        return
    if resources.limits or resources.requests:
        for name, amount in aggregate(spec, "limits").items():
            if name.startswith("hugepages-") and name not in resources.requests:
                resources.limits.setdefault(name, amount)
    if not resources.limits:
        return
    for name, amount in aggregate(spec, "requests").items():
        if name in _COUNTED:
            resources.requests.setdefault(name, amount)
    for name, limit in resources.limits.items():
        if name in _COUNTED or name.startswith("hugepages-"):
            resources.requests.setdefault(name, limit)
