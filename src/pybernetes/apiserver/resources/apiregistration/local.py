"""The APIServices of what this server serves itself, with upstream's priorities, in whose order groups are shown."""

from __future__ import annotations

from collections.abc import Iterable

from pybernetes.api.types import apiregistration_v1, meta_v1

# Group -> its priority, and those of its versions.
_PRIORITIES: dict[str, tuple[int, dict[str, int]]] = {
    "": (18000, {"v1": 1}),
    "apps": (17800, {"v1": 15}),
    "events.k8s.io": (17750, {"v1": 15}),
    "authentication.k8s.io": (17700, {"v1": 15}),
    "authorization.k8s.io": (17600, {"v1": 15}),
    "autoscaling": (17500, {"v1": 15, "v2": 30}),
    "batch": (17400, {"v1": 15}),
    "certificates.k8s.io": (17300, {"v1": 15, "v1beta1": 9, "v1alpha1": 1}),
    "networking.k8s.io": (17200, {"v1": 15, "v1beta1": 9}),
    "policy": (17100, {"v1": 15}),
    "rbac.authorization.k8s.io": (17000, {"v1": 15}),
    "storage.k8s.io": (16800, {"v1": 15, "v1beta1": 9}),
    "apiextensions.k8s.io": (16700, {"v1": 15}),
    "admissionregistration.k8s.io": (16700, {"v1": 15, "v1beta1": 12, "v1alpha1": 9}),
    "scheduling.k8s.io": (16600, {"v1": 15, "v1alpha2": 2}),
    "coordination.k8s.io": (16500, {"v1": 15, "v1beta1": 13, "v1alpha2": 12}),
    "node.k8s.io": (16300, {"v1": 15}),
    "discovery.k8s.io": (16200, {"v1": 15}),
    "resource.k8s.io": (16200, {"v1": 21, "v1beta2": 15, "v1beta1": 9, "v1alpha3": 1}),
    "flowcontrol.apiserver.k8s.io": (16100, {"v1": 21}),
    "internal.apiserver.k8s.io": (16000, {"v1alpha1": 9}),
    "storagemigration.k8s.io": (15800, {"v1beta1": 9}),
    "extensions": (17150, {"v1beta1": 1}),
}
_OF_CUSTOM = 1000
_ON_START = {"kube-aggregator.kubernetes.io/automanaged": "onstart"}
SELECTOR = "kube-aggregator.kubernetes.io/automanaged=onstart"
# Of the group itself, which the aggregator serves without an APIService.
_UNLISTED = "apiregistration.k8s.io"


def priority(group: str) -> int:
    """Of a group that this server has; those of custom resources are all alike."""
    return _PRIORITIES.get(group, (_OF_CUSTOM, {}))[0]


def services(versions: Iterable[tuple[str, str]]) -> list[apiregistration_v1.APIService]:
    """One for each group and version served."""
    return [_service(group, version) for group, version in sorted(set(versions)) if group != _UNLISTED]


def _service(group: str, version: str) -> apiregistration_v1.APIService:
    minimum, of_versions = _PRIORITIES.get(group, (_OF_CUSTOM, {}))
    return apiregistration_v1.APIService(
        metadata=meta_v1.ObjectMeta(name=f"{version}.{group}", labels=dict(_ON_START)),
        spec=apiregistration_v1.APIServiceSpec(
            group=group,
            version=version,
            groupPriorityMinimum=minimum,
            versionPriority=of_versions.get(version, 1),
        ),
    )
