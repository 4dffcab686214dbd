"""Role-based access control over the stored roles and bindings.

Decisions are remembered and all forgotten when any role or binding changes, which is rare; so a decision costs a
dictionary look-up. Bindings are found by their subjects, in an index that is made anew for the namespace that changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from pybernetes.api import errors, wording
from pybernetes.api.types import rbac_v1
from pybernetes.apiserver import remembered
from pybernetes.apiserver import request as requests
from pybernetes.apiserver.authz import authorizer, rules
from pybernetes.apiserver.storage import collection as collections
from pybernetes.apiserver.storage import item as items
from pybernetes.apiserver.storage import selection, watchers

GROUP = "rbac.authorization.k8s.io"
Binding = rbac_v1.RoleBinding | rbac_v1.ClusterRoleBinding


class Grant(NamedTuple):
    """A binding and the first of its subjects that the user is; `place` is that of the binding among all."""

    place: int
    binding: Binding
    subject: rbac_v1.Subject
    namespace: str

    def __str__(self) -> str:
        reference, name = self.binding.roleRef, self.binding.metadata.name
        kind = "RoleBinding" if self.namespace else "ClusterRoleBinding"
        where = f"{name}/{self.namespace}" if self.namespace else name
        who = self.subject.name
        if self.subject.kind == rules.SERVICE_ACCOUNT:
            who = f"{who}/{self.subject.namespace or self.namespace}"
        return f'{kind} "{where}" of {reference.kind} "{reference.name}" to {self.subject.kind} "{who}"'


class Rbac(authorizer.Immediate):
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
        self._decisions: remembered.Remembered[authorizer.Decision] = remembered.Remembered()
        # By namespace, "" for the whole cluster, and by what `rules.subject_keys` says.
        self._grants: dict[str, dict[str, list[Grant]]] = {}
        key = watchers.GroupKey(selection.EVERYTHING, None)
        for watched in (roles, role_bindings, cluster_roles, cluster_role_bindings):
            watched.watchers.add(key, self, ())

    def decide(self, user: requests.User, attributes: requests.Attributes) -> authorizer.Decision:
        known = self._decisions.get(user, attributes)
        if known is not None:
            return known
        if attributes.selectors is not None:
            # They make no difference to rules.
            return self.decide(user, attributes._replace(selectors=None))
        return self._decisions.put(user, attributes, self._decide(user, attributes))

    def rules_for(self, user: requests.User, namespace: str) -> authorizer.Rules:
        found = list(self._rules(user, namespace))
        problems = [rule for rule, _ in found if isinstance(rule, str)]
        return authorizer.Rules(
            [rule for rule, _ in found if not isinstance(rule, str)], error=wording.aggregate(problems)
        )

    def role(self, reference: rbac_v1.RoleRef, namespace: str) -> Sequence[rbac_v1.PolicyRule]:
        """The rules of a role that a binding in the namespace is to. Raises StatusError NotFound."""
        if reference.kind == "ClusterRole":
            kind: Any = rbac_v1.ClusterRole
            item = self._cluster_roles.get("", reference.name)
        else:
            kind = rbac_v1.Role
            item = self._roles.get(namespace, reference.name) if namespace else None
        if item is None:
            raise errors.not_found(GROUP, f"{reference.kind.lower()}s", reference.name)
        role: rbac_v1.ClusterRole | rbac_v1.Role = item.decoded(kind)
        return role.rules

    def events(self, events: Sequence[tuple[str, items.Item]], frames: Sequence[bytes]) -> None:
        """A role or binding has changed."""
        self._decisions.clear()
        for _, item in events:
            if item.key.startswith(self._role_bindings.prefix):
                self._grants.pop(item.key.removeprefix(self._role_bindings.prefix).partition("/")[0], None)
            elif item.key.startswith(self._cluster_role_bindings.prefix):
                self._grants.pop("", None)

    def initial_events_end(self, revision: int) -> None:
        """Not asked for."""

    def bookmark(self, revision: int) -> None:
        """Nothing has changed."""

    def end(self) -> None:
        """Roles are always served."""

    def _decide(self, user: requests.User, attributes: requests.Attributes) -> authorizer.Decision:
        problems = []
        for rule, grant in self._rules(user, attributes.namespace):
            if isinstance(rule, str):
                problems.append(rule)
            elif rules.allows(rule, attributes):
                return authorizer.Decision(True, f"RBAC: allowed by {grant}")
        if problems:
            return authorizer.Decision(False, f"RBAC: {wording.aggregate(problems)}")
        return authorizer.NO_OPINION

    def _rules(self, user: requests.User, namespace: str) -> Iterator[tuple[rbac_v1.PolicyRule | str, Grant]]:
        """Every rule that applies to the user in the namespace ("" for cluster scope), with what grants it; in the
        place of the rules of a role that is not there, why."""
        for where in ("", namespace) if namespace else ("",):
            for grant in self._granted(user, where):
                try:
                    found = self.role(grant.binding.roleRef, where)
                except errors.StatusError:
                    role = grant.binding.roleRef
                    yield f'{role.kind.lower()}.{GROUP} "{role.name}" not found', grant
                    continue
                for rule in found:
                    yield rule, grant

    def _granted(self, user: requests.User, namespace: str) -> list[Grant]:
        """In the order of the bindings."""
        index = self._grants.get(namespace)
        if index is None:
            index = self._grants[namespace] = self._index(namespace)
        found: dict[int, Grant] = {}
        for key in rules.user_keys(user):
            for grant in index.get(key, ()):
                found.setdefault(grant.place, grant)
        return [found[place] for place in sorted(found)]

    def _index(self, namespace: str) -> dict[str, list[Grant]]:
        kind: Any = rbac_v1.RoleBinding if namespace else rbac_v1.ClusterRoleBinding
        bindings = self._role_bindings if namespace else self._cluster_role_bindings
        index: dict[str, list[Grant]] = {}
        for place, item in enumerate(bindings.select(selection.Selection(namespace)).items):
            binding: Binding = item.decoded(kind)
            for subject in binding.subjects:
                key = rules.subject_key(subject, namespace)
                if key:
                    index.setdefault(key, []).append(Grant(place, binding, subject, namespace))
        return index
