"""The admission plugins that are on, in upstream's order."""

from __future__ import annotations

from collections.abc import Callable

from pybernetes.apiserver.admission import (
    default_ingress_class,
    default_storage_class,
    default_toleration_seconds,
    limit_ranger,
    namespace_lifecycle,
    plugin,
    priority,
    runtime_class,
    service_account,
    taint_nodes,
)
from pybernetes.apiserver.storage import collection as collections
from pybernetes.kits import chance as chances


def plugins(
    collection: Callable[[str, str], collections.Collection], chance: chances.Chance
) -> tuple[plugin.Plugin, ...]:
    """`collection(group, resource)` finds where a resource is stored."""
    return (
        namespace_lifecycle.NamespaceLifecycle(collection("", "namespaces")),
        limit_ranger.LimitRanger(collection("", "limitranges")),
        service_account.ServiceAccount(collection("", "serviceaccounts"), chance),
        taint_nodes.TaintNodesByCondition(),
        priority.Priority(collection("scheduling.k8s.io", "priorityclasses")),
        default_toleration_seconds.DefaultTolerationSeconds(),
        default_storage_class.DefaultStorageClass(collection("storage.k8s.io", "storageclasses")),
        runtime_class.RuntimeClass(collection("node.k8s.io", "runtimeclasses")),
        default_ingress_class.DefaultIngressClass(collection("networking.k8s.io", "ingressclasses")),
    )
