"""Extended resources that device classes stand behind: the claim for them that a pod gets by itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from pybernetes.api import device_quotas, times
from pybernetes.api.types import core_v1, meta_v1, resource_v1
from pybernetes.informers import cache
from pybernetes.scheduler import shape as shapes


class Wanted(NamedTuple):
    """The requests of a claim, and which container's resource each of them serves."""

    requests: tuple[resource_v1.DeviceRequest, ...]
    mappings: tuple[core_v1.ContainerExtendedResourceRequest, ...]


def backed_by(classes: cache.Cache[resource_v1.DeviceClass], resource: str) -> resource_v1.DeviceClass | None:
    """The class whose devices serve a resource: the one of that name, or the newest that says so."""
    if resource.startswith(device_quotas.IMPLICIT):
        return classes.get(resource.removeprefix(device_quotas.IMPLICIT))
    if not shapes.extended(resource):
        return None
    found = sorted((one for one in classes if one.spec.extendedResourceName == resource), key=_newest_first)
    return found[0] if found else None


def _newest_first(kind: resource_v1.DeviceClass) -> tuple[float, str]:
    created = kind.metadata.creationTimestamp
    return -(times.parse(created) if created else 0.0), kind.metadata.name


def claim(pod: str, namespace: str, uid: str, wanted: Wanted) -> resource_v1.ResourceClaim:
    """The claim as it is created; its name is the API server's to choose."""
    owner = meta_v1.OwnerReference(apiVersion="v1", kind="Pod", name=pod, uid=uid, controller=True)
    return resource_v1.ResourceClaim(
        metadata=meta_v1.ObjectMeta(
            generateName=f"{pod}-extended-resources-",
            namespace=namespace,
            annotations={device_quotas.ANNOTATION: "true"},
            ownerReferences=[owner],
        ),
        spec=resource_v1.ResourceClaimSpec(devices=resource_v1.DeviceClaim(requests=list(wanted.requests))),
    )


def left_over(claims: Iterable[resource_v1.ResourceClaim], pod: str, uid: str) -> resource_v1.ResourceClaim | None:
    """The claim of an earlier attempt to bind the pod."""
    for one in claims:
        if one.metadata.annotations.get(device_quotas.ANNOTATION) == "true" and any(
            owner.controller and owner.name == pod and owner.uid == uid for owner in one.metadata.ownerReferences
        ):
            return one
    return None


def wanted(spec: core_v1.PodSpec, classes: Mapping[str, resource_v1.DeviceClass]) -> Wanted:
    """What is to be claimed for these resources.

    Containers that run together have their own devices; init containers that are done before use those again, and only
    the one that needs most beyond them gets more.
    """
    containers = (*spec.initContainers, *spec.containers)
    brief = [
        at < len(spec.initContainers) and container.restartPolicy != "Always" for at, container in enumerate(containers)
    ]
    requests: list[resource_v1.DeviceRequest] = []
    mappings: list[core_v1.ContainerExtendedResourceRequest] = []
    for resource, kind in sorted(classes.items()):
        lasting: list[resource_v1.DeviceRequest | None] = [None] * len(containers)
        for at, container in enumerate(containers):
            if not brief[at]:
                lasting[at], mapped = _for_container(at, container, resource, kind.metadata.name, ())
                mappings += mapped
        most: resource_v1.DeviceRequest | None = None
        again: list[core_v1.ContainerExtendedResourceRequest] = []
        replaced = set()
        for at, container in enumerate(containers):
            if brief[at]:
                more, mapped = _for_container(at, container, resource, kind.metadata.name, lasting[at:])
                again += mapped
                if more is not None:
                    replaced.add(more.name)
                    most = more if most is None or _count(most) < _count(more) else most
        for mapping in again:
            if most is not None and mapping.requestName in replaced:
                mapping.requestName = most.name
        requests += [one for one in (most, *lasting) if one is not None]
        mappings += again
    return Wanted(tuple(sorted(requests, key=lambda one: one.name)), tuple(mappings))


def _for_container(
    at: int,
    container: core_v1.Container,
    resource: str,
    kind: str,
    usable: Sequence[resource_v1.DeviceRequest | None],
) -> tuple[resource_v1.DeviceRequest | None, list[core_v1.ContainerExtendedResourceRequest]]:
    """What a container needs beyond the requests that it can use, and the requests that serve it."""
    asked = container.resources.requests
    number = asked[resource].as_int() if resource in asked else 0
    if not number:
        return None, []
    mappings = []
    for request in usable:
        if request is not None:
            mappings.append(_mapping(container, resource, request.name))
            number -= _count(request)
            if number <= 0:
                return None, mappings
    # Named by the places of the container and of the resource among all that the container asks for.
    name = f"container-{at}-request-{sorted(asked).index(resource)}"
    exactly = resource_v1.ExactDeviceRequest(deviceClassName=kind, allocationMode="ExactCount", count=number)
    mappings.append(_mapping(container, resource, name))
    return resource_v1.DeviceRequest(name=name, exactly=exactly), mappings


def _mapping(container: core_v1.Container, resource: str, request: str) -> core_v1.ContainerExtendedResourceRequest:
    return core_v1.ContainerExtendedResourceRequest(
        containerName=container.name, resourceName=resource, requestName=request
    )


def _count(request: resource_v1.DeviceRequest) -> int:
    return request.exactly.count or 0 if request.exactly is not None else 0
