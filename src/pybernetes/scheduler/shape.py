"""What of a pod decides where it may go. Pods of one shape are interchangeable, so one decision serves them all."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from pybernetes.api import codecs, device_quotas, host_ports, quantity
from pybernetes.api.types import core_v1, meta_v1
from pybernetes.scheduler import terms

CPU, MEMORY, STORAGE, PODS = "cpu", "memory", "ephemeral-storage", "pods"
# What a container that asks for nothing counts as when nodes are compared (not when they are filled).
DEFAULT_CPU_MILLI = 100
DEFAULT_MEMORY = 200 * 1024 * 1024

Amounts = dict[str, int]


class Owner(NamedTuple):
    """The controller that a pod belongs to."""

    version: str
    kind: str
    name: str


class Shape(msgspec.Struct, frozen=True, kw_only=True, weakref=True, eq=False):
    """Amounts are milli-CPUs for cpu, bytes, or whole units. `key` is equal for pods of one shape.

    `single`: it depends on more than its key says (volumes, device claims), so a decision serves one pod only, that
    of `uid`, and `name`. `spec` is that of the first pod seen of that shape, without the node that it may have.
    """

    key: bytes
    namespace: str
    labels: dict[str, str]
    annotations: dict[str, str]
    marks: tuple[tuple[str, str], ...]
    terminating: bool
    owner: Owner | None
    terms: tuple[terms.Carried, ...]
    claims: tuple[str, ...]
    # Claims of devices, and whether they must be the pod's own; None is one that is not there yet, "" one not needed.
    device_claims: tuple[tuple[str | None, bool], ...]
    # Extended resources that it asks for, which may come from device plugins or be claimed.
    extended: tuple[str, ...]
    single: bool
    name: str
    uid: str
    requests: Amounts
    counted_cpu: int
    counted_memory: int
    ports: tuple[host_ports.HostPort, ...]
    images: tuple[str, ...]
    containers: int
    priority: int
    spec: core_v1.PodSpec


def extended(resource: str) -> bool:
    """Whether it is a resource that somebody outside of Kubernetes defines."""
    domain, slash, _ = resource.partition("/")
    return bool(slash) and not domain.endswith("kubernetes.io") and not resource.startswith("requests.")


def scalar(resource: str) -> bool:
    """Whether only pods that ask for it are compared by it."""
    return "/" in resource or resource.startswith(("hugepages-", "attachable-volumes-"))


@functools.lru_cache(maxsize=4096)
def amount(resource: str, value: quantity.Quantity) -> int:
    return value.milli() if resource == CPU else value.as_int()


def requests(pod: core_v1.Pod, missing: Amounts | None = None) -> Amounts:
    """What a pod needs: its containers together, or its largest init container, with sidecars and overhead.

    While a container is resized, what it has, is allowed and asks for counts, whichever is most. `missing` is what
    containers count as that do not ask for a resource.
    """
    spec = pod.spec
    total: Amounts = {}
    sidecars: Amounts = {}
    init: Amounts = {}
    resized = _resized(pod)
    for container in spec.initContainers:
        sidecar = container.restartPolicy == "Always"
        asked = _of(container, resized if sidecar else None, missing)
        if sidecar:
            _add(total, asked)
            _add(sidecars, asked)
            asked = dict(sidecars)
        else:
            asked = {name: asked.get(name, 0) + sidecars.get(name, 0) for name in {*asked, *sidecars}}
        for name, value in asked.items():
            init[name] = max(init.get(name, 0), value)
    for container in spec.containers:
        _add(total, _of(container, resized, missing))
    for name, value in init.items():
        total[name] = max(total.get(name, 0), value)
    if spec.resources is not None:
        # Asked for by the pod as a whole: that is what counts.
        total.update({name: amount(name, asked_for) for name, asked_for in spec.resources.requests.items()})
    for name, extra in spec.overhead.items():
        total[name] = total.get(name, 0) + amount(name, extra)
    return total


# What a container has and is allowed, and whether what it asks for can never be had.
_Resized = dict[str, tuple[Amounts, bool]]


def resources_told(pod: core_v1.Pod) -> list[object]:
    """What the status of a pod says about the resources of its containers; to be compared."""
    status = pod.status
    told = (*status.containerStatuses, *status.initContainerStatuses)
    return [(one.name, one.resources, one.allocatedResources) for one in told if one.resources is not None]


def _resized(pod: core_v1.Pod) -> _Resized | None:
    status = pod.status
    if not status.containerStatuses and not status.initContainerStatuses:
        return None
    hopeless = any(c.type == "PodResizePending" and c.reason == "Infeasible" for c in status.conditions)
    found: _Resized = {}
    for one in (*status.containerStatuses, *status.initContainerStatuses):
        if one.resources is not None:
            held = _amounts(one.resources.requests)
            for name, value in _amounts(one.allocatedResources).items():
                held[name] = max(held.get(name, 0), value)
            found[one.name] = held, hopeless
    return found or None


def _of(container: core_v1.Container, resized: _Resized | None, missing: Amounts | None) -> Amounts:
    asked = _amounts(container.resources.requests)
    known = resized.get(container.name) if resized is not None else None
    if known is not None:
        held, hopeless = known
        if hopeless:
            asked = dict(held)
        else:
            for name, value in held.items():
                asked[name] = max(asked.get(name, 0), value)
    if missing is not None:
        for name, value in missing.items():
            asked.setdefault(name, value)
    return asked


def _amounts(resources: Mapping[str, quantity.Quantity]) -> Amounts:
    return {name: amount(name, value) for name, value in resources.items()}


def _add(total: Amounts, asked: Amounts) -> None:
    for name, value in asked.items():
        total[name] = total.get(name, 0) + value


# Owners whose selectors say which pods are to be spread.
_SPREAD_BY = frozenset({"ReplicationController", "ReplicaSet", "StatefulSet"})


def _owner(meta: meta_v1.ObjectMeta) -> Owner | None:
    for reference in meta.ownerReferences:
        if reference.controller:
            known = reference.kind in _SPREAD_BY
            return Owner(reference.apiVersion, reference.kind, reference.name) if known else None
    return None


def claims(pod: core_v1.Pod) -> tuple[str, ...]:
    """The names of the volume claims that a pod uses, its ephemeral ones included."""
    found = []
    for volume in pod.spec.volumes:
        if volume.persistentVolumeClaim is not None:
            found.append(volume.persistentVolumeClaim.claimName)
        elif volume.ephemeral is not None:
            found.append(f"{pod.metadata.name}-{volume.name}")
    return tuple(found)


def _inline(volume: core_v1.Volume) -> bool:
    """Whether it is attached to a node without a claim, so that others may be in its way."""
    return any(
        source is not None
        for source in (volume.gcePersistentDisk, volume.awsElasticBlockStore, volume.rbd, volume.iscsi, volume.csi)
    )


def _container_images(spec: core_v1.PodSpec) -> list[str]:
    return [container.image for container in (*spec.containers, *spec.initContainers)]


def _volume_images(spec: core_v1.PodSpec) -> list[str]:
    return [volume.image.reference for volume in spec.volumes if volume.image is not None]


def _device_claims(pod: core_v1.Pod) -> tuple[tuple[str | None, bool], ...]:
    made = {status.name: status.resourceClaimName or "" for status in pod.status.resourceClaimStatuses}
    return tuple(
        (one.resourceClaimName, False) if one.resourceClaimName is not None else (made.get(one.name), True)
        for one in pod.spec.resourceClaims
    )


def alone(shape: Shape, pod: core_v1.Pod) -> Shape:
    """The shape for one pod only, whose claims of devices make it different from its like."""
    meta = pod.metadata
    return msgspec.structs.replace(shape, key=shape.key + meta.uid.encode(), single=True, name=meta.name, uid=meta.uid)


def alike(one: core_v1.Pod, other: core_v1.Pod) -> bool:
    """Whether their shapes are equal for sure, which costs a fraction of working them out."""
    return _telling(one) == _telling(other)


def _telling(pod: core_v1.Pod) -> list[Any]:
    """All that a shape is worked out from; names of volumes, say, which differ between pods of one owner, are not."""
    spec, meta, status = pod.spec, pod.metadata, pod.status
    found: list[Any] = [
        meta.namespace,
        meta.labels,
        meta.annotations,
        meta.ownerReferences,
        meta.deletionTimestamp is None,
        spec.runtimeClassName,
        spec.overhead,
        spec.resources,
        spec.schedulerName,
        spec.priority,
        spec.preemptionPolicy,
        spec.nodeSelector,
        spec.affinity,
        spec.tolerations,
        spec.topologySpreadConstraints,
        spec.resourceClaims,
        [(one.image, one.resources, one.ports) for one in spec.containers],
        [(one.image, one.resources, one.ports, one.restartPolicy) for one in spec.initContainers],
        status.resourceClaimStatuses,
        resources_told(pod),
    ]
    if spec.resourceClaims or any(_deciding(volume) for volume in spec.volumes):
        # They make a pod one of a kind.
        found += (meta.uid, spec.volumes)
    return found


def _deciding(volume: core_v1.Volume) -> bool:
    return (
        volume.persistentVolumeClaim is not None
        or volume.ephemeral is not None
        or volume.image is not None
        or _inline(volume)
    )


def of(pod: core_v1.Pod) -> Shape:
    """The shape of a pod."""
    spec, meta = pod.spec, pod.metadata
    asked = {name: value for name, value in requests(pod).items() if value}
    ports = host_ports.of(spec)
    images = tuple(sorted((*_container_images(spec), *_volume_images(spec))))
    comparable = requests(pod, {CPU: DEFAULT_CPU_MILLI, MEMORY: DEFAULT_MEMORY})
    counted = comparable.get(CPU, 0), comparable.get(MEMORY, 0)
    marks = tuple(sorted(meta.labels.items()))
    owner = _owner(meta)
    claimed = claims(pod)
    inline = [volume for volume in spec.volumes if _inline(volume)]
    terminating = meta.deletionTimestamp is not None
    device_claims = _device_claims(pod)
    single = bool(claimed or inline or spec.resourceClaims)
    depends_on = (
        meta.namespace,
        marks,
        sorted(meta.annotations.items()),
        spec.runtimeClassName,
        terminating,
        owner,
        sorted(asked.items()),
        counted,
        ports,
        images,
        spec.schedulerName,
        spec.priority,
        spec.preemptionPolicy,
        sorted(spec.nodeSelector.items()),
        spec.affinity,
        spec.tolerations,
        spec.topologySpreadConstraints,
        claimed,
        inline,
        meta.uid if single else "",
        device_claims,
    )
    return Shape(
        key=codecs.encode(depends_on),
        namespace=meta.namespace,
        labels=meta.labels,
        annotations=meta.annotations,
        marks=marks,
        terminating=terminating,
        owner=owner,
        terms=terms.of(pod),
        claims=claimed,
        device_claims=device_claims,
        extended=tuple(sorted(name for name in asked if extended(name) or name.startswith(device_quotas.IMPLICIT))),
        single=single,
        name=meta.name if single else "",
        uid=meta.uid if single else "",
        requests=asked,
        counted_cpu=counted[0],
        counted_memory=counted[1],
        ports=ports,
        images=images,
        containers=len(spec.containers) + len(spec.initContainers),
        priority=spec.priority or 0,
        spec=msgspec.structs.replace(spec, nodeName="") if spec.nodeName else spec,
    )
