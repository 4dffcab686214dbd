"""What pods and persistent volumes refer to. Pure.

Pods are looked at in a form of their own, which is what of them matters here: a tenth of the cost of the whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from pybernetes.api.types import core_v1

MIRROR = "kubernetes.io/config.mirror"
# Sources of volumes whose secret is a `secretRef`.
_BY_REFERENCE = ("cephfs", "cinder", "flexVolume", "rbd", "scaleIO", "iscsi", "storageos")
# Of CSI volumes, the secrets that kubelets use.
_CSI = ("nodePublishSecretRef", "nodeStageSecretRef", "nodeExpandSecretRef")


class _Metadata(msgspec.Struct):
    name: str = ""
    namespace: str = ""
    uid: str = ""
    annotations: dict[str, str] = {}


class _Container(msgspec.Struct):
    env: list[core_v1.EnvVar] = []
    envFrom: list[core_v1.EnvFromSource] = []


class _Spec(msgspec.Struct):
    nodeName: str = ""
    serviceAccountName: str = ""
    imagePullSecrets: list[core_v1.LocalObjectReference] = []
    volumes: list[core_v1.Volume] = []
    containers: list[_Container] = []
    initContainers: list[_Container] = []
    ephemeralContainers: list[_Container] = []
    resourceClaims: list[core_v1.PodResourceClaim] = []


class _Status(msgspec.Struct):
    resourceClaimStatuses: list[core_v1.PodResourceClaimStatus] = []
    extendedResourceClaimStatus: core_v1.PodExtendedResourceClaimStatus | None = None


class Pod(msgspec.Struct):
    """A pod as far as it matters here."""

    metadata: _Metadata
    spec: _Spec = msgspec.field(default_factory=_Spec)
    status: _Status = msgspec.field(default_factory=_Status)


class _BoundSpec(msgspec.Struct):
    nodeName: str | None = ""


class OfNode(msgspec.Struct):
    """Of an object that belongs to a node, which."""

    spec: _BoundSpec = msgspec.field(default_factory=_BoundSpec)


def of_pod(pod: Pod) -> Iterator[tuple[str, str]]:
    """(resource, name), within the pod's namespace. A mirror pod, which a kubelet may make, leads to nothing."""
    if MIRROR in pod.metadata.annotations:
        return
    if pod.spec.serviceAccountName:
        yield "serviceaccounts", pod.spec.serviceAccountName
    for pull in pod.spec.imagePullSecrets:
        yield "secrets", pull.name
    for container in (*pod.spec.containers, *pod.spec.initContainers, *pod.spec.ephemeralContainers):
        yield from _of_container(container)
    for volume in pod.spec.volumes:
        yield from _of_volume(pod, volume)
    yield from _of_claims(pod)


def _of_container(container: _Container) -> Iterator[tuple[str, str]]:
    for source in container.envFrom:
        if source.secretRef is not None:
            yield "secrets", source.secretRef.name
        if source.configMapRef is not None:
            yield "configmaps", source.configMapRef.name
    for variable in container.env:
        if variable.valueFrom is None:
            continue
        if variable.valueFrom.secretKeyRef is not None:
            yield "secrets", variable.valueFrom.secretKeyRef.name
        if variable.valueFrom.configMapKeyRef is not None:
            yield "configmaps", variable.valueFrom.configMapKeyRef.name


def _of_volume(pod: Pod, volume: core_v1.Volume) -> Iterator[tuple[str, str]]:
    if volume.secret is not None:
        yield "secrets", volume.secret.secretName
    if volume.configMap is not None:
        yield "configmaps", volume.configMap.name
    for source in volume.projected.sources if volume.projected is not None else ():
        if source.secret is not None:
            yield "secrets", source.secret.name
        if source.configMap is not None:
            yield "configmaps", source.configMap.name
    if volume.persistentVolumeClaim is not None:
        yield "persistentvolumeclaims", volume.persistentVolumeClaim.claimName
    elif volume.ephemeral is not None:
        yield "persistentvolumeclaims", f"{pod.metadata.name}-{volume.name}"
    if volume.azureFile is not None:
        yield "secrets", volume.azureFile.secretName
    if volume.csi is not None and volume.csi.nodePublishSecretRef is not None:
        yield "secrets", volume.csi.nodePublishSecretRef.name
    for name in _BY_REFERENCE:
        chosen: Any = getattr(volume, name)
        if chosen is not None and chosen.secretRef is not None:
            yield "secrets", chosen.secretRef.name


def _of_claims(pod: Pod) -> Iterator[tuple[str, str]]:
    made = {status.name: status.resourceClaimName for status in pod.status.resourceClaimStatuses}
    for claim in pod.spec.resourceClaims:
        name = claim.resourceClaimName or made.get(claim.name)
        if name:
            yield "resourceclaims", name
    extended = pod.status.extendedResourceClaimStatus
    if extended is not None:
        yield "resourceclaims", extended.resourceClaimName


def secrets_of(volume: core_v1.PersistentVolume) -> Iterator[tuple[str, str]]:
    """(namespace, name) of the secrets that the kubelet of a pod with the bound volume reads."""
    spec = volume.spec
    home = spec.claimRef.namespace if spec.claimRef is not None else ""
    if spec.azureFile is not None:
        yield spec.azureFile.secretNamespace or home, spec.azureFile.secretName
    for name in _BY_REFERENCE:
        source: Any = getattr(spec, name)
        if source is not None and source.secretRef is not None:
            yield source.secretRef.namespace or home, source.secretRef.name
    for name in _CSI if spec.csi is not None else ():
        reference: core_v1.SecretReference | None = getattr(spec.csi, name)
        if reference is not None:
            yield reference.namespace, reference.name
