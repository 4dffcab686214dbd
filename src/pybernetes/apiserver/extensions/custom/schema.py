"""The model of an openAPIV3Schema: what its keywords say, read once and then asked for every object.

A schema of a CustomResourceDefinition is structural: what fields there are stands outside of `allOf`, `anyOf`, `oneOf`
and `not`, which only restrict values. One class serves for both sides.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

Tree = dict[str, Any]
# Members of every resource, which the schema of one need not mention.
META = frozenset(("apiVersion", "kind", "metadata"))


class Schema:
    """One node. `additional` is None where the keyword is missing; `additional_allowed` is its truth otherwise."""

    __slots__ = (
        "__dict__",
        "__weakref__",
        "additional",
        "additional_allowed",
        "embedded",
        "has_additional",
        "int_or_string",
        "items",
        "list_keys",
        "list_type",
        "map_type",
        "nullable",
        "preserve",
        "properties",
        "tree",
        "type",
    )

    def __init__(self, tree: Mapping[str, Any]) -> None:
        self.tree = tree
        self.type: str = tree.get("type", "")
        self.nullable = bool(tree.get("nullable"))
        self.preserve = bool(tree.get("x-kubernetes-preserve-unknown-fields"))
        self.embedded = bool(tree.get("x-kubernetes-embedded-resource"))
        self.int_or_string = bool(tree.get("x-kubernetes-int-or-string"))
        self.list_type: str = tree.get("x-kubernetes-list-type") or ""
        self.list_keys: tuple[str, ...] = tuple(tree.get("x-kubernetes-list-map-keys", ()))
        self.map_type: str = tree.get("x-kubernetes-map-type") or ""
        self.properties = {name: Schema(inner) for name, inner in tree.get("properties", {}).items()}
        more = tree.get("additionalProperties")
        self.has_additional = more is not None
        self.additional_allowed = more is not False
        self.additional = Schema(more) if isinstance(more, dict) else None
        items = tree.get("items")
        self.items = Schema(items) if isinstance(items, dict) else None

    @property
    def types(self) -> tuple[str, ...]:
        if self.int_or_string:
            return ("integer", "string")
        return (self.type,) if self.type else ()

    def member(self, name: str) -> Schema | None:
        """The schema of a member of an object; None where nothing is said of it."""
        found = self.properties.get(name)
        return self.additional if found is None else found

    @functools.cached_property
    def default(self) -> Any:
        """None where there is none: null is no default."""
        return self.tree.get("default")

    @functools.cached_property
    def defaulted(self) -> dict[str, Schema]:
        """The properties that have a default."""
        return {name: inner for name, inner in self.properties.items() if inner.default is not None}

    @functools.cached_property
    def has_defaults(self) -> bool:
        """Whether anything below can be defaulted."""
        return bool(self.defaulted) or any(
            inner.default is not None or inner.has_defaults for inner in self._below() if inner is not None
        )

    @functools.cached_property
    def has_rules(self) -> bool:
        """Whether `x-kubernetes-validations` stand here or below."""
        if self.tree.get("x-kubernetes-validations"):
            return True
        return any(inner.has_rules for inner in (*self._below(), *self.all_of) if inner is not None)

    def _below(self) -> list[Schema | None]:
        return [*self.properties.values(), self.additional, self.items]

    @functools.cached_property
    def any_of(self) -> list[Schema]:
        return [Schema(tree) for tree in self.tree.get("anyOf", ())]

    @functools.cached_property
    def all_of(self) -> list[Schema]:
        return [Schema(tree) for tree in self.tree.get("allOf", ())]

    @functools.cached_property
    def one_of(self) -> list[Schema]:
        return [Schema(tree) for tree in self.tree.get("oneOf", ())]

    @functools.cached_property
    def not_(self) -> Schema | None:
        tree = self.tree.get("not")
        return None if tree is None else Schema(tree)


def joined(path: str, name: str) -> str:
    """The path of a member."""
    return f"{path}.{name}" if path else name
