"""The one visible list of kinds: those served by default, in discovery order, and those that can be switched on.

What is read and written through other verbs only (reviews, tokens, evictions) is no kind but a handler of its own.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from typing import Any

from pybernetes.apiserver.resources import kind, runtime_config, views
from pybernetes.apiserver.resources.admissionregistration import (
    mutatingadmissionpolicies,
    mutatingadmissionpolicybindings,
    mutatingwebhookconfigurations,
    validatingadmissionpolicies,
    validatingadmissionpolicybindings,
    validatingwebhookconfigurations,
)
from pybernetes.apiserver.resources.apiextensions import customresourcedefinitions
from pybernetes.apiserver.resources.apiregistration import apiservices
from pybernetes.apiserver.resources.apps import (
    controllerrevisions,
    daemonsets,
    deployments,
    replicasets,
    statefulsets,
)
from pybernetes.apiserver.resources.autoscaling import horizontalpodautoscalers, horizontalpodautoscalers_v1
from pybernetes.apiserver.resources.batch import cronjobs, jobs
from pybernetes.apiserver.resources.certificates import certificatesigningrequests
from pybernetes.apiserver.resources.coordination import leases
from pybernetes.apiserver.resources.core import (
    bindings,
    componentstatuses,
    configmaps,
    endpoints,
    limitranges,
    namespaces,
    nodes,
    persistentvolumeclaims,
    persistentvolumes,
    pods,
    podtemplates,
    replicationcontrollers,
    resourcequotas,
    secrets,
    serviceaccounts,
    services,
)
from pybernetes.apiserver.resources.core import events as core_events
from pybernetes.apiserver.resources.discovery import endpointslices
from pybernetes.apiserver.resources.events import events
from pybernetes.apiserver.resources.flowcontrol import flowschemas, prioritylevelconfigurations
from pybernetes.apiserver.resources.networking import (
    ingressclasses,
    ingresses,
    ipaddresses,
    networkpolicies,
    servicecidrs,
)
from pybernetes.apiserver.resources.node import runtimeclasses
from pybernetes.apiserver.resources.policy import poddisruptionbudgets
from pybernetes.apiserver.resources.rbac import clusterrolebindings, clusterroles, rolebindings, roles
from pybernetes.apiserver.resources.resource import (
    deviceclasses,
    resourceclaims,
    resourceclaimtemplates,
    resourceslices,
)
from pybernetes.apiserver.resources.scheduling import priorityclasses
from pybernetes.apiserver.resources.storage import (
    csidrivers,
    csinodes,
    csistoragecapacities,
    storageclasses,
    volumeattachments,
    volumeattributesclasses,
)

_KINDS: tuple[kind.Kind[Any], ...] = (
    bindings.KIND,
    componentstatuses.KIND,
    configmaps.KIND,
    endpoints.KIND,
    core_events.KIND,
    limitranges.KIND,
    namespaces.KIND,
    nodes.KIND,
    persistentvolumeclaims.KIND,
    persistentvolumes.KIND,
    pods.KIND,
    podtemplates.KIND,
    replicationcontrollers.KIND,
    resourcequotas.KIND,
    secrets.KIND,
    serviceaccounts.KIND,
    services.KIND,
    apiservices.KIND,
    customresourcedefinitions.KIND,
    controllerrevisions.KIND,
    daemonsets.KIND,
    deployments.KIND,
    replicasets.KIND,
    statefulsets.KIND,
    events.KIND,
    horizontalpodautoscalers.KIND,
    horizontalpodautoscalers_v1.KIND,
    cronjobs.KIND,
    jobs.KIND,
    certificatesigningrequests.KIND,
    ingressclasses.KIND,
    ingresses.KIND,
    ipaddresses.KIND,
    networkpolicies.KIND,
    servicecidrs.KIND,
    poddisruptionbudgets.KIND,
    clusterrolebindings.KIND,
    clusterroles.KIND,
    rolebindings.KIND,
    roles.KIND,
    csidrivers.KIND,
    csinodes.KIND,
    csistoragecapacities.KIND,
    storageclasses.KIND,
    volumeattachments.KIND,
    volumeattributesclasses.KIND,
    mutatingadmissionpolicies.KIND,
    mutatingadmissionpolicybindings.KIND,
    mutatingwebhookconfigurations.KIND,
    validatingadmissionpolicies.KIND,
    validatingadmissionpolicybindings.KIND,
    validatingwebhookconfigurations.KIND,
    priorityclasses.KIND,
    leases.KIND,
    runtimeclasses.KIND,
    endpointslices.KIND,
    deviceclasses.KIND,
    resourceclaims.KIND,
    resourceclaimtemplates.KIND,
    resourceslices.KIND,
    flowschemas.KIND,
    prioritylevelconfigurations.KIND,
)

# Group and version -> resource -> module and name of its kind; without a name, the version's objects look like those
# of the module's KIND. Imported when switched on.
_OPTIONAL: dict[tuple[str, str], dict[str, str]] = {
    ("certificates.k8s.io", "v1beta1"): {
        "clustertrustbundles": "certificates.clustertrustbundles:KIND",
        "podcertificaterequests": "certificates.podcertificaterequests:KIND",
    },
    ("certificates.k8s.io", "v1alpha1"): {"clustertrustbundles": "certificates.clustertrustbundles"},
    ("networking.k8s.io", "v1beta1"): {
        "ipaddresses": "networking.ipaddresses",
        "servicecidrs": "networking.servicecidrs",
    },
    ("storage.k8s.io", "v1beta1"): {"volumeattributesclasses": "storage.volumeattributesclasses"},
    ("admissionregistration.k8s.io", "v1beta1"): {
        "mutatingadmissionpolicies": "admissionregistration.mutatingadmissionpolicies",
        "mutatingadmissionpolicybindings": "admissionregistration.mutatingadmissionpolicybindings",
    },
    ("admissionregistration.k8s.io", "v1alpha1"): {
        "mutatingadmissionpolicies": "admissionregistration.mutatingadmissionpolicies",
        "mutatingadmissionpolicybindings": "admissionregistration.mutatingadmissionpolicybindings",
    },
    ("scheduling.k8s.io", "v1alpha2"): {
        "podgroups": "scheduling.podgroups:KIND",
        "workloads": "scheduling.workloads:KIND",
    },
    ("coordination.k8s.io", "v1beta1"): {"leasecandidates": "coordination.leasecandidates:KIND"},
    ("coordination.k8s.io", "v1alpha2"): {"leasecandidates": "coordination.leasecandidates"},
    ("resource.k8s.io", "v1beta2"): {
        "deviceclasses": "resource.deviceclasses",
        "devicetaintrules": "resource.devicetaintrules",
        "resourceclaims": "resource.resourceclaims",
        "resourceclaimtemplates": "resource.resourceclaimtemplates",
        "resourceslices": "resource.resourceslices",
    },
    ("resource.k8s.io", "v1beta1"): {
        "deviceclasses": "resource.deviceclasses",
        "resourceclaims": "resource.v1beta1:CLAIMS",
        "resourceclaimtemplates": "resource.v1beta1:TEMPLATES",
        "resourceslices": "resource.v1beta1:SLICES",
    },
    ("resource.k8s.io", "v1alpha3"): {
        "devicetaintrules": "resource.devicetaintrules:KIND",
        "resourcepoolstatusrequests": "resource.resourcepoolstatusrequests:KIND",
    },
    ("internal.apiserver.k8s.io", "v1alpha1"): {"storageversions": "internal_apiserver.storageversions:KIND"},
    ("storagemigration.k8s.io", "v1beta1"): {
        "storageversionmigrations": "storagemigration.storageversionmigrations:KIND"
    },
    # What manifests of 2017 are written in; upstream no longer has it.
    ("extensions", "v1beta1"): {
        "daemonsets": "extensions.workloads:EXTENSIONS_DAEMONSETS",
        "deployments": "extensions.workloads:EXTENSIONS_DEPLOYMENTS",
        "ingresses": "extensions.ingresses:KIND",
        "networkpolicies": "extensions.networkpolicies:KIND",
        "replicasets": "extensions.workloads:EXTENSIONS_REPLICASETS",
    },
    ("apps", "v1beta1"): {
        "deployments": "extensions.workloads:APPS1_DEPLOYMENTS",
        "statefulsets": "extensions.workloads:APPS1_STATEFULSETS",
    },
    ("apps", "v1beta2"): {
        "daemonsets": "extensions.workloads:APPS2_DAEMONSETS",
        "deployments": "extensions.workloads:APPS2_DEPLOYMENTS",
        "replicasets": "extensions.workloads:APPS2_REPLICASETS",
        "statefulsets": "extensions.workloads:APPS2_STATEFULSETS",
    },
}


def kinds(config: Mapping[str, bool] | None = None) -> tuple[kind.Kind[Any], ...]:
    """What is served under a runtime configuration. Raises ValueError for versions that there are none of."""
    if not config:
        return _KINDS
    versions = {(k.resource.group, k.resource.version) for k in _KINDS} | set(_OPTIONAL)
    runtime_config.check(config, versions)
    served = [k for k in _KINDS if runtime_config.is_on(config, k.resource)]
    return (*served, *_switched_on(config))


def _switched_on(config: Mapping[str, bool]) -> Iterator[kind.Kind[Any]]:
    for (group, version), resources in _OPTIONAL.items():
        for name, where in resources.items():
            if runtime_config.is_on(config, kind.resource(group, version, name)):
                yield _load(version, where)


def _load(version: str, where: str) -> kind.Kind[Any]:
    module, _, attribute = where.partition(":")
    loaded = importlib.import_module(f"{__package__}.{module}")
    found: kind.Kind[Any] = getattr(loaded, attribute or "KIND")
    return found if attribute else views.alike(found, version)


parse_runtime_config = runtime_config.parse
