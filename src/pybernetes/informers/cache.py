"""The objects an informer knows, by key, by namespace and by declared indexes; all kept up to date in place.

Readers get the shared objects themselves: change a `codecs.copy`, never what a cache hands out.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, TypeVar

from pybernetes.informers import keys

T = TypeVar("T")


class _Index(Generic[T]):
    """Index value -> key -> object. What an object was filed under is remembered, so that it is found again."""

    def __init__(self, of: Callable[[T], Iterable[str]]) -> None:
        self._of = of
        self._filed: dict[str, tuple[str, ...]] = {}
        self.entries: dict[str, dict[str, T]] = {}

    def put(self, key: str, obj: T) -> None:
        values = tuple(self._of(obj))
        for value in self._filed.get(key, ()):
            if value not in values:
                self._drop(value, key)
        for value in values:
            self.entries.setdefault(value, {})[key] = obj
        if values:
            self._filed[key] = values
        else:
            self._filed.pop(key, None)

    def remove(self, key: str) -> None:
        for value in self._filed.pop(key, ()):
            self._drop(value, key)

    def _drop(self, value: str, key: str) -> None:
        entry = self.entries[value]
        entry.pop(key, None)
        if not entry:
            del self.entries[value]


class Cache(Generic[T]):
    """Read-only view of an informer's objects."""

    def __init__(self) -> None:
        self._objects: dict[str, T] = {}
        self._namespaces: dict[str, dict[str, T]] = {}
        self._indexes: dict[str, _Index[T]] = {}

    def get(self, name: str, namespace: str = "") -> T | None:
        return self._objects.get(keys.join_key(namespace, name))

    def by_key(self, key: str) -> T | None:
        return self._objects.get(key)

    def list(self, namespace: str = "") -> list[T]:
        """All objects, or one namespace's."""
        source = self._namespaces.get(namespace, {}) if namespace else self._objects
        return list(source.values())

    def index(self, index: str, value: str) -> builtins.list[T]:
        """The objects that an index files under a value. Raises KeyError for an index nobody declared."""
        return list(self._indexes[index].entries.get(value, {}).values())

    def __iter__(self) -> Iterator[T]:
        return iter(self._objects.values())

    def __len__(self) -> int:
        return len(self._objects)


class Writable(Cache[T]):
    """The same, for the informer that fills it."""

    def declare(self, name: str, of: Callable[[T], Iterable[str]]) -> None:
        index = self._indexes[name] = _Index(of)
        for key, obj in self._objects.items():
            index.put(key, obj)

    def forget_indexes(self) -> None:
        self._indexes.clear()

    def put(self, key: str, obj: T) -> T | None:
        """File an object; answers the one it replaces."""
        old = self._objects.get(key)
        self._objects[key] = obj
        namespace, _, _ = key.rpartition("/")
        if namespace:
            self._namespaces.setdefault(namespace, {})[key] = obj
        for index in self._indexes.values():
            index.put(key, obj)
        return old

    def remove(self, key: str) -> T | None:
        old = self._objects.pop(key, None)
        if old is None:
            return None
        namespace, _, _ = key.rpartition("/")
        if namespace:
            held = self._namespaces[namespace]
            del held[key]
            if not held:
                del self._namespaces[namespace]
        for index in self._indexes.values():
            index.remove(key)
        return old

    def keys(self) -> Iterable[str]:
        return self._objects.keys()


def revision_of(obj: Any) -> str:
    """An object's resourceVersion, typed or tree."""
    if isinstance(obj, dict):
        return str(obj["metadata"].get("resourceVersion", ""))
    return str(obj.metadata.resourceVersion)
