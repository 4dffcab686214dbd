"""Role-based access control over the stored roles and bindings.

Decisions are remembered and all forgotten when any role or binding changes, which is rare; so a decision costs a
dictionary look-up.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pybernetes.api.types import rbac_v1
from pybernetes.apiserver import request as requests
from pybernetes.apiserver.authz import authorizer, rules
from pybernetes.apiserver.storage import collection as collections
from pybernetes.apiserver.storage import selection, watchers

REMEMBERED = 20_000


class Rbac:
    """`roles`, `role_bindings`, `cluster_roles`, `cluster_role_bindings` are the collections that hold them."""

    def __init__(
        self,
        *,
        roles: collections.Collection,
        role_bindings: collections.Collection,
        cluster_roles: collections.Collection,
        cluster_role_bindings: collections.Collection,
    ) -> None:
        self._roles = roles
        self._role_bindings = role_bindings
        self._cluster_roles = cluster_roles
        self._cluster_role_bindings = cluster_role_bindings
        self._decisions: dict[tuple[requests.User, requests.Attributes], authorizer.Decision] = {}
        key = watchers.GroupKey(selection.EVERYTHING, None)
        for watched in (roles, role_bindings, cluster_roles, cluster_role_bindings):
            watched.watchers.add(key, self, ())

    def decide(self, user: requests.User, attributes: requests.Attributes) -> authorizer.Decision:
        known = self._decisions.get((user, attributes))
        if known is not None:
            return known
        decision = self._decide(user, attributes)
        if len(self._decisions) >= REMEMBERED:
            self._decisions.clear()
        self._decisions[user, attributes] = decision
        return decision

    def rules_of(self, user: requests.User, namespace: str) -> Iterator[tuple[rbac_v1.PolicyRule, str]]:
        """Every rule that applies to the user in the namespace ("" for cluster scope), with what grants it."""
        for item in self._cluster_role_bindings.select(selection.EVERYTHING).items:
            binding = item.decoded(rbac_v1.ClusterRoleBinding)
            if any(rules.subject_is(subject, user, "") for subject in binding.subjects):
                for rule in self._role_rules(binding.roleRef, ""):
                    yield rule, f'ClusterRoleBinding "{binding.metadata.name}" of {_role_text(binding.roleRef)}'
        if not namespace:
            return
        for item in self._role_bindings.select(selection.Selection(namespace)).items:
            local = item.decoded(rbac_v1.RoleBinding)
            if any(rules.subject_is(subject, user, namespace) for subject in local.subjects):
                for rule in self._role_rules(local.roleRef, namespace):
                    yield rule, f'RoleBinding "{local.metadata.name}/{namespace}" of {_role_text(local.roleRef)}'

    def events(self, events: Sequence[tuple[str, Any]], frames: Sequence[bytes]) -> None:
        """A role or binding has changed."""
        self._decisions.clear()

    def initial_events_end(self, revision: int) -> None:
        """Not asked for."""

    def bookmark(self, revision: int) -> None:
        """Nothing has changed."""

    def end(self) -> None:
        """Roles are always served."""

    def _decide(self, user: requests.User, attributes: requests.Attributes) -> authorizer.Decision:
        for rule, source in self.rules_of(user, attributes.namespace):
            if rules.allows(rule, attributes):
                return authorizer.Decision(True, f"RBAC: allowed by {source}")
        return authorizer.NO_OPINION

    def _role_rules(self, reference: rbac_v1.RoleRef, namespace: str) -> Sequence[rbac_v1.PolicyRule]:
        if reference.kind == "ClusterRole":
            kind: Any = rbac_v1.ClusterRole
            item = self._cluster_roles.get("", reference.name)
        elif namespace:
            kind = rbac_v1.Role
            item = self._roles.get(namespace, reference.name)
        else:
            return ()
        role: rbac_v1.ClusterRole | rbac_v1.Role | None = item.decoded(kind) if item is not None else None
        return role.rules if role is not None else ()


def _role_text(reference: rbac_v1.RoleRef) -> str:
    return f'{reference.kind} "{reference.name}"'
