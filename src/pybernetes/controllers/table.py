"""All controllers, by upstream's names; the one list that says what runs, in which order they are made."""

from __future__ import annotations

from collections.abc import Callable

from pybernetes.api.types import apiserverinternal_v1alpha1, storagemigration_v1beta1
from pybernetes.controllers import (
    certificates,
    clusterrole_aggregation,
    device_taints,
    endpoints,
    legacy_tokens,
    namespaces,
    optional,
    policy_status,
    root_ca,
    service_cidrs,
    serviceaccount_tokens,
    serviceaccounts,
    storagemigration,
    storageversion_gc,
    ttl_after_finished,
)
from pybernetes.controllers.bootstrap import Signer, TokenCleaner
from pybernetes.controllers.context import Context, Controller
from pybernetes.controllers.cronjob import CronJobs
from pybernetes.controllers.daemon import DaemonSets
from pybernetes.controllers.deployment import Deployments
from pybernetes.controllers.disruption import Disruption
from pybernetes.controllers.endpointslice import EndpointSlices, Mirroring
from pybernetes.controllers.garbage import GarbageCollector
from pybernetes.controllers.horizontal import Autoscalers
from pybernetes.controllers.job import Jobs
from pybernetes.controllers.loadbalancer import LoadBalancers
from pybernetes.controllers.node import eviction, ipam, lifecycle, podgc, ttl
from pybernetes.controllers.quota import ResourceQuotas
from pybernetes.controllers.replicaset import ReplicaSets, replication
from pybernetes.controllers.resourceclaim import ResourceClaims
from pybernetes.controllers.statefulset import StatefulSets
from pybernetes.controllers.volume import attachdetach, binder, ephemeral, expanding, protection

CONTROLLERS: dict[str, Callable[[Context], Controller]] = {
    "serviceaccount-token-controller": serviceaccount_tokens.Tokens,
    "endpoints-controller": endpoints.Endpoints,
    "endpointslice-controller": EndpointSlices,
    "endpointslice-mirroring-controller": Mirroring,
    "replicationcontroller-controller": replication.controller_for,
    "pod-garbage-collector-controller": podgc.PodGC,
    "resourcequota-controller": ResourceQuotas,
    "namespace-controller": namespaces.Namespaces,
    "garbage-collector-controller": GarbageCollector,
    "serviceaccount-controller": serviceaccounts.ServiceAccounts,
    "daemonset-controller": DaemonSets,
    "job-controller": Jobs,
    "cronjob-controller": CronJobs,
    "deployment-controller": Deployments,
    "replicaset-controller": ReplicaSets,
    "horizontal-pod-autoscaler-controller": Autoscalers,
    "statefulset-controller": StatefulSets,
    "disruption-controller": Disruption,
    "certificatesigningrequest-signing-controller": certificates.Signing,
    "certificatesigningrequest-approving-controller": certificates.Approving,
    "certificatesigningrequest-cleaner-controller": certificates.Cleaning,
    "ttl-after-finished-controller": ttl_after_finished.TTLAfterFinished,
    "ttl-controller": ttl.TTL,
    "bootstrap-signer-controller": Signer,
    "token-cleaner-controller": TokenCleaner,
    "node-ipam-controller": ipam.NodeIPAM,
    "node-lifecycle-controller": lifecycle.NodeLifecycle,
    "taint-eviction-controller": eviction.TaintEviction,
    "service-lb-controller": LoadBalancers,
    "persistentvolume-binder-controller": binder.Binder,
    "persistentvolume-attach-detach-controller": attachdetach.AttachDetach,
    "persistentvolume-expander-controller": expanding.Expanding,
    "persistentvolumeclaim-protection-controller": protection.ClaimProtection,
    "persistentvolume-protection-controller": protection.VolumeProtection,
    "volumeattributesclass-protection-controller": protection.AttributesProtection,
    "ephemeral-volume-controller": ephemeral.EphemeralVolumes,
    "clusterrole-aggregation-controller": clusterrole_aggregation.ClusterRoleAggregation,
    "root-ca-certificate-publisher-controller": root_ca.RootCA,
    "resourceclaim-controller": ResourceClaims,
    "device-taint-eviction-controller": device_taints.DeviceTaints,
    "legacy-serviceaccount-token-cleaner-controller": legacy_tokens.LegacyTokens,
    "validatingadmissionpolicy-status-controller": policy_status.PolicyStatus,
    "service-cidr-controller": service_cidrs.ServiceCIDRs,
    "storageversion-garbage-collector-controller": optional.where_served(
        apiserverinternal_v1alpha1.StorageVersion, storageversion_gc.StorageVersionGC
    ),
    "storage-version-migrator-controller": optional.where_served(
        storagemigration_v1beta1.StorageVersionMigration, storagemigration.Migrator
    ),
}
