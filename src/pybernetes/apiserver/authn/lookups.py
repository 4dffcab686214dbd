"""Is what a service-account token is bound to still there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pybernetes.api import times
from pybernetes.api.types import core_v1
from pybernetes.apiserver.authn import serviceaccounts
from pybernetes.apiserver.storage import collection as collections
from pybernetes.kits import clock as clocks

_TYPES: dict[str, Any] = {
    "pods": core_v1.Pod,
    "secrets": core_v1.Secret,
    "nodes": core_v1.Node,
    "serviceaccounts": core_v1.ServiceAccount,
}


class Lookups:
    """`find` finds where the objects of a resource are stored."""

    def __init__(self, find: Callable[[str], collections.Collection], *, clock: clocks.Clock) -> None:
        self._collections = {kind: find(kind) for kind in _TYPES}
        self._clock = clock

    def uid(self, kind: str, namespace: str, name: str) -> str | None:
        """None where it is gone, or should long have been."""
        item = self._collections[kind].get(namespace, name)
        if item is None:
            return None
        meta = item.decoded(_TYPES[kind]).metadata
        if meta.deletionTimestamp is not None:
            going = self._clock.time() - times.parse(meta.deletionTimestamp)
            if going > serviceaccounts.LEEWAY_SECONDS:
                return None
        uid: str = meta.uid
        return uid
