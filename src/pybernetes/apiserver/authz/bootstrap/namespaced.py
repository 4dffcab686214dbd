"""Roles within the system's namespaces."""

from __future__ import annotations

from pybernetes.api.types import rbac_v1
from pybernetes.apiserver.authz.bootstrap.rules import rule

ROLES: dict[tuple[str, str], tuple[rbac_v1.PolicyRule, ...]] = {
    ("kube-public", "system:controller:bootstrap-signer"): (
        rule("get list watch", "core", "configmaps"),
        rule("update", "core", "configmaps", names="cluster-info"),
        rule("create patch update", "core events.k8s.io", "events"),
    ),
    ("kube-system", "extension-apiserver-authentication-reader"): (
        rule("get list watch", "core", "configmaps", names="extension-apiserver-authentication"),
    ),
    ("kube-system", "system::leader-locking-kube-controller-manager"): (
        rule("create get list update watch", "coordination.k8s.io", "leases"),
        rule("create get list update watch", "coordination.k8s.io", "leasecandidates"),
    ),
    ("kube-system", "system::leader-locking-kube-scheduler"): (
        rule("create get list update watch", "coordination.k8s.io", "leases"),
        rule("create get list update watch", "coordination.k8s.io", "leasecandidates"),
    ),
    ("kube-system", "system:controller:bootstrap-signer"): (rule("get list watch", "core", "secrets"),),
    ("kube-system", "system:controller:cloud-provider"): (rule("create get list watch", "core", "configmaps"),),
    ("kube-system", "system:controller:token-cleaner"): (
        rule("delete get list watch", "core", "secrets"),
        rule("create patch update", "core events.k8s.io", "events"),
    ),
}
