"""Protobuf -> trees, in which every time, quantity and byte string is as JSON has it."""

from __future__ import annotations

import base64
import functools
import struct
from collections.abc import Callable
from typing import Any

from pybernetes.api import codecs, times
from pybernetes.api.protobuf import tables, wire

MAX_DEPTH = 100
_INT64 = 1 << 63


def decode(data: bytes) -> dict[str, Any]:
    """The object in an envelope, as a tree with its apiVersion and kind. Raises codecs.DecodeError."""
    if not data.startswith(tables.MAGIC):
        raise codecs.DecodeError(
            "provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]"
        )
    try:
        envelope: dict[int, Any] = {number: value for number, _, value in wire.fields(data[len(tables.MAGIC) :])}
        meta = {number: value.decode() for number, _, value in wire.fields(envelope.get(1, b""))}
        api_version, kind = meta.get(1, ""), meta.get(2, "")
        message = tables.message_name(api_version, kind)
        if message is None:
            # Kinds without a binary form (custom resources) travel as JSON inside the envelope.
            tree: Any = codecs.decode_tree(envelope.get(2, b"{}"))
        else:
            tree = _read(message, envelope.get(2, b""), 0)
    except (struct.error, IndexError, AttributeError, TypeError, ValueError, OverflowError, OSError) as error:
        raise codecs.DecodeError(f"illegal protobuf: {error}") from None
    if not isinstance(tree, dict):
        raise codecs.DecodeError("the enveloped object is not an object")
    return {**tree, "apiVersion": api_version, "kind": kind}


@functools.cache
def _table(message: str) -> dict[int, tables.Field]:
    return {field.number: field for field in tables.fields(message)}


def _read(message: str, data: bytes, depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise ValueError("nested too deeply")
    table = _table(message)
    tree: dict[str, Any] = {}
    for number, _, value in wire.fields(data):
        field = table.get(number)
        if field is None:
            continue
        if field.map:
            key, item = _entry(field.type, value, depth)
            tree.setdefault(field.name, {})[key] = item
            continue
        item = _value(field.type, value, depth)
        if field.repeated:
            tree.setdefault(field.name, []).append(item)
        elif not field.name:
            tree.update(item)
        elif item is not None:
            tree[field.name] = item
    shaped = _SHAPED.get(message)
    if shaped is not None:
        return shaped(tree)
    return tree.get("items", []) if message.endswith(tables.NAMED_LISTS) else tree


def _entry(kind: str, data: bytes, depth: int) -> tuple[str, Any]:
    pair = {number: value for number, _, value in wire.fields(data)}
    key = pair.get(1, b"").decode()
    return key, _value(kind, pair.get(2, 0 if kind in _INTEGERS else b""), depth)


def _value(kind: str, value: Any, depth: int) -> Any:
    convert = _SCALARS.get(kind)
    return convert(value) if convert is not None else _read(kind, value, depth + 1)


def _signed(value: int) -> int:
    return value - (1 << 64) if value >= _INT64 else value


def _time(data: bytes) -> str | None:
    if not data:
        return None
    parts = {number: value for number, _, value in wire.fields(data)}
    return times.to_time(_signed(parts.get(1, 0)))


def _micro_time(data: bytes) -> str | None:
    if not data:
        return None
    parts = {number: value for number, _, value in wire.fields(data)}
    return times.to_micro_time(_signed(parts.get(1, 0)) + parts.get(2, 0) / 1e9)


def _quantity(data: bytes) -> str:
    text: str = next((value.decode() for number, _, value in wire.fields(data) if number == 1), "0")
    return text or "0"


def _int_or_string(data: bytes) -> int | str:
    parts = {number: value for number, _, value in wire.fields(data)}
    if parts.get(1, 0) == 1:
        text: str = parts.get(3, b"").decode()
        return text
    return _signed(parts.get(2, 0))


def _raw_json(data: bytes) -> Any:
    raw = next((value for number, _, value in wire.fields(data) if number == 1), b"")
    return codecs.decode_tree(raw) if raw else None


def _text(value: bytes) -> str:
    return value.decode()


# What JSON writes as one of several things.
_SHAPED: dict[str, Callable[[dict[str, Any]], Any]] = {
    tables.OR_ARRAY: lambda tree: tree["schema"] if "schema" in tree else tree.get("jSONSchemas", []),
    tables.OR_BOOL: lambda tree: tree["schema"] if "schema" in tree else tree.get("allows", False),
    tables.OR_STRINGS: lambda tree: tree["property"] if "property" in tree else tree.get("schema", {}),
}
_INTEGERS = ("int32", "int64", "bool")
_SCALARS: dict[str, Callable[[Any], Any]] = {
    "string": _text,
    "bytes": lambda value: base64.b64encode(value).decode(),
    "bool": bool,
    "int32": _signed,
    "int64": _signed,
    "double": lambda value: struct.unpack("<d", value)[0],
    tables.TIME: _time,
    tables.MICRO_TIME: _micro_time,
    tables.FIELDS: _raw_json,
    tables.QUANTITY: _quantity,
    tables.INT_OR_STRING: _int_or_string,
    tables.RAW_EXTENSION: _raw_json,
    tables.JSON: _raw_json,
}
