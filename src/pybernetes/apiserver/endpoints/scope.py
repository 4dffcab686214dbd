"""What the verbs of one resource work with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

from pybernetes.api import errors
from pybernetes.apiserver import request as requests
from pybernetes.apiserver.admission import plugin
from pybernetes.apiserver.authz import authorizer as authorizers
from pybernetes.apiserver.resources import kind as kinds
from pybernetes.apiserver.storage import collection as collections
from pybernetes.apiserver.storage import item as items
from pybernetes.kits import chance as chances
from pybernetes.kits import clock as clocks


class Reservation(Protocol):
    """Something taken for a write (an address, a port): kept when the write succeeds, given back when it fails."""

    async def keep(self) -> None: ...

    async def give_back(self) -> None: ...


# (new object, old object or None, dry run) -> what was reserved for it; fills the object in.
Reserve = Callable[[Any, Any, bool], Awaitable[Reservation | None]]
# Called with the last state of an object that has been deleted.
Released = Callable[[Any], Awaitable[None]]


# (request, new object, old object or None): may the user write it. Raises StatusError.
Guard = Callable[[requests.Request, Any, Any], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """One resource as the endpoints see it. `stores` is None for kinds that are never stored (reviews)."""

    kind: kinds.Kind[Any]
    collection: collections.Collection
    clock: clocks.Clock
    chance: chances.Chance
    admission: plugin.Admission
    authorizer: authorizers.Authorizer
    guard: Guard | None = None
    reserve: Reserve | None = None
    released: Released | None = None

    def find(self, namespace: str, name: str) -> items.Item:
        """The stored item. Raises StatusError NotFound."""
        item = self.collection.get(namespace, name)
        if item is None:
            raise self.not_found(name)
        return item

    def not_found(self, name: str) -> errors.StatusError:
        resource = self.kind.resource
        return errors.not_found(resource.group, resource.name, name)

    def modified(self, name: str) -> errors.StatusError:
        resource = self.kind.resource
        return errors.modified(resource.group, resource.name, name)

    def invalid(self, name: str, problems: Any) -> errors.StatusError:
        resource = self.kind.resource
        return errors.invalid(resource.group, resource.kind, name, problems)
