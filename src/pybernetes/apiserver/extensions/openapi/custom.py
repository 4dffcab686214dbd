"""Definitions of custom kinds, made from the schema of their version.

Version 3 of the document says what the schema says, and what every object has. Version 2 cannot say much of that, and
what kubectl makes of it is known: where a value may be null or hold unknown fields it is left untyped, because kubectl
would refuse what the server takes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pybernetes.apiserver.extensions.openapi import descriptions, schemas

PRESERVE = "x-kubernetes-preserve-unknown-fields"
EMBEDDED = "x-kubernetes-embedded-resource"
INT_OR_STRING = "x-kubernetes-int-or-string"
SELECTABLE = "x-kubernetes-selectable-fields"
OBJECT_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
LIST_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta"
# Something with all three of the fields that every object has, to borrow their descriptions from.
_LIKE_ANY = "io.k8s.api.core.v1.ConfigMap"
_JUNCTIONS = ("allOf", "anyOf", "oneOf", "not")
_INTEGER_OR_STRING = ({"type": "integer"}, {"type": "string"})


def name_of(group: str, version: str, kind: str) -> str:
    """`stable.example.com`, `v1`, `CronTab` -> `com.example.stable.v1.CronTab`."""
    return ".".join((*reversed(group.split(".")), version, kind))


def definition(
    schema: Mapping[str, Any], gvk: tuple[str, str, str], version: int, selectable: Iterable[str] = ()
) -> dict[str, Any]:
    """The definition of a kind; `schema` is its openAPIV3Schema, {} where it has none."""
    if not schema or (version == 2 and schema.get(PRESERVE)):
        # Whatever was said of its fields, kubectl would take for all that there are.
        tree: dict[str, Any] = {"type": "object"}
    else:
        tree = _structural(schema, _for_2 if version == 2 else _for_3)
        tree = _embedding(tree, version)
        tree["properties"] = tree.get("properties", {}) | _object_fields(version)
    return tree | _said_of_all(gvk, selectable)


def list_definition(
    gvk: tuple[str, str, str], plural: str, version: int, selectable: Iterable[str] = ()
) -> dict[str, Any]:
    """The definition of the list of a kind."""
    group, api_version, kind = gvk
    items = {"$ref": _root(version) + name_of(group, api_version, kind)}
    properties = _object_fields(version) | {
        "items": {"type": "array", "items": items, "description": f"the {plural}"},
        "metadata": _reference(LIST_META, version, descriptions.of(_LIKE_ANY + "List").fields.get("metadata", "")),
    }
    return {
        "description": f"{kind}List is a list of {kind}",
        "type": "object",
        "required": ["items"],
        "properties": properties,
    } | _said_of_all((group, api_version, f"{kind}List"), selectable)


def _said_of_all(gvk: tuple[str, str, str], selectable: Iterable[str]) -> dict[str, Any]:
    group, version, kind = gvk
    found: dict[str, Any] = {schemas.GVK: [{"group": group, "kind": kind, "version": version}]}
    paths = [{"fieldPath": path} for path in selectable]
    return found | ({SELECTABLE: paths} if paths else {})


def _root(version: int) -> str:
    return schemas.REF_2 if version == 2 else schemas.REF_3


def _reference(name: str, version: int, description: str) -> dict[str, Any]:
    reference = {"$ref": _root(version) + name}
    if not description:
        return reference
    return (reference if version == 2 else {"allOf": [reference]}) | {"description": description}


def _object_fields(version: int) -> dict[str, Any]:
    texts = descriptions.of(_LIKE_ANY).fields
    fields: dict[str, Any] = {}
    for name in ("apiVersion", "kind"):
        fields[name] = {"type": "string"} | ({"description": texts[name]} if name in texts else {})
    fields["metadata"] = _reference(OBJECT_META, version, texts.get("metadata", ""))
    return fields


def _structural(schema: Mapping[str, Any], change: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """A copy, with the change made at every level that has a type of its own (not within anyOf and the like)."""
    tree = dict(schema)
    change(tree)
    for key in ("items", "additionalProperties"):
        if isinstance(tree.get(key), Mapping):
            tree[key] = _structural(tree[key], change)
    if isinstance(tree.get("properties"), Mapping):
        tree["properties"] = {name: _structural(field, change) for name, field in tree["properties"].items()}
    return tree


def _for_3(tree: dict[str, Any]) -> None:
    if not tree.get(INT_OR_STRING) or _says_int_or_string(tree):
        return
    if "anyOf" in tree:
        tree["allOf"] = [{"anyOf": list(_INTEGER_OR_STRING)}, *tree.get("allOf", ())]
    else:
        tree["anyOf"] = list(_INTEGER_OR_STRING)


def _says_int_or_string(tree: Mapping[str, Any]) -> bool:
    wanted = list(_INTEGER_OR_STRING)
    first: Mapping[str, Any] = next(iter(tree.get("allOf") or ()), {})
    return tree.get("anyOf") == wanted or first.get("anyOf") == wanted


def _for_2(tree: dict[str, Any]) -> None:
    for key in _JUNCTIONS:
        tree.pop(key, None)
    nullable, preserving = tree.pop("nullable", False), tree.get(PRESERVE, False)
    if nullable or preserving:
        tree.pop("items", None)
        tree.pop("properties", None)
    kind = tree.get("type")
    if nullable or (kind == "array" and "items" not in tree) or (kind == "object" and preserving):
        tree.pop("type", None)
    fields = tree.get("properties") or {}
    required = [name for name in tree.get("required", ()) if not fields.get(name, {}).get("nullable")]
    values = tree.get("additionalProperties")
    if not required or (isinstance(values, Mapping) and values.get("nullable")):
        tree.pop("required", None)
    else:
        tree["required"] = required


def _embedding(tree: dict[str, Any], version: int) -> dict[str, Any]:
    """Objects within objects have a kind and metadata of their own."""
    for key in ("items", "additionalProperties"):
        if isinstance(tree.get(key), dict):
            tree[key] = _embedding(tree[key], version)
    if isinstance(tree.get("properties"), dict):
        tree["properties"] = {name: _embedding(field, version) for name, field in tree["properties"].items()}
    if tree.get(EMBEDDED) and not (version == 2 and tree.get(PRESERVE)):
        tree["properties"] = tree.get("properties", {}) | _object_fields(version)
        required = list(tree.get("required", ()))
        tree["required"] = required + [name for name in ("kind", "apiVersion") if name not in required]
    return tree
