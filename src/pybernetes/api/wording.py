"""Decoding errors in the words of Go's JSON decoder, which is what people know and search for."""

from __future__ import annotations

import json
import re
import types
import typing
from collections.abc import Iterable
from typing import Any

from pybernetes.api import codecs, quantity


def go_value(tree: Any) -> str:
    """A tree as Go's `%+v` shows it: `map[a:1 b:[x y]]`."""
    if isinstance(tree, dict):
        return f"map[{' '.join(f'{key}:{go_value(tree[key])}' for key in sorted(tree))}]"
    if isinstance(tree, list):
        return f"[{' '.join(map(go_value, tree))}]"
    if tree is None:
        return "<nil>"
    if isinstance(tree, bool):
        return "true" if tree else "false"
    return str(tree)


_EXPECTED = re.compile(r"Expected `(?P<wanted>.+?)`, got `(?P<got>.+?)`(?: - at `(?P<path>.+?)`)?$")
_GOT = {"str": "string", "int": "number", "float": "number", "array": "array", "object": "object", "bool": "bool"}
_LIMIT = re.compile(r"Expected `int` [<>]=? -?\d+ - at `(?P<path>.+?)`$")
_STEP = re.compile(r"\.([^.\[]+)|\[(.+?)\]")


def unmarshal(kind: Any, message: str, tree: Any = None) -> str:
    """msgspec's message about an object of that type -> Go's; unknown messages are passed on. `tree` is the object."""
    if message.startswith("quantities must"):
        return message.partition(" - at `")[0]
    limit = _LIMIT.match(message)
    if limit is not None:
        holder, path, at = _walk(kind, limit["path"])
        number = _found(tree, limit["path"])
        return f"json: cannot unmarshal number {number} into Go struct field {holder}.{path} of type {go_type(at)}"
    if message.startswith("Expected `str` matching regex"):
        path = message.rpartition("`$.")[2].rstrip("`")
        return f'{path}: parsing time: cannot parse as "2006-01-02T15:04:05Z07:00"'
    match = _EXPECTED.match(message)
    if match is None:
        return message
    got = _GOT.get(match["got"], match["got"])
    if match["got"] == "float" and match["wanted"].startswith("int"):
        got = f"number {_found(tree, match['path'] or '$')}"
    holder, path, at = _walk(kind, match["path"] or "$")
    if not path:
        return f"json: cannot unmarshal {got} into Go value of type {go_type(kind)}"
    return f"json: cannot unmarshal {got} into Go struct field {holder}.{path} of type {go_type(at)}"


def _found(tree: Any, path: str) -> Any:
    """The value at a path, as far as the path tells."""
    for match in _STEP.finditer(path):
        step: Any = match[1] if match[1] is not None else match[2]
        if isinstance(tree, list) and step.isdigit():
            tree = tree[int(step)]
        elif isinstance(tree, dict) and step in tree:
            tree = tree[step]
        else:
            return ""
    return tree


def _walk(kind: Any, path: str) -> tuple[str, str, Any]:
    """The innermost struct on a path, the path without indexes, and the type at its end."""
    holder, names, at = "", [], kind
    for match in _STEP.finditer(path):
        container, held = codecs.element_type(at)
        name = match[1]
        if name is None or container is dict:
            at = held
            if name is not None:
                names.append(name)
            continue
        if not codecs.is_struct(container):
            break
        holder = container.__name__
        names.append(name)
        at = codecs.field_types(container).get(name, Any)
    return holder, ".".join(names), at


def _annotated(annotation: Any) -> str:
    return "v1.Time" if typing.get_args(annotation)[0] is str else "int32"


def go_type(annotation: Any) -> str:
    """The Go type that upstream declares for one of ours: `list[core_v1.Container]` -> `[]v1.Container`."""
    if typing.get_origin(annotation) is typing.Annotated:
        return _annotated(annotation)
    if isinstance(annotation, types.UnionType):
        members = [member for member in typing.get_args(annotation) if member is not types.NoneType]
        if len(members) > 1:
            return "intstr.IntOrString"
        annotation = members[0]
        if typing.get_origin(annotation) is typing.Annotated:
            return _annotated(annotation)
    holder, held = codecs.element_type(annotation)
    if holder is list:
        return f"[]{go_type(held)}"
    if holder is dict:
        return f"map[string]{go_type(held)}"
    if codecs.is_struct(holder):
        return f"{holder.__module__.rsplit('_', 1)[1]}.{holder.__name__}"
    if holder is quantity.Quantity:
        return "resource.Quantity"
    return {str: "string", bool: "bool", int: "int64", float: "float64"}.get(holder, "interface {}")


def quoted(texts: Iterable[str]) -> str:
    """As Go's `%q` shows a slice."""
    return f"[{' '.join(json.dumps(text, ensure_ascii=False) for text in texts)}]"


def aggregate(problems: Iterable[str]) -> str:
    """Several errors as one, each told once."""
    distinct = list(dict.fromkeys(problems))
    return f"[{', '.join(distinct)}]" if len(distinct) > 1 else "".join(distinct)
