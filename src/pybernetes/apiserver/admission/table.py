"""The admission plugins there are, in upstream's order, and which of them are on unless that is said otherwise."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from pybernetes.apiserver.admission import (
    always,
    always_pull_images,
    anti_affinity,
    claim_resize,
    default_ingress_class,
    default_storage_class,
    default_toleration_seconds,
    event_rate_limit,
    extended_resources,
    external_ips,
    hosts,
    image_policy,
    limit_ranger,
    namespace_lifecycle,
    namespace_provision,
    node_selector,
    owner_references,
    plugin,
    pod_resize,
    priority,
    privileged_containers,
    resource_quota,
    runtime_class,
    service_account,
    signers,
    storage_object_in_use,
    taint_nodes,
    toleration_restriction,
    topology_labels,
)
from pybernetes.apiserver.admission.node_restriction import plugin as node_restriction
from pybernetes.apiserver.admission.pod_security import plugin as pod_security
from pybernetes.apiserver.admission.policies import mutating as mutating_policies
from pybernetes.apiserver.admission.policies import validating as validating_policies
from pybernetes.apiserver.admission.webhooks import mutating as mutating_webhooks
from pybernetes.apiserver.admission.webhooks import validating as validating_webhooks

# None: a name of upstream's behind which there is nothing here, or nothing while the features it is for are off.
TABLE: tuple[tuple[str, Callable[[hosts.Host], plugin.Plugin] | None], ...] = (
    ("AlwaysAdmit", lambda _: always.AlwaysAdmit()),
    ("NamespaceAutoProvision", namespace_provision.NamespaceAutoProvision),
    ("NamespaceLifecycle", lambda host: namespace_lifecycle.NamespaceLifecycle(host.collection("", "namespaces"))),
    ("NamespaceExists", lambda host: namespace_provision.NamespaceExists(host.collection("", "namespaces"))),
    ("LimitPodHardAntiAffinityTopology", lambda _: anti_affinity.LimitPodHardAntiAffinityTopology()),
    ("LimitRanger", lambda host: limit_ranger.LimitRanger(host.collection("", "limitranges"))),
    (
        "ServiceAccount",
        lambda host: service_account.ServiceAccount(host.collection("", "serviceaccounts"), host.chance),
    ),
    ("NodeRestriction", node_restriction.NodeRestriction),
    ("TaintNodesByCondition", lambda _: taint_nodes.TaintNodesByCondition()),
    ("AlwaysPullImages", lambda _: always_pull_images.AlwaysPullImages()),
    ("ImagePolicyWebhook", image_policy.ImagePolicyWebhook),
    ("PodSecurity", pod_security.PodSecurity),
    ("PodNodeSelector", node_selector.PodNodeSelector),
    ("Priority", lambda host: priority.Priority(host.collection("scheduling.k8s.io", "priorityclasses"))),
    ("DefaultTolerationSeconds", lambda _: default_toleration_seconds.DefaultTolerationSeconds()),
    ("PodTolerationRestriction", toleration_restriction.PodTolerationRestriction),
    ("EventRateLimit", event_rate_limit.EventRateLimit),
    ("ExtendedResourceToleration", lambda _: extended_resources.ExtendedResourceToleration()),
    (
        "DefaultStorageClass",
        lambda host: default_storage_class.DefaultStorageClass(host.collection("storage.k8s.io", "storageclasses")),
    ),
    ("StorageObjectInUseProtection", lambda _: storage_object_in_use.StorageObjectInUseProtection()),
    ("PodGroupProtection", None),
    ("OwnerReferencesPermissionEnforcement", owner_references.OwnerReferencesPermissionEnforcement),
    (
        "PersistentVolumeClaimResize",
        lambda host: claim_resize.PersistentVolumeClaimResize(host.collection("storage.k8s.io", "storageclasses")),
    ),
    ("RuntimeClass", lambda host: runtime_class.RuntimeClass(host.collection("node.k8s.io", "runtimeclasses"))),
    ("CertificateApproval", lambda host: signers.CertificateApproval(host.authorizer)),
    ("CertificateSigning", lambda host: signers.CertificateSigning(host.authorizer)),
    ("ClusterTrustBundleAttest", lambda host: signers.ClusterTrustBundleAttest(host.authorizer)),
    ("CertificateSubjectRestriction", lambda _: signers.CertificateSubjectRestriction()),
    (
        "DefaultIngressClass",
        lambda host: default_ingress_class.DefaultIngressClass(host.collection("networking.k8s.io", "ingressclasses")),
    ),
    ("DenyServiceExternalIPs", lambda _: external_ips.DenyServiceExternalIPs()),
    ("PodTopologyLabels", lambda host: topology_labels.PodTopologyLabels(host.collection("", "nodes"))),
    ("PodGroupWorkloadExists", None),
    ("NodeDeclaredFeatureValidator", None),
    ("JobValidation", None),
    ("PodResizeValidator", lambda host: pod_resize.PodResizeValidator(host.collection("", "nodes"))),
    ("MutatingAdmissionPolicy", mutating_policies.MutatingAdmissionPolicy),
    ("MutatingAdmissionWebhook", mutating_webhooks.MutatingAdmissionWebhook),
    ("ValidatingAdmissionPolicy", validating_policies.ValidatingAdmissionPolicy),
    ("ValidatingAdmissionWebhook", validating_webhooks.ValidatingAdmissionWebhook),
    ("ResourceQuota", resource_quota.ResourceQuota),
    ("AlwaysDeny", lambda _: always.AlwaysDeny()),
)
# What `--enable-admission-plugins` and `--disable-admission-plugins` may name.
NAMES = tuple(name for name, _ in TABLE)
DEFAULT_OFF = frozenset(
    (
        *("AlwaysAdmit", "NamespaceAutoProvision", "NamespaceExists", "LimitPodHardAntiAffinityTopology"),
        *("NodeRestriction", "AlwaysPullImages", "ImagePolicyWebhook", "PodNodeSelector", "PodTolerationRestriction"),
        *("EventRateLimit", "ExtendedResourceToleration", "OwnerReferencesPermissionEnforcement"),
        *("DenyServiceExternalIPs", "AlwaysDeny"),
    )
)


def plugins(
    host: hosts.Host,
    *,
    on: Collection[str] = (),
    off: Collection[str] = (),
    allow_privileged: bool = True,
) -> tuple[plugin.Plugin, ...]:
    """`on` names plugins to ask beside those that are asked anyway, `off` those not to ask."""
    policy: Iterable[plugin.Plugin] = () if allow_privileged else (privileged_containers.PrivilegedContainers(),)
    wanted = [make for name, make in TABLE if name not in off and (name in on or name not in DEFAULT_OFF)]
    return (*policy, *(make(host) for make in wanted if make is not None))
