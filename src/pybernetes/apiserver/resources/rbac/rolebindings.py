"""RoleBindings."""

from __future__ import annotations

from collections.abc import Sequence

from pybernetes.api import names
from pybernetes.api.types import rbac_v1
from pybernetes.apiserver.resources import cells, checks, kind
from pybernetes.apiserver.resources.rbac import rules


def validate(binding: rbac_v1.RoleBinding) -> checks.Errors:
    problems = rules.role_reference(binding.roleRef, ("Role", "ClusterRole"))
    return problems + rules.subjects(binding.subjects, namespaced=True)


def validate_update(new: rbac_v1.RoleBinding, old: rbac_v1.RoleBinding) -> checks.Errors:
    return rules.same_role(new.roleRef, old.roleRef)


def row(binding: rbac_v1.RoleBinding, now: float) -> Sequence[kind.Cell]:
    role = f"{binding.roleRef.kind}/{binding.roleRef.name}"
    age = cells.age(binding.metadata, now)
    return (binding.metadata.name, role, age, *rules.subject_cells(binding.subjects))


KIND: kind.Kind[rbac_v1.RoleBinding] = kind.Kind(
    resource=kind.resource(rules.GROUP, "v1", "rolebindings"),
    default=rules.default_binding,
    validate=validate,
    validate_update=validate_update,
    check_name=names.path_segment,
    create_on_update=True,
    columns=rules.BINDING_COLUMNS,
    row=row,
)
