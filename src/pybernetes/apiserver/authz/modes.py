"""The modes of `--authorization-mode`, by name, and the authorizers they stand for."""

from __future__ import annotations

from collections.abc import Sequence

from pybernetes.api.types import rbac_v1
from pybernetes.apiserver import request as requests
from pybernetes.apiserver.authz import authorizer, rbac, webhook
from pybernetes.apiserver.authz import bootstrap as policy
from pybernetes.apiserver.authz.node import authorizer as nodes
from pybernetes.apiserver.authz.node import graph as graphs
from pybernetes.apiserver.authz.node import watching
from pybernetes.kits import chance as chances
from pybernetes.kits import clock as clocks

# Of one word; of webhooks there can be several, each with its settings.
MODES = ("AlwaysAllow", "AlwaysDeny", "Node", "RBAC")
Mode = str | webhook.Settings

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


class Modes:
    """The authorizers of the modes in their order; system:masters come first in all of them.

    `start` once what is stored has been loaded, `close` at the end. Raises ValueError for a mode that there is not.
    """

    def __init__(
        self, wanted: Sequence[Mode], roles: rbac.Rbac, *, clock: clocks.Clock, chance: chances.Chance
    ) -> None:
        self._graph = graphs.Graph()
        self._has_nodes = "Node" in wanted
        self._webhooks = [
            webhook.Webhook(mode, clock=clock, chance=chance) for mode in wanted if isinstance(mode, webhook.Settings)
        ]
        known: dict[str, authorizer.Authorizer] = {
            "AlwaysAllow": AlwaysAllow(),
            "AlwaysDeny": AlwaysDeny(),
            "Node": nodes.Nodes(self._graph, policy.node_rules()),
            "RBAC": roles,
        }
        unknown = [mode for mode in wanted if isinstance(mode, str) and mode not in known]
        if unknown:
            raise ValueError(f"authorization-mode {unknown[0]!r} is not a valid mode")
        others = iter(self._webhooks)
        chosen = [known[mode] if isinstance(mode, str) else next(others) for mode in wanted]
        self.union = authorizer.Union((authorizer.Superusers(), *chosen))

    def start(self, find: watching.Find) -> None:
        """`find` finds collections by group and resource. Raises ValueError for a webhook that cannot be asked."""
        for one in self._webhooks:
            one.open()
        if self._has_nodes:
            watching.start(self._graph, find)

    async def close(self) -> None:
        for one in self._webhooks:
            await one.close()
