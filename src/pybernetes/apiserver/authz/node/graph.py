"""Which objects lead to which nodes. Pure: told of objects as they come and go, asked about one object and one node.

    secret, configmap, claim, service account -- pod -- node
    secret -- volume -- claim -- pod -- node
    volume attachment, resource slice, certificate request -- node

For what pods refer to there is a count of them for each node, so that an answer takes no walk.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from pybernetes.api.types import core_v1
from pybernetes.apiserver.authz.node import references

Name = tuple[str, str]
Reference = tuple[str, str, str]


class _Pod(NamedTuple):
    """What of a pod is known: `state` is what, while it is the same, has the same references."""

    node: str
    state: tuple[object, ...]
    references: tuple[Reference, ...]


class _Volume(NamedTuple):
    claim: Name
    secrets: tuple[Name, ...]


class Graph:
    """Names are (namespace, name), the namespace "" where there is none."""

    def __init__(self) -> None:
        self._pods: dict[Name, _Pod] = {}
        # (resource, namespace, name) -> node -> how many of its pods refer to it.
        self._nodes_of: dict[Reference, dict[str, int]] = {}
        self._volumes: dict[str, _Volume] = {}
        self._volumes_of: dict[Name, set[str]] = {}
        # Resource -> name -> the node that it belongs to.
        self._owned: dict[str, dict[Name, str]] = {}

    def leads(self, resource: str, name: Name, node: str) -> bool:
        """Whether the object concerns the node."""
        if resource == "pods":
            pod = self._pods.get(name)
            return pod is not None and pod.node == node
        if resource in self._owned:
            return self._owned[resource].get(name) == node
        if resource == "persistentvolumes":
            volume = self._volumes.get(name[1])
            return volume is not None and self._of_pods("persistentvolumeclaims", volume.claim, node)
        if self._of_pods(resource, name, node):
            return True
        return resource == "secrets" and any(
            self._of_pods("persistentvolumeclaims", self._volumes[volume].claim, node)
            for volume in self._volumes_of.get(name, ())
        )

    def _of_pods(self, resource: str, name: Name, node: str) -> bool:
        return node in self._nodes_of.get((resource, *name), ())

    # -- what has changed

    def pod(self, pod: references.Pod) -> None:
        node = pod.spec.nodeName
        if not node:
            return
        name = (pod.metadata.namespace, pod.metadata.name)
        known = self._pods.get(name)
        claims = tuple((status.name, status.resourceClaimName) for status in pod.status.resourceClaimStatuses)
        extended = pod.status.extendedResourceClaimStatus
        state = (
            pod.metadata.uid,
            len(pod.spec.ephemeralContainers),
            claims,
            extended.resourceClaimName if extended is not None else "",
        )
        if known is not None and known.node == node and known.state == state:
            # Nothing else of it can change.
            return
        self.pod_gone(name)
        found = tuple({(resource, name[0], other) for resource, other in references.of_pod(pod) if other})
        self._pods[name] = _Pod(node, state, found)
        for reference in found:
            counts = self._nodes_of.setdefault(reference, {})
            counts[node] = counts.get(node, 0) + 1

    def pod_gone(self, name: Name) -> None:
        pod = self._pods.pop(name, None)
        if pod is None:
            return
        for reference in pod.references:
            counts = self._nodes_of[reference]
            counts[pod.node] -= 1
            if not counts[pod.node]:
                del counts[pod.node]
            if not counts:
                del self._nodes_of[reference]

    def volume(self, volume: core_v1.PersistentVolume) -> None:
        name = volume.metadata.name
        self.volume_gone(name)
        claim = volume.spec.claimRef
        if claim is None:
            return
        secrets = tuple({secret for secret in references.secrets_of(volume) if secret[1]})
        self._volumes[name] = _Volume((claim.namespace, claim.name), secrets)
        for secret in secrets:
            self._volumes_of.setdefault(secret, set()).add(name)

    def volume_gone(self, name: str) -> None:
        volume = self._volumes.pop(name, None)
        for secret in volume.secrets if volume is not None else ():
            self._volumes_of[secret].discard(name)
            if not self._volumes_of[secret]:
                del self._volumes_of[secret]

    def own(self, resources: Iterable[str]) -> None:
        """Of these resources each object belongs to one node, or to none."""
        self._owned.update((resource, {}) for resource in resources)

    def owned(self, resource: str, name: Name, node: str) -> None:
        """`node` is "" where there is none, or no object any more."""
        if node:
            self._owned[resource][name] = node
        else:
            self._owned[resource].pop(name, None)
