"""Schemas of CustomResourceDefinitions: the keywords they may use, and how.

Three looks, as upstream: `structural` (what fields there are stands outside of logic), `default_values` (defaults keep
to their schema), and here the keywords one by one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pybernetes.api import fields
from pybernetes.apiserver.extensions.custom import schema as schemas
from pybernetes.apiserver.resources.apiextensions import default_values, rules, structural

Errors = list[fields.FieldError]
Tree = Mapping[str, Any]

TYPES = ("array", "boolean", "integer", "null", "number", "object", "string")
# What may stand at the root of a schema whose status has a subresource, by the names that upstream's message has.
AT_ROOT = {
    "description": "Description",
    "type": "Type",
    "format": "Format",
    "title": "Title",
    "maximum": "Maximum",
    "exclusiveMaximum": "ExclusiveMaximum",
    "minimum": "Minimum",
    "exclusiveMinimum": "ExclusiveMinimum",
    "maxLength": "MaxLength",
    "minLength": "MinLength",
    "pattern": "Pattern",
    "maxItems": "MaxItems",
    "minItems": "MinItems",
    "uniqueItems": "UniqueItems",
    "multipleOf": "MultipleOf",
    "required": "Required",
    "items": "Items",
    "properties": "Properties",
    "externalDocs": "ExternalDocs",
    "example": "Example",
    "x-kubernetes-preserve-unknown-fields": "XPreserveUnknownFields",
    "x-kubernetes-validations": "XValidations",
}
_UNSUPPORTED = ("id", "additionalItems", "patternProperties", "definitions", "dependencies", "$ref")


@dataclass(frozen=True, slots=True, kw_only=True)
class Leniency:
    """What is asked for. An update is not asked for what the definition did without before."""

    schemas_required: bool = True
    types_known: bool = True
    structural: bool = True
    defaults_pruned: bool = True
    sets_atomic: bool = True
    keys_required: bool = True
    # Schemas whose expressions have been accepted before.
    known: Sequence[Tree] = ()

    @classmethod
    def of(cls, old: Sequence[Tree]) -> Leniency:
        """For an update of a definition with these schemas, `{}` where a version has none."""
        found = [node for tree in old for node in nodes(tree)]
        nowhere = fields.Path("")
        return cls(
            schemas_required=all(old),
            types_known=all(node.get("type", "") in ("", *TYPES) for node in found),
            structural=not any(structural.validate(tree, nowhere) for tree in old if tree),
            defaults_pruned=not any(default_values.unpruned(tree) for tree in old),
            sets_atomic=not any(_set_items(node, nowhere) for node in found),
            keys_required=not any(_keys_required(node, nowhere) for node in found),
            known=old,
        )


def validate(tree: Tree, path: fields.Path, *, has_status: bool, lenient: Leniency) -> Errors:
    """Errors of the schema of one version."""
    problems: Errors = []
    if has_status:
        problems += _root_keywords(tree, path)
    if tree.get("nullable"):
        problems.append(fields.forbidden(fields.Path(f"{path}.nullable"), "nullable cannot be true at the root"))
    if lenient.structural or any(_has_extensions(node) or "default" in node for node in nodes(tree)):
        wrong = structural.validate(tree, path)
        problems += wrong or default_values.validate(tree, path, pruned=lenient.defaults_pruned)
    problems += _Walk(lenient).node(tree, path, _Place(root=True))
    if problems or not schemas.Schema(tree).has_rules or tree in lenient.known:
        return problems
    # The language is large, and most schemas do without it.
    from pybernetes.apiserver.resources.apiextensions import expressions

    return expressions.validate(tree, path)


def nodes(tree: Any) -> Iterator[Tree]:
    """Every schema in a schema, itself first."""
    if not isinstance(tree, Mapping):
        return
    yield tree
    for _, inner, _ in _below(tree):
        yield from nodes(inner)


def _below(tree: Tree) -> Iterator[tuple[str, Any, str | int | None]]:
    """(keyword, schema, name or index) of the schemas directly in one."""
    for keyword in ("items", "additionalProperties", "not", "additionalItems"):
        inner = tree.get(keyword)
        if isinstance(inner, Mapping):
            yield keyword, inner, None
        elif isinstance(inner, list):
            yield from ((keyword, item, at) for at, item in enumerate(inner))
    for keyword in ("allOf", "oneOf", "anyOf"):
        yield from ((keyword, inner, at) for at, inner in enumerate(tree.get(keyword, ())))
    for keyword in ("properties", "patternProperties", "definitions", "dependencies"):
        yield from ((keyword, inner, name) for name, inner in tree.get(keyword, {}).items())


def _has_extensions(node: Tree) -> bool:
    return any(name.startswith("x-kubernetes-") and name != "x-kubernetes-map-type" for name in node)


def _root_keywords(tree: Tree, path: fields.Path) -> Errors:
    for keyword in tree:
        if keyword == "type" and tree["type"] != "object":
            words = (
                'only "object" is allowed as the type at the root of the schema if the status subresource is enabled'
            )
            return [fields.invalid(fields.Path(f"{path}.type"), tree["type"], words)]
        if keyword not in AT_ROOT:
            listed = " ".join(AT_ROOT.values())
            words = f"only [{listed}] fields are allowed at the root of the schema if the status subresource is enabled"
            return [fields.invalid(path, tree, words)]
    return []


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where in a schema: what holds there and below."""

    root: bool = False
    in_metadata: bool = False
    # Why there can be no defaults; None where there can.
    no_defaults: str | None = None


class _Walk:
    def __init__(self, lenient: Leniency) -> None:
        self._lenient = lenient

    def node(self, tree: Tree, path: fields.Path, place: _Place) -> Errors:
        problems = self._keywords(tree, path, place)
        for keyword, inner, at in _below(tree):
            if keyword in ("additionalItems", "patternProperties") or not isinstance(inner, Mapping):
                continue
            where = path[keyword]
            if at is not None:
                where = where.key(at) if isinstance(at, str) else where[at]
            problems += self.node(inner, where, self._inside(tree, place, keyword, at))
        return problems + self._lists_and_maps(tree, path) + rules.validate(tree, path)

    def _inside(self, tree: Tree, place: _Place, keyword: str, at: str | int | None) -> _Place:
        reason = place.no_defaults
        if keyword == "additionalProperties" and place.in_metadata:
            reason = "inside additionalProperties applying to object metadata"
        elif (
            keyword == "properties"
            and at in schemas.META
            and (place.root or tree.get("x-kubernetes-embedded-resource"))
        ):
            return _Place(in_metadata=True, no_defaults=f"in top-level {at}" if place.root else reason)
        return _Place(in_metadata=place.in_metadata, no_defaults=reason)

    def _keywords(self, tree: Tree, path: fields.Path, place: _Place) -> Errors:
        problems: Errors = []
        kind = tree.get("type", "")
        if self._lenient.types_known and kind and kind not in TYPES:
            problems.append(fields.not_supported(path["type"], kind, TYPES))
        if tree.get("default") is not None and place.no_defaults is not None:
            problems.append(fields.forbidden(path["default"], f"must not be set {place.no_defaults}"))
        for keyword in _UNSUPPORTED:
            if tree.get(keyword) is not None:
                problems.append(fields.forbidden(path[keyword], f"{keyword} is not supported"))
        if kind == "null":
            words = "type cannot be set to null, use nullable as an alternative"
            problems.append(fields.forbidden(path["type"], words))
        if isinstance(tree.get("items"), list):
            problems.append(fields.forbidden(path["items"], "items must be a schema object and not an array"))
        if place.in_metadata and tree.get("x-kubernetes-embedded-resource"):
            words = "must not be used inside of resource meta"
            problems.append(fields.forbidden(path["x-kubernetes-embedded-resource"], words))
        if tree.get("uniqueItems"):
            words = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
            problems.append(fields.forbidden(path["uniqueItems"], words))
        more = tree.get("additionalProperties")
        if more is not None and more is not True and tree.get("properties"):
            words = "additionalProperties and properties are mutual exclusive"
            problems.append(fields.forbidden(path["additionalProperties"], words))
        if tree.get("x-kubernetes-preserve-unknown-fields") is False:
            at = path["x-kubernetes-preserve-unknown-fields"]
            problems.append(fields.invalid(at, False, "must be true or undefined"))
        return problems

    def _lists_and_maps(self, tree: Tree, path: fields.Path) -> Errors:
        problems: Errors = []
        kind = tree.get("type", "")
        for keyword, wanted, allowed in (
            ("x-kubernetes-map-type", "object", ("atomic", "granular")),
            ("x-kubernetes-list-type", "array", ("atomic", "map", "set")),
        ):
            stated = tree.get(keyword)
            if stated is None:
                continue
            words = f"must be {wanted} if {keyword} is specified"
            if not kind:
                problems.append(fields.required(path["type"], words))
            elif kind != wanted:
                problems.append(fields.invalid(path["type"], kind, words))
            if stated not in allowed:
                problems.append(fields.not_supported(path[keyword], stated, allowed))
        if self._lenient.sets_atomic and kind == "array":
            problems += _set_items(tree, path)
        problems += _map_keys(tree, path)
        if self._lenient.keys_required:
            problems += _keys_required(tree, path)
        return problems


def _set_items(tree: Tree, path: fields.Path) -> Errors:
    """What a set holds is compared as a whole."""
    items = tree.get("items")
    if tree.get("x-kubernetes-list-type") != "set" or not isinstance(items, Mapping):
        return []
    words = "must be atomic as item of a list with x-kubernetes-list-type=set"
    if items.get("type") == "array" and items.get("x-kubernetes-list-type") not in (None, "atomic"):
        stated = items.get("x-kubernetes-list-type")
        return [fields.invalid(path["items"]["x-kubernetes-list-type"], stated, words)]
    if items.get("type") == "object" and items.get("x-kubernetes-map-type") != "atomic":
        stated = items.get("x-kubernetes-list-type")
        return [fields.invalid(path["items"]["x-kubernetes-map-type"], stated, words)]
    return []


def _map_keys(tree: Tree, path: fields.Path) -> Errors:
    problems: Errors = []
    kind, keys, items = (
        tree.get("x-kubernetes-list-type"),
        tree.get("x-kubernetes-list-map-keys", ()),
        tree.get("items"),
    )
    at = path["x-kubernetes-list-map-keys"]
    if keys and kind != "map":
        words = "must be map if x-kubernetes-list-map-keys is non-empty"
        where = path["x-kubernetes-list-type"]
        problems.append(fields.required(where, words) if kind is None else fields.invalid(where, kind, words))
    if kind != "map":
        return problems
    if not keys:
        problems.append(fields.required(at, "must not be empty if x-kubernetes-list-type is map"))
    if items is None:
        words = "must have a schema if x-kubernetes-list-type is map"
        return [*problems, fields.required(path["items"], words)]
    if not isinstance(items, Mapping):
        words = "must only have a single schema if x-kubernetes-list-type is map"
        return [*problems, fields.invalid(path["items"], items, words)]
    if items.get("type") != "object":
        words = "must be object if parent array's x-kubernetes-list-type is map"
        return [*problems, fields.invalid(path["items"]["type"], items.get("type", ""), words)]
    seen: set[str] = set()
    for key in keys:
        found = items.get("properties", {}).get(key)
        if found is None:
            problems.append(fields.invalid(at, keys, "entries must all be names of item properties"))
        elif found.get("type") in ("array", "object"):
            words = "must be a scalar type if parent array's x-kubernetes-list-type is map"
            where = path["items"]["properties"].key(key)["type"]
            problems.append(fields.invalid(where, items.get("type"), words))
        if key in seen:
            problems.append(fields.invalid(at, keys, "must not contain duplicate entries"))
        seen.add(key)
    return problems


def _keys_required(tree: Tree, path: fields.Path) -> Errors:
    """Elements of sets and maps are there, and so are the keys that tell them apart."""
    kind, items = tree.get("x-kubernetes-list-type"), tree.get("items")
    if kind not in ("set", "map") or not isinstance(items, Mapping):
        return []
    problems: Errors = []
    if items.get("nullable"):
        words = f"cannot be nullable when x-kubernetes-list-type is {kind}"
        problems.append(fields.forbidden(path["items"]["nullable"], words))
    keys: Iterable[str] = tree.get("x-kubernetes-list-map-keys", ()) if kind == "map" else ()
    for key in keys:
        found = items.get("properties", {}).get(key)
        if found is None:
            continue
        at = path["items"]["properties"].key(key)
        if key not in items.get("required", ()) and found.get("default") is None:
            words = (
                "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property"
            )
            problems.append(fields.required(at["default"], words))
        if found.get("nullable"):
            words = "this property is in x-kubernetes-list-map-keys, so it cannot be nullable"
            problems.append(fields.forbidden(at["nullable"], words))
    return problems
