"""The one visible list of served kinds, in discovery order.

What is read and written through other verbs only (reviews, tokens, evictions) is no kind but a handler of its own.
"""

from __future__ import annotations

from typing import Any

from pybernetes.apiserver.resources import kind
from pybernetes.apiserver.resources.apps import (
    controllerrevisions,
    daemonsets,
    deployments,
    replicasets,
    statefulsets,
)
from pybernetes.apiserver.resources.batch import cronjobs, jobs
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
from pybernetes.apiserver.resources.networking import (
    ingressclasses,
    ingresses,
    ipaddresses,
    networkpolicies,
    servicecidrs,
)
from pybernetes.apiserver.resources.policy import poddisruptionbudgets
from pybernetes.apiserver.resources.rbac import clusterrolebindings, clusterroles, rolebindings, roles
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
    controllerrevisions.KIND,
    daemonsets.KIND,
    deployments.KIND,
    replicasets.KIND,
    statefulsets.KIND,
    events.KIND,
    cronjobs.KIND,
    jobs.KIND,
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
    priorityclasses.KIND,
    leases.KIND,
    endpointslices.KIND,
)


def kinds() -> tuple[kind.Kind[Any], ...]:
    """All served kinds."""
    return _KINDS
