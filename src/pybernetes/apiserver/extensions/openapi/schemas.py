"""Definitions of the built-in types, in both forms, made from the generated table and the texts of `descriptions`.

Version 3 says more than version 2: version 2 has no defaults, and puts a description beside a reference where version
3 needs an `allOf`. A definition is made as a tree and encoded on its own, so that a document is a join of bytes and
no single step takes long.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from pybernetes.apiserver.extensions.openapi import _definitions, descriptions

PREFIX = "io.k8s."
REF_3 = "#/components/schemas/"
REF_2 = "#/definitions/"
GVK = "x-kubernetes-group-version-kind"
# Every group and version has these two; which, is told by the document that they stand in.
SHARED = ("io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions", "io.k8s.apimachinery.pkg.apis.meta.v1.WatchEvent")
PLAIN_IN_2 = {
    "io.k8s.apimachinery.pkg.api.resource.Quantity": {"type": "string"},
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": {"type": "string", "format": "int-or-string"},
}

_FORMATS = {
    "int32": {"type": "integer", "format": "int32"},
    "int64": {"type": "integer", "format": "int64"},
    "double": {"type": "number", "format": "double"},
    "byte": {"type": "string", "format": "byte"},
}
_EXTENSIONS = {
    "list": "x-kubernetes-list-type",
    "keys": "x-kubernetes-list-map-keys",
    "map": "x-kubernetes-map-type",
    "patch": "x-kubernetes-patch-strategy",
    "key": "x-kubernetes-patch-merge-key",
}
_FIELD = re.compile(r"(?P<name>[^!:]+)(?:!(?P<required>\d+))?:(?P<type>[^=|]+)(?:=(?P<default>[^|]+))?(?P<rest>.*)")


def name_of(type_name: str) -> str:
    """`core_v1.Pod` -> `io.k8s.api.core.v1.Pod`."""
    module, _, short = type_name.partition(".")
    group, _, version = module.partition("_")
    root = {
        "meta": "apimachinery.pkg.apis.meta",
        "pkg": "apimachinery.pkg",
        "apiextensions": "apiextensions-apiserver.pkg.apis.apiextensions",
        "apiregistration": "kube-aggregator.pkg.apis.apiregistration",
    }.get(group, f"api.{group}")
    return f"{PREFIX}{root}.{version}.{short}"


def known(name: str) -> bool:
    return name.removeprefix(PREFIX) in _definitions.DEFINITIONS


def closure(names: Iterable[str]) -> set[str]:
    """The definitions and all that they refer to."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += _referred(name)
    return found


@functools.cache
def _referred(name: str) -> tuple[str, ...]:
    text = _definitions.DEFINITIONS.get(name.removeprefix(PREFIX), "")
    return tuple({PREFIX + target for target in re.findall(r"@([\w.\-]+)", text)})


@functools.cache
def encoded(name: str, version: int) -> bytes:
    """A definition as JSON, for version 2 or 3; without what `SHARED` says."""
    return orjson.dumps(definition(name, version))


def definition(name: str, version: int) -> dict[str, Any]:
    """A definition as a tree."""
    short = name.removeprefix(PREFIX)
    texts = descriptions.of(name)
    tree: dict[str, Any] = {}
    if texts.whole:
        tree["description"] = texts.whole
    properties = {}
    required: dict[int, str] = {}
    for match in _fields(short):
        field = match["name"]
        properties[field] = _property(match, texts.fields.get(field, ""), version)
        if match["required"]:
            required[int(match["required"])] = field
    if properties:
        tree["properties"] = properties
    if required:
        tree["required"] = [required[index] for index in sorted(required)]
    tree["type"] = "object"
    extra = _definitions.EXTRAS.get(short)
    if extra is not None:
        tree |= orjson.loads(extra)
        if (version == 3 and "oneOf" in tree) or not tree["type"]:
            del tree["type"]
    if version == 2 and name in PLAIN_IN_2:
        tree.pop("oneOf", None)
        tree |= PLAIN_IN_2[name]
    return dict(sorted(tree.items()))


def _fields(short: str) -> Iterator[re.Match[str]]:
    for text in _definitions.DEFINITIONS[short].split():
        match = _FIELD.fullmatch(text)
        assert match is not None, text
        yield match


def _property(match: re.Match[str], description: str, version: int) -> dict[str, Any]:
    tree = _type(match["type"], version)
    beside: dict[str, Any] = {}
    if match["default"] and version == 3:
        beside["default"] = orjson.loads(match["default"])
    if description:
        beside["description"] = description
    for part in filter(None, match["rest"].split("|")):
        short, _, value = part.partition("=")
        beside[_EXTENSIONS[short]] = value.split(",") if short == "keys" else value
    if version == 3 and beside and "$ref" in tree:
        tree = {"allOf": [tree]}
    return dict(sorted((tree | beside).items()))


def _type(code: str, version: int) -> dict[str, Any]:
    if code[0] == "@":
        return {"$ref": (REF_3 if version == 3 else REF_2) + PREFIX + code[1:]}
    if code[0] == "[":
        return {"items": _type(code[1:-1], version), "type": "array"}
    if code[0] == "{":
        return {"additionalProperties": _type(code[1:-1], version), "type": "object"}
    return dict(_FORMATS.get(code) or {"type": code})
