"""Kinds by name, and the scale of what an autoscaler is about: of any kind that has one, custom ones too."""

from __future__ import annotations

from typing import Any

from pybernetes.api import codecs, errors, scheme
from pybernetes.api.types import autoscaling_v1, autoscaling_v2
from pybernetes.client import Client
from pybernetes.controllers import discovery
from pybernetes.kits.clock import Clock

# How long to believe what the server said of its kinds, in seconds.
KEPT = 30.0
# How often to try when somebody else keeps changing the scale.
TRIES = 5


class Unknown(Exception):
    """There is no such kind; the text says it as upstream does."""


class Kinds:
    """Which resource a kind is, whatever its version."""

    def __init__(self, client: Client, clock: Clock) -> None:
        self._client, self._clock = client, clock
        self._custom: dict[tuple[str, str], tuple[scheme.Resource, float]] = {}

    async def resource_of(self, group: str, kind: str) -> scheme.Resource:
        """In the version that the server prefers. Raises Unknown, StatusError, ConnectionError."""
        for resource in scheme.resources():
            if (resource.group, resource.kind) == (group, kind) and "/" not in resource.name:
                return resource
        known = self._custom.get((group, kind))
        now = self._clock.monotonic()
        if known is None or now - known[1] > KEPT:
            found = [one for one in await discovery.of_group(self._client, group) if one.kind == kind]
            if not found:
                raise Unknown(f'no matches for kind "{kind}" in group "{group}"')
            known = self._custom[group, kind] = found[0], now
        return known[0]


class Targets:
    """Reads and writes scales."""

    def __init__(self, client: Client, kinds: Kinds) -> None:
        self._client, self._kinds = client, kinds

    async def scale_of(
        self, reference: autoscaling_v2.CrossVersionObjectReference, namespace: str
    ) -> tuple[str, autoscaling_v1.Scale]:
        """Where the scale is found, and what it is. Raises Unknown, StatusError, ConnectionError."""
        version = reference.apiVersion
        if version.count("/") > 1:
            raise Unknown(f"unexpected GroupVersion string: {version}")
        resource = await self._kinds.resource_of(version.rpartition("/")[0], reference.kind)
        path = resource.path(namespace, reference.name, "scale")
        return path, await self._get(path)

    async def set(self, path: str, scale: autoscaling_v1.Scale, replicas: int) -> None:
        """Ask for so many replicas, also when others change the scale meanwhile. Raises StatusError."""
        for attempt in range(TRIES):
            copy = codecs.copy(scale)
            copy.spec.replicas = replicas
            try:
                await self._client.raw(path, method="PUT", body=copy)
            except errors.StatusError as error:
                if error.reason != "Conflict" or attempt == TRIES - 1:
                    raise
                scale = await self._get(path)
            else:
                return

    async def _get(self, path: str) -> autoscaling_v1.Scale:
        found: Any = await self._client.raw(path)
        return codecs.from_tree(autoscaling_v1.Scale, found) if isinstance(found, dict) else found
