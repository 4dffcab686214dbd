"""Version 2 of the document in the binary form that kubectl and client-go ask for: gnostic's `openapi.v2` messages.

Each part is written on its own, so that the parts of built-in kinds are written once. Values without a type in the
messages (extensions, defaults) travel as YAML; JSON is YAML.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import orjson

MEDIA_TYPE = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"

_VARINT, _DOUBLE, _BYTES = 0, 1, 2
Write = Callable[[Any], bytes]


def varint(value: int) -> bytes:
    if value < 0x80:
        return bytes((value,))
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)


def delimited(number: int, value: bytes) -> bytes:
    """A field that has a length."""
    return varint(number << 3 | _BYTES) + varint(len(value)) + value


def _text(number: int) -> Write:
    return lambda value: delimited(number, value.encode()) if value else b""


def _texts(number: int) -> Write:
    return lambda values: b"".join(delimited(number, value.encode()) for value in values)


def _flag(number: int) -> Write:
    return lambda value: varint(number << 3 | _VARINT) + b"\x01" if value else b""


def _whole(number: int) -> Write:
    return lambda value: varint(number << 3 | _VARINT) + varint(int(value) & (1 << 64) - 1) if value else b""


def _real(number: int) -> Write:
    return lambda value: varint(number << 3 | _DOUBLE) + struct.pack("<d", value) if value else b""


def _any(number: int) -> Write:
    return lambda value: delimited(number, delimited(2, orjson.dumps(value) + b"\n"))


def _anys(number: int) -> Write:
    one = _any(number)
    return lambda values: b"".join(map(one, values))


def _message(number: int, write: Write) -> Write:
    return lambda value: delimited(number, write(value))


def _messages(number: int, write: Write) -> Write:
    return lambda values: b"".join(delimited(number, write(value)) for value in values)


def _named(number: int, write: Write) -> Write:
    """A map: entries of a name and a value."""
    return lambda values: b"".join(delimited(number, named(name, write(value))) for name, value in values.items())


def named(name: str, value: bytes) -> bytes:
    return delimited(1, name.encode()) + delimited(2, value)


def _fields(tree: Mapping[str, Any], table: Mapping[str, Write], extension: int) -> bytes:
    """The fields of a message, and `x-...` as its extensions."""
    parts = []
    for key, value in tree.items():
        write = table.get(key)
        if write is not None:
            parts.append(write(value))
        elif key.startswith("x-") and extension:
            parts.append(delimited(extension, named(key, delimited(2, orjson.dumps(value) + b"\n"))))
    return b"".join(parts)


def schema(tree: Mapping[str, Any]) -> bytes:
    """A Schema."""
    return _fields(tree, _SCHEMA, 31)


def _type_item(value: Any) -> bytes:
    return _texts(1)([value] if isinstance(value, str) else value)


def _additional(value: Any) -> bytes:
    return _flag(2)(value) if isinstance(value, bool) else delimited(1, schema(value))


def _items(value: Any) -> bytes:
    return b"".join(delimited(1, schema(one)) for one in (value if isinstance(value, list) else [value]))


def _documentation(value: Mapping[str, Any]) -> bytes:
    return _fields(value, {"description": _text(1), "url": _text(2)}, 3)


_SCHEMA: dict[str, Write] = {
    "$ref": _text(1),
    "format": _text(2),
    "title": _text(3),
    "description": _text(4),
    "default": _any(5),
    "multipleOf": _real(6),
    "maximum": _real(7),
    "exclusiveMaximum": _flag(8),
    "minimum": _real(9),
    "exclusiveMinimum": _flag(10),
    "maxLength": _whole(11),
    "minLength": _whole(12),
    "pattern": _text(13),
    "maxItems": _whole(14),
    "minItems": _whole(15),
    "uniqueItems": _flag(16),
    "maxProperties": _whole(17),
    "minProperties": _whole(18),
    "required": _texts(19),
    "enum": _anys(20),
    "additionalProperties": _message(21, _additional),
    "type": _message(22, _type_item),
    "items": _message(23, _items),
    "allOf": _messages(24, schema),
    "properties": _message(25, _named(1, schema)),
    "externalDocs": _message(29, _documentation),
    "example": _any(30),
}
_BODY: dict[str, Write] = {
    "description": _text(1),
    "name": _text(2),
    "in": _text(3),
    "required": _flag(4),
    "schema": _message(5, schema),
}
_PATH: dict[str, Write] = {
    "required": _flag(1),
    "in": _text(2),
    "description": _text(3),
    "name": _text(4),
    "type": _text(5),
    "uniqueItems": _flag(19),
}
_QUERY: dict[str, Write] = {**_PATH, "type": _text(6), "uniqueItems": _flag(20)}


def parameter(tree: Mapping[str, Any]) -> bytes:
    """A Parameter."""
    if tree["in"] == "body":
        return delimited(1, _fields(tree, _BODY, 6))
    if tree["in"] == "path":
        return delimited(2, delimited(4, _fields(tree, _PATH, 22)))
    return delimited(2, delimited(3, _fields(tree, _QUERY, 23)))


def _parameters_item(tree: Mapping[str, Any]) -> bytes:
    if "$ref" in tree:
        return delimited(2, _text(1)(tree["$ref"]))
    return delimited(1, parameter(tree))


def _schema_item(tree: Mapping[str, Any]) -> bytes:
    return delimited(1, schema(tree))


def _response(tree: Mapping[str, Any]) -> bytes:
    found = _fields(tree, {"description": _text(1), "schema": _message(2, _schema_item)}, 5)
    return delimited(1, found)


_OPERATION: dict[str, Write] = {
    "tags": _texts(1),
    "summary": _text(2),
    "description": _text(3),
    "operationId": _text(5),
    "produces": _texts(6),
    "consumes": _texts(7),
    "parameters": _messages(8, _parameters_item),
    "responses": _message(9, _named(1, _response)),
    "schemes": _texts(10),
    "deprecated": _flag(11),
}


def _operation(tree: Mapping[str, Any]) -> bytes:
    return _fields(tree, _OPERATION, 13)


_PATH_ITEM: dict[str, Write] = {
    "get": _message(2, _operation),
    "put": _message(3, _operation),
    "post": _message(4, _operation),
    "delete": _message(5, _operation),
    "options": _message(6, _operation),
    "head": _message(7, _operation),
    "patch": _message(8, _operation),
    "parameters": _messages(9, _parameters_item),
}


def path_item(tree: Mapping[str, Any]) -> bytes:
    """A PathItem."""
    return _fields(tree, _PATH_ITEM, 10)


def document(
    *,
    title: str,
    version: str,
    paths: Iterable[tuple[str, bytes]],
    definitions: Iterable[tuple[str, bytes]],
    parameters: Mapping[str, Any],
    token_header: Mapping[str, Any],
) -> bytes:
    """A Document of parts written before; `token_header` is the one way to prove who one is."""
    info = _text(1)(title) + _text(2)(version)
    api_key = _fields(token_header, {"type": _text(1), "name": _text(2), "in": _text(3), "description": _text(4)}, 5)
    security = delimited(1, named("BearerToken", delimited(2, api_key)))
    return b"".join(
        (
            _text(1)("2.0"),
            delimited(2, info),
            delimited(8, b"".join(delimited(2, named(name, value)) for name, value in paths)),
            delimited(9, b"".join(delimited(1, named(name, value)) for name, value in definitions)),
            delimited(10, _named(1, parameter)(parameters)),
            delimited(12, delimited(1, named("BearerToken", b""))),
            delimited(13, security),
        )
    )
