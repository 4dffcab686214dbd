"""The versions of one resource: who wants to see a write in another one than it was sent in, sees it converted."""

from __future__ import annotations

from typing import Any

from pybernetes.api import custom
from pybernetes.apiserver import registry as registries
from pybernetes.apiserver.extensions.custom import collections as custom_collections
from pybernetes.apiserver.resources import kind as kinds

Kind = kinds.Kind[Any]


class Versions:
    """What is served and stored in the same place is the same resource, maybe of another group."""

    def __init__(self, registry: registries.Registry) -> None:
        self._registry = registry
        self._generation = -1
        self._others: dict[tuple[str, str, str], list[Kind]] = {}

    def others(self, kind: Kind) -> list[Kind]:
        """The other served versions of a kind."""
        if self._generation != self._registry.generation:
            self._generation = self._registry.generation
            self._others = {}
        resource = kind.resource
        key = (resource.group, resource.version, resource.name)
        found = self._others.get(key)
        if found is None:
            place = _place(kind)
            found = self._others[key] = [
                one for at, one in self._registry.kinds.items() if at != key and _place(one) == place
            ]
        return found

    async def convert(self, obj: Any, kind: Kind, to: Kind) -> Any:
        """An object of one of the kinds as one of the other. Raises StatusError where a webhook fails to do it."""
        if kind is to or not isinstance(obj, kind.resource.type):
            # What is written to some subresources is of the same kind for all versions.
            return obj
        if isinstance(obj, custom.Object):
            collection = self._registry.of(to)
            assert isinstance(collection, custom_collections.Version)
            return await collection.converted(obj)
        stored = kind.stored_as.to_stored(obj) if kind.stored_as is not None else obj
        return to.stored_as.from_stored(stored) if to.stored_as is not None else stored


def _place(kind: Kind) -> tuple[str, str]:
    base = kind if kind.stored_as is None else kind.stored_as.base
    return base.resource.group, base.resource.name
