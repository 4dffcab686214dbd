"""Every served resource with where it is stored: the visible list of kinds, and the custom ones that come and go."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec

from pybernetes import store as stores
from pybernetes.api import scheme
from pybernetes.apiserver.resources import kind as kinds
from pybernetes.apiserver.storage import collection as collections
from pybernetes.apiserver.storage import converted, keys, selection

# Asked and answered, never stored; `endpoints/reviews.py` serves them.
REVIEW_GROUPS = ("authentication.k8s.io", "authorization.k8s.io")

Key = tuple[str, str, str]


class Registry:
    """Kinds by group, version and name; collections by group and name, shared by the versions of a resource.

    `generation` changes whenever a kind comes or goes: what is made from the list of kinds (discovery, OpenAPI) is
    made again when it is next asked for. `on_change` handlers are called with the key of the kind. `stored` kinds
    have their collections even where none of their versions is served: the server itself reads some of them.
    """

    def __init__(
        self, served: Iterable[kinds.Kind[Any]], store: stores.Store, *, stored: Iterable[kinds.Kind[Any]] = ()
    ) -> None:
        self.kinds: dict[Key, kinds.Kind[Any]] = {}
        self.generation = 0
        self._store = store
        self._collections: dict[tuple[str, str], collections.Collection] = {}
        self._views: dict[Key, collections.Collection] = {}
        self._custom: dict[Key, collections.Collection] = {}
        self._handlers: list[Callable[[Key], None]] = []
        reviews: tuple[kinds.Kind[Any], ...] = tuple(
            kinds.Kind(resource=r) for r in scheme.resources() if r.group in REVIEW_GROUPS
        )
        for kind in (*served, *reviews):
            self._enter(kind)
        for kind in stored:
            if kind.stored_as is None:
                self._collect(kind)

    def _enter(self, kind: kinds.Kind[Any]) -> None:
        resource, view = kind.resource, kind.stored_as
        self.kinds[_key(resource)] = kind
        if view is not None:
            self._views[_key(resource)] = converted.Converted(
                self._collect(view.base),
                stored=view.base.resource.type,
                to_stored=view.to_stored,
                from_stored=view.from_stored,
                labels=view.labels,
            )
        else:
            self._collect(kind)

    def _collect(self, kind: kinds.Kind[Any]) -> collections.Collection:
        """Where the objects of a kind that is stored are; made for the first version that asks."""
        resource = kind.resource
        found = self._collections.get((resource.group, resource.name))
        if found is None:
            selectable = selection.Selectable(resource.type, kind.selectable, resource.namespaced)
            found = collections.Collection(self._store, prefix=keys.prefix(resource), selectable=selectable)
            self._collections[resource.group, resource.name] = found
        return found

    async def open(self) -> None:
        await asyncio.gather(*(collection.open() for collection in self._collections.values()))

    def close(self) -> None:
        for collection in (*self._collections.values(), *self._custom.values()):
            collection.close()

    def on_change(self, handler: Callable[[Key], None]) -> None:
        self._handlers.append(handler)

    def add(self, kind: kinds.Kind[Any], collection: collections.Collection) -> None:
        """Serve a custom kind from now on, or serve it in this form; watches of an earlier form end."""
        key = _key(kind.resource)
        self.kinds[key] = kind
        self._leave(key, collection)
        self._custom[key] = collection
        self._changed(key)

    def remove(self, key: Key) -> None:
        """Serve a custom kind no longer; what is stored stays."""
        del self.kinds[key]
        self._leave(key, None)
        del self._custom[key]
        self._changed(key)

    def _leave(self, key: Key, successor: collections.Collection | None) -> None:
        before = self._custom.get(key)
        if before is not None and before is not successor:
            before.close()
            before.watchers.end()

    def _changed(self, key: Key) -> None:
        self.generation += 1
        for handler in self._handlers:
            handler(key)

    def collection(self, group: str, resource: str) -> collections.Collection:
        """Where the objects of a resource are stored, in the form they are stored in."""
        return self._collections[group, resource]

    def stored(self, group: str, resource: str) -> collections.Collection | None:
        """As `collection`; None where there is none."""
        return self._collections.get((group, resource))

    def find(self, group: str, version: str, resource: str) -> collections.Collection | None:
        """The objects that are served there; None if nothing stored is."""
        key = (group, version, resource)
        found = self._custom.get(key)
        if found is None and key in self.kinds:
            found = self._views.get(key) or self._collections.get((group, resource))
        return found

    def of(self, kind: kinds.Kind[Any]) -> collections.Collection:
        """The objects of a resource, in the form of the kind."""
        key = _key(kind.resource)
        for collections_ in (self._views, self._custom):
            if key in collections_:
                return collections_[key]
        group, _, name = key
        return self._collections[group, name]

    def of_kind(self, api_version: str, kind: str) -> kinds.Kind[Any] | None:
        """What is served under the name that objects say they are."""
        wanted = (api_version, kind)
        return next(
            (one for one in self.kinds.values() if (one.resource.api_version, one.resource.kind) == wanted), None
        )

    def __iter__(self) -> Iterator[tuple[str, str, collections.Collection]]:
        """Every collection; of custom resources there is one for each version."""
        for (group, name), collection in self._collections.items():
            yield group, name, collection
        for (group, _, name), collection in self._custom.items():
            yield group, name, collection

    def resources(self) -> tuple[scheme.Resource, ...]:
        """What discovery tells: the kinds and their subresources, in discovery order; custom ones follow."""
        built_in = [
            resource
            for resource in scheme.resources()
            if (resource.group, resource.version, resource.name.partition("/")[0]) in self.kinds
        ]
        return (*built_in, *(resource for key in self._custom for resource in subresources(self.kinds[key])))

    def stored_as(self, resource: scheme.Resource) -> str:
        """`apps/v1/Deployment`: what the objects of a resource are stored as; empty for what is not stored."""
        kind = self.kinds.get(_key(resource))
        if kind is None or "delete" not in resource.verbs:
            return ""
        if resource.carrier is not None:
            return f"{resource.group}/{kind.stored_version}/{resource.kind}" if kind.stored_version else ""
        base = (kind.stored_as.base if kind.stored_as is not None else kind).resource
        return f"{base.group}/{base.version}/{base.kind}"


def subresources(kind: kinds.Kind[Any]) -> Iterator[scheme.Resource]:
    """The resource of a custom kind, and what it has below it."""
    resource = kind.resource
    yield resource
    verbs = ("get", "patch", "update")
    if kind.has_status:
        yield msgspec.structs.replace(
            resource, name=f"{resource.name}/status", verbs=verbs, singular="", short_names=(), categories=()
        )
    if kind.scale is not None:
        yield scheme.Resource(
            group=resource.group,
            version=resource.version,
            name=f"{resource.name}/scale",
            kind="Scale",
            namespaced=resource.namespaced,
            verbs=verbs,
            type_name="autoscaling_v1.Scale",
            kind_version="autoscaling/v1",
        )


def _key(resource: scheme.Resource) -> Key:
    return resource.group, resource.version, resource.name
