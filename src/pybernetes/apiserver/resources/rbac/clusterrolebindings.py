"""ClusterRoleBindings."""

from __future__ import annotations

from collections.abc import Sequence

from pybernetes.api import names
from pybernetes.api.types import rbac_v1
from pybernetes.apiserver.resources import cells, checks, kind
from pybernetes.apiserver.resources.rbac import rules


def validate(binding: rbac_v1.ClusterRoleBinding) -> checks.Errors:
    problems = rules.role_reference(binding.roleRef, ("ClusterRole",))
    return problems + rules.subjects(binding.subjects, namespaced=False)


def validate_update(new: rbac_v1.ClusterRoleBinding, old: rbac_v1.ClusterRoleBinding) -> checks.Errors:
    return rules.same_role(new.roleRef, old.roleRef)


def row(binding: rbac_v1.ClusterRoleBinding, now: float) -> Sequence[kind.Cell]:
    role = f"{binding.roleRef.kind}/{binding.roleRef.name}"
    age = cells.age(binding.metadata, now)
    return (binding.metadata.name, role, age, *rules.subject_cells(binding.subjects))


KIND: kind.Kind[rbac_v1.ClusterRoleBinding] = kind.Kind(
    resource=kind.resource(rules.GROUP, "v1", "clusterrolebindings"),
    default=rules.default_binding,
    validate=validate,
    validate_update=validate_update,
    check_name=names.path_segment,
    create_on_update=True,
    columns=rules.BINDING_COLUMNS,
    row=row,
)
