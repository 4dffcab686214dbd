"""What a kubelet may do: the rules that upstream's node authorizer grants to users in group system:nodes.

The role is not bound to anybody in RBAC; being `system:node:<name>` in system:nodes is what grants it.
"""

from __future__ import annotations

from collections.abc import Sequence

from pybernetes.api.types import rbac_v1
from pybernetes.apiserver import request as requests
from pybernetes.apiserver.authz import authorizer, rules


class Nodes(authorizer.Immediate):
    """`node_rules` are the rules of the bootstrap role system:node."""

    def __init__(self, node_rules: Sequence[rbac_v1.PolicyRule]) -> None:
        self._rules = node_rules

    def decide(self, user: requests.User, attributes: requests.Attributes) -> authorizer.Decision:
        if not user.name.startswith("system:node:") or "system:nodes" not in user.groups:
            return authorizer.NO_OPINION
        if any(rules.allows(rule, attributes) for rule in self._rules):
            return authorizer.ALLOWED
        return authorizer.NO_OPINION
