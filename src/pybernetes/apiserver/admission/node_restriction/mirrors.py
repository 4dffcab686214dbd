"""The only pods that a kubelet creates: mirrors of its static ones, which ask nothing of the API."""

from __future__ import annotations

from collections.abc import Callable

from pybernetes.api.types import core_v1
from pybernetes.apiserver.admission import plugin

_MIRROR = "kubernetes.io/config.mirror"
# Volume sources that lead to objects, and what those are called.
_VOLUMES = {
    "configMap": "configmaps (via configmap volumes)",
    "secret": "secrets (via secret volumes)",
    "csi": "csidrivers (via CSI volumes)",
    "glusterfs": "endpoints (via glusterFS volumes)",
    "persistentVolumeClaim": "persistentvolumeclaims",
    "ephemeral": "persistentvolumeclaims (via ephemeral volumes)",
    "azureFile": "secrets (via azureFile volumes)",
}
_PROJECTED = {
    "configMap": "configmaps (via projected volumes)",
    "secret": "secrets (via projected volumes)",
    "serviceAccountToken": "serviceaccounts (via projected volumes)",
    "clusterTrustBundle": "clustertrustbundles (via projected volumes)",
    "podCertificate": "podcertificates (via projected volumes)",
}


def check(node: str, attributes: plugin.Attributes, *, uid_of: Callable[[str], str]) -> None:
    """`uid_of` finds a node's uid. Raises StatusError."""
    pod: core_v1.Pod = attributes.obj
    who = f'node "{node}"'
    if _MIRROR not in pod.metadata.annotations:
        raise attributes.forbidden(f'pod does not have "{_MIRROR}" annotation, {who} can only create mirror pods')
    if pod.spec.nodeName != node:
        raise attributes.forbidden(f"{who} can only create pods with spec.nodeName set to itself")
    owners = pod.metadata.ownerReferences
    if len(owners) > 1:
        raise attributes.forbidden(f"{who} can only create pods with a single owner reference set to itself")
    if not owners or (owners[0].apiVersion, owners[0].kind, owners[0].name) != ("v1", "Node", node):
        raise attributes.forbidden(f"{who} can only create pods with an owner reference set to itself")
    owner = owners[0]
    if not owner.controller:
        raise attributes.forbidden(f"{who} can only create pods with a controller owner reference set to itself")
    if owner.blockOwnerDeletion:
        raise attributes.forbidden(f"{who} must not set blockOwnerDeletion on an owner reference")
    uid = uid_of(node)
    if owner.uid != uid:
        raise attributes.forbidden(f"node {node} UID mismatch: expected {owner.uid} got {uid}")
    referred = references(pod.spec)
    if referred:
        raise attributes.forbidden(f"{who} can not create pods that reference {referred}")


def references(spec: core_v1.PodSpec) -> str:
    """What of the API the pod needs, "" if nothing."""
    if spec.serviceAccountName:
        return "serviceaccounts"
    containers: list[core_v1.Container | core_v1.EphemeralContainer] = [
        *spec.initContainers,
        *spec.containers,
        *spec.ephemeralContainers,
    ]
    if spec.imagePullSecrets or any(_has(container, "secretRef", "secretKeyRef") for container in containers):
        return "secrets"
    if any(_has(container, "configMapRef", "configMapKeyRef") for container in containers):
        return "configmaps"
    if spec.resourceClaims:
        return "resourceclaims"
    for volume in spec.volumes:
        for name, words in _VOLUMES.items():
            if getattr(volume, name, None) is not None:
                return words
        for source in volume.projected.sources if volume.projected is not None else ():
            for name, words in _PROJECTED.items():
                if getattr(source, name, None) is not None:
                    return words
    return ""


def _has(container: core_v1.Container | core_v1.EphemeralContainer, whole: str, key: str) -> bool:
    return any(getattr(source, whole) is not None for source in container.envFrom) or any(
        variable.valueFrom is not None and getattr(variable.valueFrom, key) is not None for variable in container.env
    )
