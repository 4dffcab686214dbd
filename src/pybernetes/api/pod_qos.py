"""What a pod asks for as a whole: its quality-of-service class and resources stated for the pod itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction

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
    if not any(one.requests or one.limits for one in requirements):
        return "BestEffort"
    limited = all(len(_counted(one.limits)) == len(_COUNTED) for one in requirements)
    if limited and _sums(requirements, "requests") == _sums(requirements, "limits"):
        return "Guaranteed"
    counted = any(_counted(one.requests) or _counted(one.limits) for one in requirements)
    return "Burstable" if counted else "BestEffort"


def _counted(amounts: Mapping[str, quantity.Quantity]) -> list[str]:
    return [name for name in _COUNTED if name in amounts and not amounts[name].is_zero()]


def _sums(requirements: Iterable[core_v1.ResourceRequirements], part: str) -> dict[str, Fraction]:
    total: dict[str, Fraction] = {}
    for one in requirements:
        amounts = getattr(one, part)
        for name in _counted(amounts):
            total[name] = total.get(name, Fraction(0)) + amounts[name].value()
    return total


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
