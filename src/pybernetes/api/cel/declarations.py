"""The types that schemas stand for in expressions: what may be asked of a value, and how large it may be."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

MAX_REQUEST_BYTES = 3 << 20
_RESERVED = frozenset(
    (
        *("true", "false", "null", "in", "as", "break", "const", "continue", "else", "for", "function", "if", "import"),
        *("let", "loop", "package", "namespace", "return", "var", "void", "while"),
    )
)
_NAME = re.compile(r"[a-zA-Z_./-][a-zA-Z0-9_./-]*")
_ESCAPED = re.compile(r"__|[-./]")
_ESCAPES = {"__": "__underscores__", ".": "__dot__", "-": "__dash__", "/": "__slash__"}
_STRING = {"type": "string"}
_META = {"type": "object", "properties": {"name": _STRING, "generateName": _STRING}}

SCALARS = ("bool", "bytes", "double", "dyn", "duration", "int", "string", "timestamp")


@dataclass(frozen=True, slots=True, eq=False)
class Declaration:
    """A type. `kind` is one of SCALARS, or list and map with their `element`, or object with its `fields`; or the name
    of a type of the libraries, for a variable.

    Fields have the names that expressions call them by; `names` are those in JSON. `most` is how many elements or bytes
    there can be; `least` is how few bytes of JSON it takes.
    """

    kind: str
    most: int = 0
    least: int = 0
    element: Declaration | None = None
    fields: Mapping[str, Declaration] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)


BOOL = Declaration("bool", least=4)
INT = Declaration("int", least=1)
DOUBLE = Declaration("double", least=1)
DYN = Declaration("dyn", least=1)


def escaped(name: str) -> str | None:
    """The identifier that a property is called by; None for those that expressions cannot name."""
    if name in _RESERVED:
        return f"__{name}__"
    if not _NAME.fullmatch(name):
        return None
    return _ESCAPED.sub(lambda match: _ESCAPES[match[0]], name)


def of(schema: Mapping[str, Any], *, root: bool = False, literal: bool = False) -> Declaration | None:
    """The type of values of a schema; None for what expressions do not see. `root` is for whole resources.

    `literal`: fields are called by their names, also by those that the language reserves (`request.namespace`).
    """
    if schema.get("x-kubernetes-int-or-string"):
        limit = schema.get("maxLength")
        return Declaration("dyn", most=MAX_REQUEST_BYTES - 2 if limit is None else max(limit, 0) * 4, least=1)
    root = root or bool(schema.get("x-kubernetes-embedded-resource"))
    kind = schema.get("type")
    if kind == "object" or root:
        return _object(schema, root=root, literal=literal)
    if kind == "array":
        return _array(schema, literal=literal)
    if kind == "string":
        return _string(schema)
    return {"boolean": BOOL, "number": DOUBLE, "integer": INT}.get(kind or "")


def _array(schema: Mapping[str, Any], *, literal: bool) -> Declaration | None:
    items = schema.get("items")
    element = of(items, literal=literal) if isinstance(items, Mapping) else None
    if element is None:
        return None
    limit = schema.get("maxItems")
    most = (MAX_REQUEST_BYTES - 2) // (element.least + 1) if limit is None else max(limit, 0)
    return Declaration("list", most=most, least=2, element=element)


def _object(schema: Mapping[str, Any], *, root: bool, literal: bool) -> Declaration | None:
    more = schema.get("additionalProperties")
    if isinstance(more, Mapping):
        element = of(more, literal=literal)
        if element is None:
            return None
        limit = schema.get("maxProperties")
        most = (MAX_REQUEST_BYTES - 2) // (element.least + 6) if limit is None else max(limit, 0)
        return Declaration("map", most=most, least=2, element=element)
    properties = dict(schema.get("properties", {}))
    if root:
        # Of a resource, these can be asked for whatever its schema says; of its metadata nothing else.
        properties |= {"apiVersion": _STRING, "kind": _STRING, "metadata": _META}
    required = schema.get("required", ())
    fields: dict[str, Declaration] = {}
    names: dict[str, str] = {}
    least = 2
    for name, inner in properties.items():
        found = of(inner, literal=literal)
        if found is None:
            continue
        called = name if literal else escaped(name)
        if called is not None:
            fields[called], names[called] = found, name
        if name in required and inner.get("default") is None:
            least += len(name) + found.least + 4
    return Declaration("object", least=least, fields=fields, names=names)


def _string(schema: Mapping[str, Any]) -> Declaration:
    limit, whole = schema.get("maxLength"), MAX_REQUEST_BYTES - 2
    form = schema.get("format")
    if form == "byte":
        return Declaration("bytes", most=whole if limit is None else max(limit, 0), least=2)
    if form == "duration":
        return Declaration("duration", most=32, least=3)
    if form in ("date", "date-time"):
        size = 12 if form == "date" else 32
        return Declaration("timestamp", most=size, least=12 if form == "date" else 21)
    if limit is not None:
        # A character takes up to four bytes.
        return Declaration("string", most=max(limit, 0) * 4, least=2)
    texts = [value for value in schema.get("enum", ()) if isinstance(value, str)]
    longest = max((len(text.encode()) for text in texts), default=0)
    return Declaration("string", most=longest if schema.get("enum") else whole, least=2)
