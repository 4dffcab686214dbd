"""LimitRanger: containers get the resources that a namespace's LimitRanges give by default, and stay within them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from pybernetes.api import errors, pod_qos, quantity, wording
from pybernetes.api.types import core_v1
from pybernetes.apiserver.admission import plugin
from pybernetes.apiserver.storage import collection as collections
from pybernetes.apiserver.storage import selection

ANNOTATION = "kubernetes.io/limit-ranger"
_POD_LEVEL = ("cpu", "memory")

Amounts = Mapping[str, quantity.Quantity]


class LimitRanger(plugin.Plugin):
    name = "LimitRanger"
    operations = (plugin.CREATE, plugin.UPDATE)
    resources = ("pods", "pods/resize", "persistentvolumeclaims")

    def __init__(self, limit_ranges: collections.Collection) -> None:
        self._limit_ranges = limit_ranges

    async def admit(self, attributes: plugin.Attributes) -> None:
        if _concerns(attributes) and attributes.kind.resource.name == "pods":
            for limit_range in self._of(attributes.namespace):
                default(attributes.obj, limit_range.spec.limits)

    async def validate(self, attributes: plugin.Attributes) -> None:
        if not _concerns(attributes):
            return
        check = pod_problems if attributes.kind.resource.name == "pods" else claim_problems
        for limit_range in self._of(attributes.namespace):
            problems = list(check(attributes.obj, limit_range.spec.limits))
            if problems:
                why = wording.aggregate(problems)
                raise errors.forbidden("", attributes.kind.resource.name, attributes.name, why)

    def _of(self, namespace: str) -> list[core_v1.LimitRange]:
        if not len(self._limit_ranges):
            return []
        found = self._limit_ranges.select(selection.Selection(namespace=namespace)).items
        return [item.decoded(core_v1.LimitRange) for item in found]


def _concerns(attributes: plugin.Attributes) -> bool:
    if attributes.old is not None and attributes.old.metadata.deletionTimestamp is not None:
        return False
    if attributes.kind.resource.name == "pods":
        return attributes.subresource == ("" if attributes.operation == plugin.CREATE else "resize")
    return True


def default(pod: core_v1.Pod, limits: Iterable[core_v1.LimitRangeItem]) -> None:
    """Fill in what containers leave out, and say so in an annotation."""
    own = [limit for limit in limits if limit.type == "Container"]
    wanted = {name: value for limit in own for name, value in limit.default.items()}
    requested = {name: value for limit in own for name, value in limit.defaultRequest.items()}
    told: list[str] = []
    for what, containers in (("container", pod.spec.containers), ("init container", pod.spec.initContainers)):
        for container in containers:
            resources = container.resources
            for word, amounts, values in (
                ("request", resources.requests, requested),
                ("limit", resources.limits, wanted),
            ):
                lacking = sorted(name for name in values if name not in amounts)
                amounts.update((name, values[name]) for name in lacking)
                if lacking:
                    told.append(f"{', '.join(lacking)} {word} for {what} {container.name}")
    if told:
        pod.metadata.annotations[ANNOTATION] = "LimitRanger plugin set: " + "; ".join(told)


def pod_problems(pod: core_v1.Pod, limits: Iterable[core_v1.LimitRangeItem]) -> Iterator[str]:
    """How a pod is outside its limits, in upstream's words."""
    for limit in limits:
        if limit.type == "Container":
            for container in (*pod.spec.containers, *pod.spec.initContainers):
                yield from _problems(limit, container.resources.requests, container.resources.limits)
        elif limit.type == "Pod":
            yield from _problems(limit, pod_total(pod, "requests"), pod_total(pod, "limits"))


def claim_problems(claim: core_v1.PersistentVolumeClaim, limits: Iterable[core_v1.LimitRangeItem]) -> Iterator[str]:
    """How a claim is outside its limits."""
    requests = claim.spec.resources.requests
    for limit in limits:
        if limit.type != "PersistentVolumeClaim":
            continue
        for name, least in sorted(limit.min.items()):
            yield from _minimum(limit.type, name, least, requests, {})
        for name, most in sorted(limit.max.items()):
            head = f"maximum {name} usage per {limit.type} is {most}"
            if name not in requests:
                yield f"{head}.  No request is specified"
            elif quantity.compare(requests[name], most) > 0:
                yield f"{head}, but request is {requests[name]}"


def pod_total(pod: core_v1.Pod, part: str) -> Amounts:
    """`requests` or `limits` of a whole pod: what it needs at its hungriest, or what it states for itself."""

    total = pod_qos.aggregate(pod.spec, part)
    if pod.spec.resources is not None:
        stated: Amounts = getattr(pod.spec.resources, part)
        total.update((name, value) for name, value in stated.items() if name in _POD_LEVEL)
    return total


def _problems(limit: core_v1.LimitRangeItem, requests: Amounts, limits: Amounts) -> Iterator[str]:
    for name, least in sorted(limit.min.items()):
        yield from _minimum(limit.type, name, least, requests, limits)
    for name, most in sorted(limit.max.items()):
        yield from _maximum(limit.type, name, most, requests, limits)
    for name, ratio in sorted(limit.maxLimitRequestRatio.items()):
        yield from _ratio(limit.type, name, ratio, requests, limits)


def _minimum(of: str, name: str, least: quantity.Quantity, requests: Amounts, limits: Amounts) -> Iterator[str]:
    head = f"minimum {name} usage per {of} is {least}"
    if name not in requests:
        yield f"{head}.  No request is specified"
    elif quantity.compare(requests[name], least) < 0:
        yield f"{head}, but request is {requests[name]}"
    elif name in limits and quantity.compare(limits[name], least) < 0:
        yield f"{head}, but limit is {limits[name]}"


def _maximum(of: str, name: str, most: quantity.Quantity, requests: Amounts, limits: Amounts) -> Iterator[str]:
    head = f"maximum {name} usage per {of} is {most}"
    if name not in limits:
        yield f"{head}.  No limit is specified"
    elif quantity.compare(limits[name], most) > 0:
        yield f"{head}, but limit is {limits[name]}"
    elif name in requests and quantity.compare(requests[name], most) > 0:
        yield f"{head}, but request is {requests[name]}"


def _ratio(of: str, name: str, most: quantity.Quantity, requests: Amounts, limits: Amounts) -> Iterator[str]:
    head = f"{name} max limit to request ratio per {of} is {most}, but"
    request, limit = requests.get(name), limits.get(name)
    if request is None or request.is_zero():
        yield f"{head} no request is specified or request is 0"
    elif limit is None or limit.is_zero():
        yield f"{head} no limit is specified or limit is 0"
    elif limit.value() > most.value() * request.value():
        yield f"{head} provided ratio is {float(limit.value() / request.value()):f}"
