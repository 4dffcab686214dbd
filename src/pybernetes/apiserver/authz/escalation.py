"""Nobody grants what he does not have: what is asked about roles and bindings before they are written.

Who has `escalate` on roles, or `bind` on the role that is bound, may; and so may system:masters.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pybernetes.api import codecs, errors, wording
from pybernetes.api.types import rbac_v1
from pybernetes.apiserver import request as requests
from pybernetes.apiserver.authz import authorizer as authorizers
from pybernetes.apiserver.authz import coverage, modes, rbac
from pybernetes.apiserver.endpoints import scope as scopes

GROUP = rbac.GROUP
_COLLECTED = ("ownerReferences", "finalizers", "managedFields", "resourceVersion")


class Escalation:
    """`guards()` finds what looks at writes of a resource of the group by its name."""

    def __init__(self, authorizer: authorizers.Authorizer, roles: rbac.Rbac) -> None:
        self._authorizer = authorizer
        self._roles = roles

    def guards(self) -> dict[str, scopes.Guard]:
        return {
            "roles": self._role,
            "clusterroles": self._role,
            "rolebindings": self._binding,
            "clusterrolebindings": self._binding,
        }

    async def _role(self, request: requests.Request, new: Any, old: Any) -> None:
        user, at = request.user, request.attributes
        if "system:masters" in user.groups:
            return
        asked = _question("escalate", at.namespace, at.resource, at.name)
        if (await authorizers.decided(self._authorizer, user, asked)).allowed or _only_collected(new, old):
            return
        self._confirm(request, new, new.rules)
        if any(_gathers(role) for role in (new, old)):
            held = self._roles.rules_for(user, at.namespace).rules
            if coverage.missing(held, [modes.EVERYTHING, modes.EVERY_PATH]):
                why = "must have cluster-admin privileges to use the aggregationRule"
                raise errors.forbidden(GROUP, at.resource, new.metadata.name, why)

    async def _binding(self, request: requests.Request, new: Any, old: Any) -> None:
        user, namespace = request.user, request.attributes.namespace
        if "system:masters" in user.groups or _only_collected(new, old):
            return
        reference: rbac_v1.RoleRef = new.roleRef
        resources = {"ClusterRole": "clusterroles", "Role": "roles"}
        if reference.kind not in resources or reference.apiGroup != GROUP or not reference.name:
            # Validation says what is wrong with it.
            return
        asked = _question("bind", namespace, resources[reference.kind], reference.name)
        if not (await authorizers.decided(self._authorizer, user, asked)).allowed:
            self._confirm(request, new, self._roles.role(reference, namespace))

    def _confirm(self, request: requests.Request, obj: Any, rules: Sequence[rbac_v1.PolicyRule]) -> None:
        user, at = request.user, request.attributes
        held = self._roles.rules_for(user, at.namespace)
        missing = coverage.missing(held.rules, rules)
        if not missing:
            return
        lines = "\n".join(missing)
        who = f"user {wording.quoted([user.name])[1:-1]} (groups={wording.quoted(user.groups)})"
        why = f"{who} is attempting to grant RBAC permissions not currently held:\n{lines}"
        if held.error:
            why += f"; resolution errors: {held.error if held.error.startswith('[') else f'[{held.error}]'}"
        raise errors.forbidden(GROUP, at.resource, obj.metadata.name, why)


def _question(verb: str, namespace: str, resource: str, name: str) -> requests.Attributes:
    return requests.Attributes(verb, "", GROUP, "*", namespace, resource, "", name)


def _gathers(role: Any) -> bool:
    aggregation = getattr(role, "aggregationRule", None)
    return aggregation is not None and bool(aggregation.clusterRoleSelectors)


def _only_collected(new: Any, old: Any) -> bool:
    """Whether a write changes no more than what garbage collection takes."""
    return old is not None and _rest(new) == _rest(old)


def _rest(obj: Any) -> Any:
    tree = codecs.to_tree(obj)
    for name in _COLLECTED:
        tree["metadata"].pop(name, None)
    return tree
