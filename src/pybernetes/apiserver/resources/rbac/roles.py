"""Roles."""

from __future__ import annotations

from collections.abc import Sequence

from pybernetes.api import names
from pybernetes.api.types import rbac_v1
from pybernetes.apiserver.resources import checks, kind
from pybernetes.apiserver.resources.rbac import rules


def validate(role: rbac_v1.Role) -> checks.Errors:
    return rules.rules(role.rules, namespaced=True)


def row(role: rbac_v1.Role, _: float) -> Sequence[kind.Cell]:
    return role.metadata.name, role.metadata.creationTimestamp or "<unknown>"


KIND: kind.Kind[rbac_v1.Role] = kind.Kind(
    resource=kind.resource(rules.GROUP, "v1", "roles"),
    validate=validate,
    check_name=names.path_segment,
    create_on_update=True,
    columns=(kind.NAME, rules.CREATED),
    row=row,
)
