"""The modes of `--authorization-mode`, by name, and the authorizers they stand for."""

from __future__ import annotations

from collections.abc import Sequence

from pybernetes.api.types import rbac_v1
from pybernetes.apiserver import request as requests
from pybernetes.apiserver.authz import authorizer, nodes, rbac
from pybernetes.apiserver.authz import bootstrap as policy

MODES = ("AlwaysAllow", "AlwaysDeny", "Node", "RBAC")


EVERYTHING = rbac_v1.PolicyRule(verbs=["*"], apiGroups=["*"], resources=["*"])
EVERY_PATH = rbac_v1.PolicyRule(verbs=["*"], nonResourceURLs=["*"])


class AlwaysAllow(authorizer.Immediate):
    def decide(self, user: requests.User, attributes: requests.Attributes) -> authorizer.Decision:
        return authorizer.ALLOWED

    def rules_for(self, user: requests.User, namespace: str) -> authorizer.Rules:
        return authorizer.Rules([EVERYTHING, EVERY_PATH])


class AlwaysDeny(authorizer.Immediate):
    """Has no opinion, as upstream's: what another mode allows is allowed."""

    def decide(self, user: requests.User, attributes: requests.Attributes) -> authorizer.Decision:
        return authorizer.Decision(False, "Everything is forbidden.")


def union(modes: Sequence[str], roles: rbac.Rbac) -> authorizer.Union:
    """The authorizers of the modes in that order; system:masters come first in all of them. Raises ValueError."""
    known: dict[str, authorizer.Authorizer] = {
        "AlwaysAllow": AlwaysAllow(),
        "AlwaysDeny": AlwaysDeny(),
        "Node": nodes.Nodes(policy.node_rules()),
        "RBAC": roles,
    }
    unknown = [mode for mode in modes if mode not in known]
    if unknown:
        raise ValueError(f"authorization-mode {unknown[0]!r} is not a valid mode")
    return authorizer.Union((authorizer.Superusers(), *(known[mode] for mode in modes)))
