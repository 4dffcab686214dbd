"""Gathers the rules of ClusterRoles that others select by label, as `view`, `edit` and `admin` do."""

from __future__ import annotations

from collections.abc import Iterable

from pybernetes.api import codecs, selectors
from pybernetes.api.types import rbac_v1
from pybernetes.client import Client, transport
from pybernetes.controllers.context import Context
from pybernetes.informers import key_of

NAME = "clusterrole-aggregation-controller"


def gathered(role: rbac_v1.ClusterRole, roles: Iterable[rbac_v1.ClusterRole]) -> list[rbac_v1.PolicyRule]:
    """The rules of all roles that it selects, by selector, then by name, each once."""
    if role.aggregationRule is None:
        return list(role.rules)
    ordered = sorted(roles, key=lambda one: one.metadata.name)
    rules: list[rbac_v1.PolicyRule] = []
    for written in role.aggregationRule.clusterRoleSelectors:
        selector = selectors.from_object(written)
        for one in ordered:
            if one.metadata.name != role.metadata.name and selector.matches(one.metadata.labels):
                rules += [rule for rule in one.rules if rule not in rules]
    return rules


class ClusterRoleAggregation:
    """The controller. Work items are roles that aggregate others."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._client = Client(context.client.transport, manager=NAME)
        self._queue = context.queue(NAME)
        self._roles = context.informers.of(rbac_v1.ClusterRole)
        self._roles.add_index("aggregating", lambda role: ("",) if role.aggregationRule is not None else ())
        self._roles.on_change(self._changed)

    async def run(self) -> None:
        await self._context.reconcile(NAME, self._queue, self.reconcile, after=(self._roles,))

    def _changed(self, old: rbac_v1.ClusterRole | None, new: rbac_v1.ClusterRole | None) -> None:
        for role in self._roles.cache.index("aggregating", ""):
            self._queue.add(key_of(role), f"ClusterRole {key_of(new or old)} changed")

    async def reconcile(self, key: str) -> None:
        role = self._roles.cache.get(key)
        if role is None or role.aggregationRule is None:
            return
        rules = gathered(role, self._roles.cache)
        if rules == role.rules:
            return
        applied = {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "metadata": {"name": key},
            "rules": [codecs.to_tree(rule) for rule in rules],
        }
        await self._client.patch(rbac_v1.ClusterRole, key, "", applied, kind=transport.APPLY_PATCH, force=True)
