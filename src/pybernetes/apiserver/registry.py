"""Every served resource with where it is stored: built once from the visible list of kinds."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from typing import Any

from pybernetes import store as stores
from pybernetes.api import scheme
from pybernetes.apiserver.resources import kind as kinds
from pybernetes.apiserver.storage import collection as collections
from pybernetes.apiserver.storage import converted, keys, selection

# Subresources that docs/compatibility.md names as not there yet.
UNSERVED_SUBRESOURCES = ("ephemeralcontainers", "proxy", "resize")
# Asked and answered, never stored; `endpoints/reviews.py` serves them.
REVIEW_GROUPS = ("authentication.k8s.io", "authorization.k8s.io")


class Registry:
    """Kinds by group, version and name; collections by group and name, shared by the versions of a resource."""

    def __init__(self, served: Iterable[kinds.Kind[Any]], store: stores.Store) -> None:
        self.kinds: dict[tuple[str, str, str], kinds.Kind[Any]] = {}
        self._collections: dict[tuple[str, str], collections.Collection] = {}
        reviews: tuple[kinds.Kind[Any], ...] = tuple(
            kinds.Kind(resource=r) for r in scheme.resources() if r.group in REVIEW_GROUPS
        )
        for kind in (*served, *reviews):
            resource = kind.resource
            self.kinds[resource.group, resource.version, resource.name] = kind
            if (resource.group, resource.name) not in self._collections:
                self._collections[resource.group, resource.name] = self._collection(kind, store)

    def _collection(self, kind: kinds.Kind[Any], store: stores.Store) -> collections.Collection:
        resource, view = kind.resource, kind.stored_as
        if view is not None:
            return converted.Converted(
                self._collections[view.group, view.name],
                stored=self._type_of(view.group, view.name),
                to_stored=view.to_stored,
                from_stored=view.from_stored,
                labels=view.labels,
            )
        selectable = selection.Selectable(resource.type, kind.selectable, resource.namespaced)
        return collections.Collection(store, prefix=keys.prefix(resource), selectable=selectable)

    def _type_of(self, group: str, name: str) -> Any:
        return next(kind.resource.type for (g, _, n), kind in self.kinds.items() if (g, n) == (group, name))

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
        return tuple(
            resource
            for resource in scheme.resources()
            if (resource.group, resource.version, resource.name.partition("/")[0]) in self.kinds
            and resource.name.partition("/")[2] not in UNSERVED_SUBRESOURCES
        )
