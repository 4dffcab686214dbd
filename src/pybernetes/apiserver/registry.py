"""Every served resource with where it is stored: built once from the visible list of kinds."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from typing import Any

from pybernetes import store as stores
from pybernetes.api import scheme
from pybernetes.apiserver.resources import kind as kinds
from pybernetes.apiserver.storage import collection as collections
from pybernetes.apiserver.storage import keys, selection


class Registry:
    """Kinds by group, version and name; collections by group and name, shared by the versions of a resource."""

    def __init__(self, served: Iterable[kinds.Kind[Any]], store: stores.Store) -> None:
        self.kinds: dict[tuple[str, str, str], kinds.Kind[Any]] = {}
        self._collections: dict[tuple[str, str], collections.Collection] = {}
        for kind in served:
            resource = kind.resource
            self.kinds[resource.group, resource.version, resource.name] = kind
            if (resource.group, resource.name) not in self._collections:
                self._collections[resource.group, resource.name] = collections.Collection(
                    store,
                    prefix=keys.prefix(resource),
                    selectable=selection.Selectable(resource.type, kind.selectable, resource.namespaced),
                )

    async def open(self) -> None:
        await asyncio.gather(*(collection.open() for collection in self._collections.values()))

    def close(self) -> None:
        for collection in self._collections.values():
            collection.close()

    def collection(self, group: str, resource: str) -> collections.Collection:
        return self._collections[group, resource]

    def __iter__(self) -> Iterator[tuple[str, str, collections.Collection]]:
        for (group, name), collection in self._collections.items():
            yield group, name, collection

    def resources(self) -> tuple[scheme.Resource, ...]:
        """What discovery tells: the kinds and their subresources, in discovery order."""
        served = {(group, version, name) for group, version, name in self.kinds}
        return tuple(
            resource
            for resource in scheme.resources()
            if (resource.group, resource.version, resource.name.partition("/")[0]) in served
        )
