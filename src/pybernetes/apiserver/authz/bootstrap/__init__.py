"""The RBAC policy that every cluster starts with: who may do what before anybody has said so.

The roles are data (`cluster`, `controllers`, `namespaced`); here they become objects, together with the bindings.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from pybernetes.api.types import meta_v1, rbac_v1
from pybernetes.apiserver.authz.bootstrap import cluster, controllers, namespaced

_GROUP = "rbac.authorization.k8s.io"
_LABELS = {"kubernetes.io/bootstrapping": "rbac-defaults"}
_ANNOTATIONS = {"rbac.authorization.kubernetes.io/autoupdate": "true"}
_CONTROLLER = "system:controller:"

# Roles that are the sum of others: name -> the level whose label they gather.
_AGGREGATED = {"admin": "admin", "edit": "edit", "view": "view"}
# Roles that others gather: name -> the level they count for.
_COUNTS_FOR = {
    "edit": "admin",
    "view": "edit",
    "system:aggregate-to-admin": "admin",
    "system:aggregate-to-edit": "edit",
    "system:aggregate-to-view": "view",
}

# ClusterRole -> subjects, as `Kind:name` or `ServiceAccount:namespace/name`; the binding has the role's name.
_CLUSTER_BINDINGS: dict[str, tuple[str, ...]] = {
    "cluster-admin": ("Group:system:masters",),
    "system:basic-user": ("Group:system:authenticated",),
    "system:discovery": ("Group:system:authenticated",),
    "system:kube-controller-manager": ("User:system:kube-controller-manager",),
    "system:kube-dns": ("ServiceAccount:kube-system/kube-dns",),
    "system:kube-scheduler": ("User:system:kube-scheduler",),
    "system:monitoring": ("Group:system:monitoring",),
    "system:node": (),
    "system:node-proxier": ("User:system:kube-proxy",),
    "system:public-info-viewer": ("Group:system:authenticated", "Group:system:unauthenticated"),
    "system:service-account-issuer-discovery": ("Group:system:serviceaccounts",),
    "system:volume-scheduler": ("User:system:kube-scheduler",),
}

# (namespace, binding) -> (role, subjects).
_BINDINGS: dict[tuple[str, str], tuple[str, tuple[str, ...]]] = {
    ("kube-public", "system:controller:bootstrap-signer"): (
        "system:controller:bootstrap-signer",
        ("ServiceAccount:kube-system/bootstrap-signer",),
    ),
    ("kube-system", "system::extension-apiserver-authentication-reader"): (
        "extension-apiserver-authentication-reader",
        ("User:system:kube-controller-manager", "User:system:kube-scheduler"),
    ),
    ("kube-system", "system::leader-locking-kube-controller-manager"): (
        "system::leader-locking-kube-controller-manager",
        ("User:system:kube-controller-manager", "ServiceAccount:kube-system/kube-controller-manager"),
    ),
    ("kube-system", "system::leader-locking-kube-scheduler"): (
        "system::leader-locking-kube-scheduler",
        ("User:system:kube-scheduler", "ServiceAccount:kube-system/kube-scheduler"),
    ),
    ("kube-system", "system:controller:bootstrap-signer"): (
        "system:controller:bootstrap-signer",
        ("ServiceAccount:kube-system/bootstrap-signer",),
    ),
    ("kube-system", "system:controller:cloud-provider"): (
        "system:controller:cloud-provider",
        ("ServiceAccount:kube-system/cloud-provider",),
    ),
    ("kube-system", "system:controller:token-cleaner"): (
        "system:controller:token-cleaner",
        ("ServiceAccount:kube-system/token-cleaner",),
    ),
}


def _meta(name: str, namespace: str = "") -> meta_v1.ObjectMeta:
    labels = dict(_LABELS)
    if not namespace and name in _COUNTS_FOR:
        labels[f"{_GROUP}/aggregate-to-{_COUNTS_FOR[name]}"] = "true"
    return meta_v1.ObjectMeta(name=name, namespace=namespace, labels=labels, annotations=dict(_ANNOTATIONS))


def _subject(text: str) -> rbac_v1.Subject:
    kind, _, name = text.partition(":")
    if kind == "ServiceAccount":
        namespace, _, name = name.partition("/")
        return rbac_v1.Subject(kind=kind, name=name, namespace=namespace)
    return rbac_v1.Subject(kind=kind, name=name, apiGroup=_GROUP)


def node_rules() -> list[rbac_v1.PolicyRule]:
    """What a kubelet may do, before the node authorizer narrows it to what concerns its own node."""
    return list(cluster.ROLES["system:node"])


def _of_controllers(served: Collection[tuple[str, str, str]]) -> dict[str, tuple[rbac_v1.PolicyRule, ...]]:
    return controllers.ROLES | dict(role for of, role in controllers.OPTIONAL.items() if of in served)


def cluster_roles(served: Collection[tuple[str, str, str]] = ()) -> list[rbac_v1.ClusterRole]:
    """Of users, components and controllers; those that are sums of others come without rules.

    `served` are the (group, version, resource) that are; those of controllers of optional ones come with these.
    """
    more = [extension for of, extension in controllers.EXTENSIONS.items() if of in served]
    roles = [
        rbac_v1.ClusterRole(metadata=_meta(name), rules=[*rules, *(rule for one in more for rule in one.get(name, ()))])
        for name, rules in (*cluster.ROLES.items(), *_of_controllers(served).items())
    ]
    for name, level in _AGGREGATED.items():
        selector = meta_v1.LabelSelector(matchLabels={f"{_GROUP}/aggregate-to-{level}": "true"})
        aggregation = rbac_v1.AggregationRule(clusterRoleSelectors=[selector])
        roles.append(rbac_v1.ClusterRole(metadata=_meta(name), aggregationRule=aggregation))
    return roles


def _cluster_binding(name: str, subjects: Iterable[str]) -> rbac_v1.ClusterRoleBinding:
    return rbac_v1.ClusterRoleBinding(
        metadata=_meta_of_binding(name),
        roleRef=rbac_v1.RoleRef(apiGroup=_GROUP, kind="ClusterRole", name=name),
        subjects=[_subject(text) for text in subjects],
    )


def _meta_of_binding(name: str, namespace: str = "") -> meta_v1.ObjectMeta:
    return meta_v1.ObjectMeta(name=name, namespace=namespace, labels=dict(_LABELS), annotations=dict(_ANNOTATIONS))


def cluster_role_bindings(served: Collection[tuple[str, str, str]] = ()) -> list[rbac_v1.ClusterRoleBinding]:
    """Every controller's role is bound to the service account of its name."""
    bindings = [_cluster_binding(name, subjects) for name, subjects in _CLUSTER_BINDINGS.items()]
    for name in _of_controllers(served):
        account = f"ServiceAccount:kube-system/{name.removeprefix(_CONTROLLER)}"
        bindings.append(_cluster_binding(name, (account,)))
    return bindings


def roles() -> list[rbac_v1.Role]:
    return [
        rbac_v1.Role(metadata=_meta(name, namespace), rules=list(rules))
        for (namespace, name), rules in namespaced.ROLES.items()
    ]


def role_bindings() -> list[rbac_v1.RoleBinding]:
    return [
        rbac_v1.RoleBinding(
            metadata=_meta_of_binding(name, namespace),
            roleRef=rbac_v1.RoleRef(apiGroup=_GROUP, kind="Role", name=role),
            subjects=[_subject(text) for text in subjects],
        )
        for (namespace, name), (role, subjects) in _BINDINGS.items()
    ]
