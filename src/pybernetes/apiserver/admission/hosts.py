"""What admission plugins are made with: the server they are in, as far as it is theirs to know."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pybernetes import client as clients
from pybernetes.apiserver import registry as registries
from pybernetes.apiserver.authz import authorizer as authorizers
from pybernetes.apiserver.forwarding import webhooks
from pybernetes.apiserver.storage import collection as collections
from pybernetes.kits import chance as chances
from pybernetes.kits import clock as clocks


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """`configuration` is that of plugins by their names: what `--admission-control-config-file` leads to, as trees."""

    registry: registries.Registry
    authorizer: authorizers.Authorizer
    webhooks: webhooks.Webhooks
    # A client that may do everything, for a plugin that writes.
    client: Callable[[], clients.Client]
    clock: clocks.Clock
    chance: chances.Chance
    configuration: Mapping[str, Any] = field(default_factory=dict)

    def collection(self, group: str, resource: str) -> collections.Collection:
        """Where the objects of a resource are stored."""
        return self.registry.collection(group, resource)
