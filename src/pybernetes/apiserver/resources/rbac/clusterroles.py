"""ClusterRoles."""

from __future__ import annotations

from collections.abc import Sequence

from pybernetes.api import fields, names
from pybernetes.api.types import rbac_v1
from pybernetes.apiserver.resources import checks, kind
from pybernetes.apiserver.resources.rbac import rules


def validate(role: rbac_v1.ClusterRole) -> checks.Errors:
    problems = rules.rules(role.rules, namespaced=False)
    if role.aggregationRule is not None:
        path = fields.Path("aggregationRule")["clusterRoleSelectors"]
        if not role.aggregationRule.clusterRoleSelectors:
            words = "at least one clusterRoleSelector required if aggregationRule is non-nil"
            problems.append(fields.required(path, words))
        for index, selector in enumerate(role.aggregationRule.clusterRoleSelectors):
            problems += checks.selector(selector, path[index])
    return problems


def row(role: rbac_v1.ClusterRole, _: float) -> Sequence[kind.Cell]:
    return role.metadata.name, role.metadata.creationTimestamp or "<unknown>"


KIND: kind.Kind[rbac_v1.ClusterRole] = kind.Kind(
    resource=kind.resource(rules.GROUP, "v1", "clusterroles"),
    validate=validate,
    check_name=names.path_segment,
    create_on_update=True,
    columns=(kind.NAME, rules.CREATED),
    row=row,
)
