"""Objects <-> bytes <-> plain trees: the only module that encodes or decodes API objects.

Decoding is strict and fast first (msgspec, one pass); what it rejects is looked at again leniently, because upstream
takes `null` for "left out" wherever a field is not nullable. An object is encoded once, at its write.
"""

from __future__ import annotations

import functools
import types
import typing
from typing import Any, TypeVar

import msgspec
import orjson

from pybernetes.api.quantity import Quantity

T = TypeVar("T")


class DecodeError(ValueError):
    """The bytes are not an object of that type; the message says where, as a JSON path."""


def _decode_hook(kind: type, value: Any) -> Any:
    if kind is Quantity:
        return Quantity.parse(value)
    raise NotImplementedError(kind)


def _encode_hook(value: Any) -> Any:
    if isinstance(value, str):
        return str(value)
    raise NotImplementedError(type(value))


_encoder = msgspec.json.Encoder(enc_hook=_encode_hook)


@functools.cache
def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind, dec_hook=_decode_hook)


def encode(obj: Any) -> bytes:
    """An object or tree as compact JSON."""
    return _encoder.encode(obj)


def decode(kind: type[T], data: bytes | bytearray | memoryview) -> T:
    """JSON bytes as an object of that type. Raises DecodeError."""
    try:
        decoder = _decoder(typing.cast("Any", kind))
        return typing.cast("T", decoder.decode(data))
    except msgspec.ValidationError:
        return from_tree(kind, decode_tree(data))
    except msgspec.DecodeError as error:
        raise DecodeError(str(error)) from None


def decode_tree(data: bytes | bytearray | memoryview) -> Any:
    """JSON bytes as dicts and lists. Raises DecodeError."""
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise DecodeError(str(error)) from None


def decode_yaml(data: bytes) -> Any:
    """The first YAML document as dicts and lists, read as kubectl reads it (no dates, no octal). Raises DecodeError."""
    import yaml

    try:
        return yaml.load(data, Loader=_yaml_loader())
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise DecodeError(f"error converting YAML to JSON: {error}") from None


def encode_yaml(tree: Any) -> bytes:
    """A tree as YAML with sorted keys, as upstream serves it."""
    import yaml

    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    text: str = yaml.dump(tree, Dumper=dumper, default_flow_style=False, allow_unicode=True)
    return text.encode()


@functools.cache
def _yaml_loader() -> Any:
    import yaml

    class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
        """Timestamps stay the strings they are written as."""

    Loader.yaml_implicit_resolvers = {
        first: [pair for pair in pairs if pair[0] != "tag:yaml.org,2002:timestamp"]
        for first, pairs in Loader.yaml_implicit_resolvers.items()
    }
    return Loader


def to_tree(obj: Any) -> Any:
    """An object as a fresh tree of dicts, lists and scalars."""
    return orjson.loads(_encoder.encode(obj))


def from_tree(kind: type[T], tree: Any) -> T:
    """A tree as an object of that type; nulls for fields that are not nullable are left out. Raises DecodeError."""
    try:
        return msgspec.convert(without_nulls(kind, tree), kind, dec_hook=_decode_hook)
    except msgspec.ValidationError as error:
        raise DecodeError(str(error)) from None


def copy(obj: T) -> T:
    """A fresh object equal to the given one, sharing nothing with it."""
    return decode(type(obj), _encoder.encode(obj))


@functools.cache
def field_types(kind: type) -> dict[str, Any]:
    """JSON field name -> type, for a type of the API."""
    return {field.encode_name: field.type for field in msgspec.structs.fields(kind)}


def element_type(annotation: Any) -> tuple[Any, Any]:
    """(what holds, what it holds): `list[X]` -> (list, X), `dict[str, X]` -> (dict, X), `X | None` -> as X."""
    if isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is typing.Union:
        members = [arg for arg in typing.get_args(annotation) if arg is not type(None)]
        annotation = members[0] if len(members) == 1 else Any
    origin = typing.get_origin(annotation)
    if origin is list:
        return list, typing.get_args(annotation)[0]
    if origin is dict:
        return dict, typing.get_args(annotation)[1]
    return annotation, None


def without_nulls(kind: Any, tree: Any) -> Any:
    """The tree without the nulls that its type does not allow; opaque parts are kept as they are."""
    holder, held = element_type(kind)
    if holder is list and isinstance(tree, list):
        return [without_nulls(held, item) for item in tree]
    if holder is dict and isinstance(tree, dict):
        return {k: without_nulls(held, v) for k, v in tree.items() if v is not None or held is Any}
    if isinstance(holder, type) and issubclass(holder, msgspec.Struct) and isinstance(tree, dict):
        known = field_types(holder)
        return {k: without_nulls(known[k], v) for k, v in tree.items() if v is not None and k in known}
    return tree


def is_struct(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, msgspec.Struct)
