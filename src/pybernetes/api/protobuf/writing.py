"""Trees -> protobuf.

What JSON leaves out is left out here, too: presence means the same in both forms. Per message there is one table from
field name to the function that writes it, made when the message is first written.
"""

from __future__ import annotations

import base64
import functools
import math
import struct
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

import orjson

from pybernetes.api.protobuf import tables, wire
from pybernetes.api.types import _protobuf

Write = Callable[[Any], bytes]
_MASK = (1 << 64) - 1


def encode(tree: Mapping[str, Any]) -> bytes:
    """An object with its apiVersion and kind, in an envelope. Raises KeyError for a kind without a binary form."""
    api_version, kind = tree["apiVersion"], tree["kind"]
    return enveloped(api_version, kind, raw(api_version, kind, tree))


def raw(api_version: str, kind: str, tree: Mapping[str, Any]) -> bytes:
    """An object alone, without an envelope. Raises KeyError for a kind without a binary form."""
    message = tables.message_name(api_version, kind)
    if message is None:
        raise KeyError(f"{api_version} {kind}")
    return _message(message)(tree)


@functools.lru_cache(maxsize=512)
def _type_meta(api_version: str, kind: str) -> bytes:
    return tables.MAGIC + delimited(1, delimited(1, api_version.encode()) + delimited(2, kind.encode()))


def enveloped(api_version: str, kind: str, body: bytes) -> bytes:
    """An encoded object in its envelope; upstream writes the two empty fields at the end, so they are here."""
    return b"%b%b\x1a\x00\x22\x00" % (_type_meta(api_version, kind), delimited(2, body))


def list_of(api_version: str, kind: str, meta: Mapping[str, Any], items: Iterable[bytes]) -> bytes:
    """A list kind (`PodList`) of items that are encoded already, in an envelope."""
    body = delimited(1, _message(tables.META + "ListMeta")(meta)) + b"".join([delimited(2, item) for item in items])
    return enveloped(api_version, kind, body)


def watch_event(event: str, obj: bytes) -> bytes:
    """One event of a watch with its enveloped object, behind its length."""
    body = delimited(1, event.encode()) + delimited(2, delimited(1, obj))
    return struct.pack(">I", len(body)) + body


def varint(value: int) -> bytes:
    """Negative numbers as ten bytes, as the wire format has them."""
    if 0 <= value < 0x80:
        return bytes((value,))
    value &= _MASK
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)


def delimited(number: int, value: bytes) -> bytes:
    """A field that has a length."""
    return b"%b%b%b" % (varint(number << 3 | wire.BYTES), varint(len(value)), value)


@functools.cache
def _message(message: str) -> Write:
    """What writes a message's fields."""
    if message.endswith(tables.NAMED_LISTS):
        items = next(field for field in tables.fields(message) if field.name == "items")
        return _field(items)
    writers: dict[str, Write] = {}
    inlined: list[Write] = []
    for field in tables.fields(message):
        if field.name:
            writers[field.name] = _field(field)
        else:
            inlined.append(_field(field))

    def write(tree: Mapping[str, Any]) -> bytes:
        parts = []
        for name, value in tree.items():
            if value is not None:
                writer = writers.get(name)
                if writer is not None:
                    parts.append(writer(value))
        parts += [writer(tree) for writer in inlined]
        return b"".join(parts)

    return write


def _field(field: tables.Field) -> Write:
    """What writes a field with its tag, all of it where it is repeated or a map."""
    wire_type, value = _scalar(field.type)
    tag = varint(field.number << 3 | wire_type)
    if field.map:
        entry_tag = varint(2 << 3 | wire_type)

        def write_map(values: Mapping[str, Any]) -> bytes:
            entries = []
            for key, one in values.items():
                entry = delimited(1, key.encode()) + entry_tag + _sized(wire_type, value(one))
                entries.append(b"%b%b%b" % (tag, varint(len(entry)), entry))
            return b"".join(entries)

        return write_map
    if field.repeated:
        return lambda values: b"".join([tag + _sized(wire_type, value(one)) for one in values])
    if wire_type == wire.BYTES:

        def write_sized(one: Any) -> bytes:
            data = value(one)
            return b"%b%b%b" % (tag, varint(len(data)), data)

        return write_sized
    return lambda one: tag + value(one)


def _sized(wire_type: int, data: bytes) -> bytes:
    return varint(len(data)) + data if wire_type == wire.BYTES else data


def _scalar(kind: str) -> tuple[int, Write]:
    """The wire type of a field's type, and what writes a value of it without tag and length."""
    known = _SCALARS.get(kind)
    if known is not None:
        return known
    if kind not in _protobuf.MESSAGES:
        raise KeyError(kind)
    # Some messages contain themselves, so what writes them is looked up when it is needed.
    return wire.BYTES, lambda tree: _message(kind)(tree)


@functools.lru_cache(maxsize=4096)
def _time(text: str) -> bytes:
    return varint(1 << 3) + varint(math.floor(datetime.fromisoformat(text).timestamp()))


@functools.lru_cache(maxsize=256)
def _micro_time(text: str) -> bytes:
    when = datetime.fromisoformat(text)
    seconds = math.floor(when.timestamp())
    nanos = when.microsecond * 1000
    return varint(1 << 3) + varint(seconds) + (varint(2 << 3) + varint(nanos) if nanos else b"")


def _int_or_string(value: int | str) -> bytes:
    if isinstance(value, str):
        return b"\x08\x01" + delimited(3, value.encode())
    return b"\x08\x00\x10" + varint(value)


def _json(value: Any) -> bytes:
    return delimited(1, orjson.dumps(value))


def _or_array(value: Any) -> bytes:
    schema = _message(tables.EXTENSIONS + "JSONSchemaProps")
    if isinstance(value, list):
        return b"".join([delimited(2, schema(one)) for one in value])
    return delimited(1, schema(value))


def _or_bool(value: Any) -> bytes:
    if isinstance(value, bool):
        return b"\x08\x01" if value else b"\x08\x00"
    # Upstream says true beside every schema.
    return b"\x08\x01" + delimited(2, _message(tables.EXTENSIONS + "JSONSchemaProps")(value))


def _or_strings(value: Any) -> bytes:
    if isinstance(value, list):
        return b"".join([delimited(2, one.encode()) for one in value])
    return delimited(1, _message(tables.EXTENSIONS + "JSONSchemaProps")(value))


_SCALARS: dict[str, tuple[int, Write]] = {
    "string": (wire.BYTES, lambda value: value.encode()),
    "bytes": (wire.BYTES, base64.b64decode),
    "bool": (wire.VARINT, lambda value: b"\x01" if value else b"\x00"),
    "int32": (wire.VARINT, varint),
    "int64": (wire.VARINT, varint),
    "double": (wire.FIXED64, lambda value: struct.pack("<d", value)),
    tables.TIME: (wire.BYTES, _time),
    tables.MICRO_TIME: (wire.BYTES, _micro_time),
    tables.FIELDS: (wire.BYTES, _json),
    tables.QUANTITY: (wire.BYTES, lambda value: delimited(1, value.encode())),
    tables.INT_OR_STRING: (wire.BYTES, _int_or_string),
    tables.RAW_EXTENSION: (wire.BYTES, _json),
    tables.JSON: (wire.BYTES, _json),
    tables.OR_ARRAY: (wire.BYTES, _or_array),
    tables.OR_BOOL: (wire.BYTES, _or_bool),
    tables.OR_STRINGS: (wire.BYTES, _or_strings),
}
