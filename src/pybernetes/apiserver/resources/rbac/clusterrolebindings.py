"""ClusterRoleBindings."""

from __future__ import annotations

from pybernetes.api import names
from pybernetes.api.types import rbac_v1
from pybernetes.apiserver.resources import checks, kind
from pybernetes.apiserver.resources.rbac import rules


def validate(binding: rbac_v1.ClusterRoleBinding) -> checks.Errors:
    problems = rules.role_reference(binding.roleRef, ("ClusterRole",))
    return problems + rules.subjects(binding.subjects, namespaced=False)


KIND: kind.Kind[rbac_v1.ClusterRoleBinding] = kind.Kind(
    resource=kind.resource(rules.GROUP, "v1", "clusterrolebindings"),
    default=rules.default_binding,
    validate=validate,
    validate_update=rules.validate_binding_update,
    check_name=names.path_segment,
    create_on_update=True,
    columns=rules.BINDING_COLUMNS,
    row=rules.binding_row,
)
