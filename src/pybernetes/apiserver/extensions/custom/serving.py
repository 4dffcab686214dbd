"""Scopes of kinds that come and go: what the router asks for resources that are not built in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pybernetes.apiserver import registry as registries
from pybernetes.apiserver import request as requests
from pybernetes.apiserver.endpoints import scope as scopes
from pybernetes.apiserver.resources import kind as kinds


class Serving:
    """`make` makes the scope of a kind; `warning` tells what to warn the users of a kind of, "" for nothing."""

    def __init__(
        self,
        registry: registries.Registry,
        *,
        make: Callable[[kinds.Kind[Any]], scopes.Scope],
        warning: Callable[[registries.Key], str],
    ) -> None:
        self._registry = registry
        self._make = make
        self._warning = warning
        self._scopes: dict[registries.Key, scopes.Scope] = {}
        registry.on_change(self._changed)

    def _changed(self, key: registries.Key) -> None:
        self._scopes.pop(key, None)

    async def __call__(self, request: requests.Request) -> scopes.Scope | None:
        """The scope that a request is for, ready to be read; None where nothing is served there."""
        at = request.attributes
        key = (at.group, at.version, at.resource)
        scope = self._scopes.get(key)
        if scope is None:
            kind = self._registry.kinds.get(key)
            if kind is None:
                return None
            scope = self._scopes[key] = self._make(kind)
        # At first use it is loaded; and what has to be converted may not have caught up with the store.
        await scope.collection.open()
        if text := self._warning(key):
            request.warnings.append(text)
        return scope
