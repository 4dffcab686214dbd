"""Validation that the four kinds of RBAC share: rules, subjects, references to roles."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pybernetes.api import fields, names
from pybernetes.api.types import rbac_v1
from pybernetes.apiserver.resources import cells, checks, kind

GROUP = "rbac.authorization.k8s.io"
Binding = rbac_v1.RoleBinding | rbac_v1.ClusterRoleBinding


def rules(listed: Sequence[rbac_v1.PolicyRule], *, namespaced: bool) -> checks.Errors:
    problems: checks.Errors = []
    for index, rule in enumerate(listed):
        path = fields.Path("rules")[index]
        if not rule.verbs:
            problems.append(fields.required(path["verbs"], "verbs must contain at least one value"))
        if rule.nonResourceURLs:
            if namespaced:
                words = "namespaced rules cannot apply to non-resource URLs"
                problems.append(fields.invalid(path["nonResourceURLs"], rule.nonResourceURLs, words))
            if rule.apiGroups or rule.resources or rule.resourceNames:
                words = "rules cannot apply to both regular resources and non-resource URLs"
                problems.append(fields.invalid(path["nonResourceURLs"], rule.nonResourceURLs, words))
            continue
        if not rule.apiGroups:
            problems.append(fields.required(path["apiGroups"], "resource rules must supply at least one api group"))
        if not rule.resources:
            problems.append(fields.required(path["resources"], "resource rules must supply at least one resource"))
    return problems


def default_binding(binding: rbac_v1.RoleBinding | rbac_v1.ClusterRoleBinding) -> None:
    binding.roleRef.apiGroup = binding.roleRef.apiGroup or GROUP
    for subject in binding.subjects:
        if subject.kind in ("User", "Group"):
            subject.apiGroup = subject.apiGroup or GROUP


def role_reference(reference: rbac_v1.RoleRef, allowed: tuple[str, ...]) -> checks.Errors:
    path = fields.Path("roleRef")
    problems: checks.Errors = []
    if reference.apiGroup != GROUP:
        problems.append(fields.not_supported(path["apiGroup"], reference.apiGroup, (GROUP,)))
    if reference.kind not in allowed:
        problems.append(fields.not_supported(path["kind"], reference.kind, allowed, in_order=True))
    if not reference.name:
        problems.append(fields.required(path["name"]))
    return problems + checks.named(reference.name, names.path_segment, path["name"])


def subjects(listed: Sequence[rbac_v1.Subject], *, namespaced: bool) -> checks.Errors:
    problems: checks.Errors = []
    for index, subject in enumerate(listed):
        path = fields.Path("subjects")[index]
        if not subject.name:
            problems.append(fields.required(path["name"]))
        if subject.kind == "ServiceAccount":
            if subject.name:
                problems += checks.named(subject.name, names.dns_subdomain, path["name"])
            if subject.apiGroup:
                problems.append(fields.not_supported(path["apiGroup"], subject.apiGroup, ("",)))
            if not namespaced and not subject.namespace:
                problems.append(fields.required(path["namespace"]))
        elif subject.kind in ("User", "Group"):
            if subject.apiGroup != GROUP:
                problems.append(fields.not_supported(path["apiGroup"], subject.apiGroup, (GROUP,)))
        else:
            problems.append(
                fields.not_supported(path["kind"], subject.kind, ("ServiceAccount", "User", "Group"), in_order=True)
            )
    return problems


def validate_binding_update(new: Binding, old: Binding) -> checks.Errors:
    if new.roleRef == old.roleRef:
        return []
    return [fields.invalid(fields.Path("roleRef"), new.roleRef, "cannot change roleRef")]


def _subject_cells(listed: Iterable[rbac_v1.Subject]) -> tuple[str, str, str]:
    """(users, groups, service accounts)."""
    found: dict[str, list[str]] = {"User": [], "Group": [], "ServiceAccount": []}
    for subject in listed:
        name = f"{subject.namespace}/{subject.name}" if subject.kind == "ServiceAccount" else subject.name
        found.setdefault(subject.kind, []).append(name)
    return ", ".join(found["User"]), ", ".join(found["Group"]), ", ".join(found["ServiceAccount"])


def binding_row(binding: Binding, now: float) -> Sequence[kind.Cell]:
    role = f"{binding.roleRef.kind}/{binding.roleRef.name}"
    return (binding.metadata.name, role, cells.age(binding.metadata, now), *_subject_cells(binding.subjects))


BINDING_COLUMNS = (
    kind.NAME,
    kind.Column("Role"),
    kind.AGE,
    kind.Column("Users", priority=1),
    kind.Column("Groups", priority=1),
    kind.Column("ServiceAccounts", priority=1),
)
CREATED = kind.Column("Created At", type="date")
