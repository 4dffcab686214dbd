"""Structural schemas: every field is declared outside of `allOf`, `anyOf`, `oneOf` and `not`, with its type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pybernetes.api import fields
from pybernetes.apiserver.extensions.custom import patterns

Errors = list[fields.FieldError]
Tree = Mapping[str, Any]

ROOT, ITEM, FIELD = "at the root", "for specified array items", "for specified object fields"
_EMBEDDED, _PRESERVE = "x-kubernetes-embedded-resource", "x-kubernetes-preserve-unknown-fields"
_INT_OR_STRING = "x-kubernetes-int-or-string"
_EITHER = [{"type": "integer"}, {"type": "string"}]
# What only structure may say, and what a restriction of values must say of it.
_STRUCTURE = (
    ("default", "must be undefined to be structural"),
    ("title", "must be empty to be structural"),
    ("description", "must be empty to be structural"),
    ("nullable", "must be false to be structural"),
    (_PRESERVE, "must be false to be structural"),
    (_EMBEDDED, "must be false to be structural"),
    (_INT_OR_STRING, "must be false to be structural"),
    ("x-kubernetes-list-map-keys", "must be empty to be structural"),
    ("x-kubernetes-list-type", "must be undefined to be structural"),
    ("x-kubernetes-map-type", "must be undefined to be structural"),
    ("x-kubernetes-validations", "must be empty to be structural"),
)


def validate(tree: Tree, path: fields.Path) -> Errors:
    """Errors of a whole schema, sorted as upstream sorts them."""
    return sorted(_structure(tree, path, ROOT) + _complete(tree, tree, path), key=str)


def _structure(tree: Tree, path: fields.Path, level: str) -> Errors:
    problems: Errors = []
    kind = tree.get("type", "")
    items, more, properties = tree.get("items"), tree.get("additionalProperties"), tree.get("properties", {})
    if kind == "array" and items is None:
        problems.append(fields.required(path["items"], "must be specified"))
    if isinstance(items, Mapping):
        problems += _structure(items, path["items"], ITEM)
    for name, inner in properties.items():
        problems += _structure(inner, path["properties"].key(name), FIELD)
    if more is not None:
        if level == ROOT:
            problems.append(fields.forbidden(path["additionalProperties"], "must not be used at the root"))
        if isinstance(more, Mapping):
            problems += _structure(more, path["additionalProperties"], FIELD)
        if tree.get(_EMBEDDED):
            words = "must not be used if x-kubernetes-embedded-resource is set"
            problems.append(fields.forbidden(path["additionalProperties"], words))
    if tree.get(_INT_OR_STRING):
        for keyword in (_PRESERVE, _EMBEDDED):
            if tree.get(keyword):
                words = "must be false if x-kubernetes-int-or-string is true"
                problems.append(fields.invalid(path[keyword], True, words))
    problems += _values(tree, path, skip_any=tree.get("anyOf") == _EITHER, skip_first=_all_of_either(tree))
    problems += _type(tree, path, level, kind)
    is_resource = level == ROOT or bool(tree.get(_EMBEDDED))
    if is_resource:
        for name in ("kind", "apiVersion"):
            stated = properties[name].get("type", "") if name in properties else "string"
            if stated != "string":
                at = path["properties"].key(name)["type"]
                problems.append(fields.invalid(at, stated, "must be string"))
        if "metadata" in properties:
            problems += _metadata(properties["metadata"], path["properties"].key("metadata"), level)
    if tree.get(_EMBEDDED) and not tree.get(_PRESERVE) and not properties:
        words = (
            "must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields"
        )
        problems.append(fields.required(path["properties"], words))
    return problems


def _type(tree: Tree, path: fields.Path, level: str, kind: str) -> Errors:
    problems: Errors = []
    if tree.get(_EMBEDDED) and kind != "object":
        words = "must be object if x-kubernetes-embedded-resource is true"
        problems.append(fields.invalid(path["type"], kind, words) if kind else fields.required(path["type"], words))
    elif not kind and not tree.get(_INT_OR_STRING) and not tree.get(_PRESERVE):
        problems.append(fields.required(path["type"], f"must not be empty {level}"))
    if level == ROOT and kind and kind != "object":
        problems.append(fields.invalid(path["type"], kind, "must be object at the root"))
    return problems


def _metadata(tree: Tree, path: fields.Path, level: str) -> Errors:
    problems: Errors = []
    if tree.get("type", "") != "object":
        problems.append(fields.invalid(path["type"], tree.get("type", ""), "must be object"))
    if level == ROOT:
        names = set(tree.get("properties", {}))
        other = {name for name, value in tree.items() if value} - {"type", "default", "properties"}
        if other or not names <= {"name", "generateName"}:
            words = "must not specify anything other than name and generateName, but metadata is implicitly specified"
            problems.append(fields.forbidden(path, words))
    return problems


def _all_of_either(tree: Tree) -> bool:
    listed = tree.get("allOf", ())
    return bool(listed) and listed[0].get("anyOf") == _EITHER


def _values(tree: Tree, path: fields.Path, *, skip_any: bool = False, skip_first: bool = False) -> Errors:
    """What restricts values; `x-kubernetes-int-or-string` may be spelt out in one of two ways."""
    problems: Errors = []
    for keyword in ("anyOf", "allOf", "oneOf"):
        if keyword == "anyOf" and skip_any:
            continue
        for at, inner in enumerate(tree.get(keyword, ())):
            skips = keyword == "allOf" and at == 0 and skip_first
            problems += _restriction(inner, path[keyword][at], skip_any=skips)
    if tree.get("not") is not None:
        problems += _restriction(tree["not"], path["not"])
    pattern = tree.get("pattern")
    if pattern:
        try:
            patterns.compiled(pattern)
        except patterns.PatternError as error:
            words = f"must be a valid regular expression, but isn't: {error}"
            problems.append(fields.invalid(path["pattern"], pattern, words))
    return problems


def _restriction(tree: Tree, path: fields.Path, *, skip_any: bool = False) -> Errors:
    """A schema within logic."""
    problems = _values(tree, path, skip_any=skip_any)
    items, properties = tree.get("items"), tree.get("properties", {})
    if isinstance(items, Mapping):
        problems += _restriction(items, path["items"])
    for name, inner in properties.items():
        problems += _restriction(inner, path["properties"].key(name))
    if tree.get("type"):
        problems.append(fields.forbidden(path["type"], "must be empty to be structural"))
    if tree.get("additionalProperties") not in (None, False):
        words = "must be undefined to be structural"
        problems.append(fields.forbidden(path["additionalProperties"], words))
    problems += [fields.forbidden(path[keyword], words) for keyword, words in _STRUCTURE if tree.get(keyword)]
    if "metadata" in properties:
        words = "must not be specified in a nested context"
        problems.append(fields.forbidden(path["properties"].key("metadata"), words))
    return problems


def _complete(structure: Tree, tree: Tree, path: fields.Path) -> Errors:
    """Every field that a restriction names is declared by the structure as well."""
    problems: Errors = []
    for keyword in ("allOf", "anyOf", "oneOf"):
        for at, inner in enumerate(tree.get(keyword, ())):
            problems += _declared(structure, inner, path, path[keyword][at])
    if tree.get("not") is not None:
        problems += _declared(structure, tree["not"], path, path["not"])
    if structure is tree:
        items, more = tree.get("items"), tree.get("additionalProperties")
        if isinstance(items, Mapping):
            problems += _complete(items, items, path["items"])
        for name, inner in tree.get("properties", {}).items():
            problems += _complete(inner, inner, path["properties"].key(name))
        if isinstance(more, Mapping):
            problems += _complete(more, more, path["additionalProperties"])
    return problems


def _declared(structure: Tree | None, tree: Tree, path: fields.Path, at: fields.Path) -> Errors:
    if structure is None:
        return [fields.required(path, f"because it is defined in {at}")]
    problems: Errors = []
    for keyword in ("allOf", "anyOf", "oneOf"):
        for index, inner in enumerate(tree.get(keyword, ())):
            problems += _declared(structure, inner, path, at[keyword][index])
    if tree.get("not") is not None:
        problems += _declared(structure, tree["not"], path, at["not"])
    if isinstance(tree.get("items"), Mapping):
        below = structure.get("items")
        below = below if isinstance(below, Mapping) else None
        problems += _declared(below, tree["items"], path["items"], at["items"])
    for name, inner in tree.get("properties", {}).items():
        below = structure.get("properties", {}).get(name)
        where = path["properties"].key(name)
        problems += _declared(below, inner, where, at["properties"].key(name))
    return problems
