"""Defaults of a pod's specification, shared by pods and by every kind that holds a pod template."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TypeAlias

from pybernetes.api import quantity
from pybernetes.api.types import core_v1

AnyContainer: TypeAlias = core_v1.Container | core_v1.EphemeralContainer

_VOLUME_SOURCES = tuple(name for name in core_v1.Volume.__struct_fields__ if name != "name")
_MODE = 0o644
_HOUR = 3600
# What an image may be called: [host[:port]/]path[:tag][@digest].
_PATH = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_HOST = rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?"
_DIGEST = r"[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}"
_REFERENCE = re.compile(rf"(?:{_HOST}/)?{_PATH}(?:/{_PATH})*(?::[\w][\w.-]{{0,127}})?(?:@{_DIGEST})?", re.ASCII)
_LONGEST_REFERENCE = 512


def default(spec: core_v1.PodSpec) -> None:
    """Fill in what the writer left out of the pod itself, its containers and its volumes."""
    spec.dnsPolicy = spec.dnsPolicy or "ClusterFirst"
    spec.restartPolicy = spec.restartPolicy or "Always"
    if spec.securityContext is None:
        spec.securityContext = core_v1.PodSecurityContext()
    if spec.terminationGracePeriodSeconds is None:
        spec.terminationGracePeriodSeconds = 30
    elif spec.terminationGracePeriodSeconds < 0:
        spec.terminationGracePeriodSeconds = 1
    spec.schedulerName = spec.schedulerName or "default-scheduler"
    # Both names of the account are served; the old one follows the new.
    spec.serviceAccountName = spec.serviceAccountName or spec.serviceAccount
    spec.serviceAccount = spec.serviceAccountName
    for container in all_containers(spec):
        default_container(container)
    for volume in spec.volumes:
        default_volume(volume)
    if spec.overhead:
        spec.overhead = _milli(spec.overhead)


def all_containers(spec: core_v1.PodSpec) -> Iterator[AnyContainer]:
    """Init containers, containers and ephemeral ones."""
    yield from spec.initContainers
    yield from spec.containers
    yield from spec.ephemeralContainers


def image_tag(image: str) -> str:
    """The tag of an image reference; `latest` where it states neither tag nor digest."""
    name, at, _ = image.partition("@")
    last = name.rpartition("/")[2]
    _, colon, tag = last.partition(":")
    if colon:
        return tag
    return "" if at else "latest"


def _is_reference(image: str) -> bool:
    return len(image) <= _LONGEST_REFERENCE and _REFERENCE.fullmatch(image) is not None


def default_container(container: AnyContainer) -> None:
    if not container.imagePullPolicy:
        is_latest = image_tag(container.image) == "latest" and _is_reference(container.image)
        container.imagePullPolicy = "Always" if is_latest else "IfNotPresent"
    container.terminationMessagePath = container.terminationMessagePath or "/dev/termination-log"
    container.terminationMessagePolicy = container.terminationMessagePolicy or "File"
    for port in container.ports:
        port.protocol = port.protocol or "TCP"
    for variable in container.env:
        if variable.valueFrom is not None and variable.valueFrom.fieldRef is not None:
            _default_field_reference(variable.valueFrom.fieldRef)
        if variable.valueFrom is not None and variable.valueFrom.resourceFieldRef is not None:
            _default_resource_reference(variable.valueFrom.resourceFieldRef)
        if variable.valueFrom is not None and variable.valueFrom.fileKeyRef is not None:
            variable.valueFrom.fileKeyRef.optional = bool(variable.valueFrom.fileKeyRef.optional)
    for probe in (container.livenessProbe, container.readinessProbe, container.startupProbe):
        if probe is not None:
            default_probe(probe)
    if container.lifecycle is not None:
        for handler in (container.lifecycle.postStart, container.lifecycle.preStop):
            if handler is not None and handler.httpGet is not None:
                _default_http_get(handler.httpGet)
    resources = container.resources
    if resources.limits:
        resources.limits = _milli(resources.limits)
    if resources.requests:
        resources.requests = _milli(resources.requests)
    context = container.securityContext
    if context is not None and context.procMount is not None:
        context.procMount = context.procMount or "Default"


def default_requests(container: AnyContainer) -> None:
    """A limit without a request is its own request; for pods only, templates keep what they say."""
    for name, limit in container.resources.limits.items():
        container.resources.requests.setdefault(name, limit)


def default_host_ports(spec: core_v1.PodSpec) -> None:
    """On the host's network a container's port is the host's; for pods only."""
    for container in (*spec.containers, *spec.initContainers):
        for port in container.ports:
            port.hostPort = port.hostPort or port.containerPort


def default_probe(probe: core_v1.Probe) -> None:
    probe.timeoutSeconds = probe.timeoutSeconds or 1
    probe.periodSeconds = probe.periodSeconds or 10
    probe.successThreshold = probe.successThreshold or 1
    probe.failureThreshold = probe.failureThreshold or 3
    if probe.httpGet is not None:
        _default_http_get(probe.httpGet)
    if probe.grpc is not None and probe.grpc.service is None:
        probe.grpc.service = ""


def _default_http_get(action: core_v1.HTTPGetAction) -> None:
    action.path = action.path or "/"
    action.scheme = action.scheme or "HTTP"


def _default_field_reference(reference: core_v1.ObjectFieldSelector) -> None:
    reference.apiVersion = reference.apiVersion or "v1"


def _default_resource_reference(reference: core_v1.ResourceFieldSelector) -> None:
    reference.divisor = reference.divisor or quantity.Quantity("0")


def _milli(resources: Mapping[str, quantity.Quantity]) -> dict[str, quantity.Quantity]:
    """Amounts finer than thousandths are rounded up to them."""
    return {name: amount if _is_milli(amount) else _rounded(amount) for name, amount in resources.items()}


def _is_milli(amount: quantity.Quantity) -> bool:
    return amount[-1:] not in ("n", "u") or (amount.value() * 1000).denominator == 1


def _rounded(amount: quantity.Quantity) -> quantity.Quantity:
    return quantity.Quantity.parse(f"{amount.milli()}m")


def default_volume(volume: core_v1.Volume) -> None:
    """An empty source is an emptyDir; file modes and the like are filled in."""
    if all(getattr(volume, name) is None for name in _VOLUME_SOURCES):
        volume.emptyDir = core_v1.EmptyDirVolumeSource()
    for source in (volume.secret, volume.configMap, volume.downwardAPI, volume.projected):
        if source is not None and source.defaultMode is None:
            source.defaultMode = _MODE
    if volume.downwardAPI is not None:
        _default_downward_files(volume.downwardAPI.items)
    if volume.projected is not None:
        for projection in volume.projected.sources:
            if projection.serviceAccountToken is not None and projection.serviceAccountToken.expirationSeconds is None:
                projection.serviceAccountToken.expirationSeconds = _HOUR
            if projection.downwardAPI is not None:
                _default_downward_files(projection.downwardAPI.items)
    if volume.hostPath is not None and volume.hostPath.type is None:
        volume.hostPath.type = ""
    if volume.image is not None and not volume.image.pullPolicy:
        latest = image_tag(volume.image.reference or "") == "latest"
        volume.image.pullPolicy = "Always" if latest else "IfNotPresent"
    if volume.ephemeral is not None and volume.ephemeral.volumeClaimTemplate is not None:
        claim = volume.ephemeral.volumeClaimTemplate.spec
        claim.volumeMode = claim.volumeMode or "Filesystem"
    if volume.iscsi is not None:
        volume.iscsi.iscsiInterface = volume.iscsi.iscsiInterface or "default"
    if volume.rbd is not None:
        volume.rbd.pool = volume.rbd.pool or "rbd"
        volume.rbd.user = volume.rbd.user or "admin"
        volume.rbd.keyring = volume.rbd.keyring or "/etc/ceph/keyring"
    if volume.azureDisk is not None:
        disk = volume.azureDisk
        disk.cachingMode = disk.cachingMode or "ReadWrite"
        disk.kind = disk.kind or "Shared"
        disk.fsType = disk.fsType or "ext4"
        disk.readOnly = bool(disk.readOnly)
    if volume.scaleIO is not None:
        volume.scaleIO.storageMode = volume.scaleIO.storageMode or "ThinProvisioned"
        volume.scaleIO.fsType = volume.scaleIO.fsType or "xfs"


def _default_downward_files(files: list[core_v1.DownwardAPIVolumeFile]) -> None:
    for file in files:
        if file.fieldRef is not None:
            _default_field_reference(file.fieldRef)
        if file.resourceFieldRef is not None:
            _default_resource_reference(file.resourceFieldRef)
