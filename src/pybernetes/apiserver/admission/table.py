"""The admission plugins there are, in upstream's order; all are on unless they are switched off."""

from __future__ import annotations

from collections.abc import Callable, Collection

from pybernetes.apiserver.admission import (
    claim_resize,
    default_ingress_class,
    default_storage_class,
    default_toleration_seconds,
    limit_ranger,
    namespace_lifecycle,
    plugin,
    priority,
    privileged_containers,
    resource_quota,
    runtime_class,
    service_account,
    storage_object_in_use,
    taint_nodes,
)
from pybernetes.apiserver.storage import collection as collections
from pybernetes.kits import chance as chances

# What `--enable-admission-plugins` and `--disable-admission-plugins` may name.
NAMES = (
    namespace_lifecycle.NamespaceLifecycle.name,
    limit_ranger.LimitRanger.name,
    service_account.ServiceAccount.name,
    taint_nodes.TaintNodesByCondition.name,
    priority.Priority.name,
    default_toleration_seconds.DefaultTolerationSeconds.name,
    default_storage_class.DefaultStorageClass.name,
    storage_object_in_use.StorageObjectInUseProtection.name,
    claim_resize.PersistentVolumeClaimResize.name,
    runtime_class.RuntimeClass.name,
    default_ingress_class.DefaultIngressClass.name,
    resource_quota.ResourceQuota.name,
)


def plugins(
    collection: Callable[[str, str], collections.Collection],
    chance: chances.Chance,
    *,
    off: Collection[str] = (),
    allow_privileged: bool = True,
) -> tuple[plugin.Plugin, ...]:
    """`collection(group, resource)` finds where a resource is stored; `off` names plugins that are not asked."""
    policy = () if allow_privileged else (privileged_containers.PrivilegedContainers(),)
    return (*policy, *(one for one in _plugins(collection, chance) if one.name not in off))


def _plugins(
    collection: Callable[[str, str], collections.Collection], chance: chances.Chance
) -> tuple[plugin.Plugin, ...]:
    return (
        namespace_lifecycle.NamespaceLifecycle(collection("", "namespaces")),
        limit_ranger.LimitRanger(collection("", "limitranges")),
        service_account.ServiceAccount(collection("", "serviceaccounts"), chance),
        taint_nodes.TaintNodesByCondition(),
        priority.Priority(collection("scheduling.k8s.io", "priorityclasses")),
        default_toleration_seconds.DefaultTolerationSeconds(),
        default_storage_class.DefaultStorageClass(collection("storage.k8s.io", "storageclasses")),
        storage_object_in_use.StorageObjectInUseProtection(),
        claim_resize.PersistentVolumeClaimResize(collection("storage.k8s.io", "storageclasses")),
        runtime_class.RuntimeClass(collection("node.k8s.io", "runtimeclasses")),
        default_ingress_class.DefaultIngressClass(collection("networking.k8s.io", "ingressclasses")),
        resource_quota.ResourceQuota(collection("", "resourcequotas")),
    )
