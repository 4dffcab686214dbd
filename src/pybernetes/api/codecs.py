"""Objects <-> bytes <-> plain trees: the only module that encodes or decodes API objects.

Decoding is strict and fast first (msgspec, one pass); what it rejects is looked at again leniently, because upstream
takes `null` for "left out" wherever a field is not nullable. An object is encoded once, at its write.
"""

from __future__ import annotations

import functools
import math
import re
import types
import typing
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
import orjson

from pybernetes.api import custom
from pybernetes.api.quantity import Quantity
from pybernetes.api.types import meta_v1

T = TypeVar("T")

# What a body may nest; composing YAML recurses in C, where running out of stack ends the process.
MAX_DEPTH = 200
# Nodes that YAML aliases may add to what is written out.
MAX_ALIASED = 10_000


class DecodeError(ValueError):
    """The bytes are not an object of that type; the message says where, as a JSON path."""


def _decode_hook(kind: type, value: Any) -> Any:
    if kind is Quantity:
        return Quantity.parse(value)
    if issubclass(kind, custom.Object):
        return _custom(kind, value)
    raise NotImplementedError(kind)


def _custom(kind: type[custom.Object], tree: Any) -> custom.Object:
    if not isinstance(tree, dict):
        raise ValueError(f"Expected `object`, got `{type(tree).__name__}`")
    obj = kind(
        _object_meta(tree.get("metadata")),
        kind.FORM.settled({name: value for name, value in tree.items() if name not in custom.OWN}),
    )
    for name in ("apiVersion", "kind"):
        if isinstance(stated := tree.get(name), str):
            setattr(obj, name, stated)
    return obj


def _object_meta(tree: Any) -> meta_v1.ObjectMeta:
    if tree is None:
        return meta_v1.ObjectMeta()
    try:
        return from_tree(meta_v1.ObjectMeta, tree)
    except DecodeError as error:
        # Only what goes wrong needs the words.
        from pybernetes.api import wording

        raise ValueError(wording.unmarshal(meta_v1.ObjectMeta, str(error))) from None


def _encode_hook(value: Any) -> Any:
    if isinstance(value, str):
        return str(value)
    if isinstance(value, custom.Object):
        return value.members()
    raise NotImplementedError(type(value))


_encoder = msgspec.json.Encoder(enc_hook=_encode_hook)


def _decoder_of(kind: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind, dec_hook=_decode_hook)


# Bounded, because the types of custom resources come and go.
_decoder: Callable[[Any], msgspec.json.Decoder[Any]] = functools.lru_cache(maxsize=4096)(_decoder_of)


encode = _encoder.encode
"""An object or tree as compact JSON."""


def decode(kind: type[T], data: bytes | bytearray | memoryview) -> T:
    """JSON bytes as an object of that type. Raises DecodeError."""
    try:
        decoded: T = _decoder(kind).decode(data)
    except msgspec.ValidationError:
        return from_tree(kind, decode_tree(data))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DecodeError(str(error)) from None
    return decoded


def decode_known(kind: type[T], data: bytes) -> T | None:
    """JSON bytes as an object of that type; None if they are not one, or hold a field that it does not have."""
    try:
        decoded: T = _decoder(kind).decode(data)
    except (msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return decoded


def decode_tree(data: bytes | bytearray | memoryview) -> Any:
    """JSON bytes as dicts and lists. Raises DecodeError."""
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        from pybernetes.api import json_syntax

        # orjson is stricter on a few things that Go lets pass (lone surrogates), and then says it in its own words.
        raise DecodeError(json_syntax.problem(bytes(data)) or str(error)) from None


def members(data: bytes) -> dict[str, msgspec.Raw]:
    """The members of an object in JSON, each as its bytes: for those who look at a few. The bytes must be right."""
    return _members_decoder.decode(data)


_members_decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])


def decode_yaml(data: bytes) -> Any:
    """A YAML document as dicts and lists, read as upstream reads it (no dates, no base 60). Raises DecodeError."""
    if data.lstrip()[:1] == b"{":
        # JSON is YAML, and what clients mostly send as such.
        try:
            return orjson.loads(data)
        except orjson.JSONDecodeError:
            pass
    import yaml

    try:
        _check_depth(data)
        tree = yaml.load(data, Loader=_yaml_loader())
        return _Plain(len(data) + MAX_ALIASED).of(tree)
    except (yaml.YAMLError, ValueError, KeyError, TypeError, AttributeError) as error:
        # PyYAML lets through what goes wrong where a tag does not fit its value.
        raise DecodeError(f"error converting YAML to JSON: {error}") from None


def _check_depth(data: bytes) -> None:
    import yaml

    depth = 0
    for event in yaml.parse(data, Loader=_yaml_loader()):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                raise DecodeError(f"exceeded max depth of {MAX_DEPTH}")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def yaml_duplicates(data: bytes) -> list[str]:
    """The keys that a mapping of a YAML document has again, in Go's words: `line 3: key "a" already set in map`."""
    import yaml

    found: list[tuple[int, str]] = []
    try:
        _check_depth(data)
        _repeated(yaml.compose(data, Loader=_yaml_loader()), found, set())
    except (yaml.YAMLError, DecodeError):
        return []
    return [f'line {line}: key "{key}" already set in map' for line, key in sorted(found)]


def _repeated(node: Any, found: list[tuple[int, str]], visited: set[int]) -> None:
    if node is None or id(node) in visited or isinstance(node.value, str):
        return
    visited.add(id(node))
    if node.id == "sequence":
        for item in node.value:
            _repeated(item, found, visited)
        return
    seen: set[str] = set()
    for key, value in node.value:
        if isinstance(key.value, str):
            if key.value in seen:
                found.append((key.start_mark.line + 1, key.value))
            seen.add(key.value)
        _repeated(value, found, visited)


class _Plain:
    """YAML's data as JSON has it. `nodes` is how many there may be: aliases can make few bytes grow without end."""

    def __init__(self, nodes: int) -> None:
        self._left = nodes

    def of(self, value: Any, depth: int = 0) -> Any:
        self._left -= 1
        if self._left < 0 or depth > MAX_DEPTH:
            raise DecodeError("yaml: document contains excessive aliasing")
        if value is None or isinstance(value, (bool, str)):
            return value
        if isinstance(value, int):
            return value if -(1 << 63) <= value < 1 << 64 else float(value)
        if isinstance(value, float) and math.isfinite(value):
            return value
        if isinstance(value, bytes):
            return value.decode()
        if isinstance(value, list):
            return [self.of(item, depth + 1) for item in value]
        if isinstance(value, dict):
            return {_key(key): self.of(item, depth + 1) for key, item in value.items()}
        raise DecodeError(f"json: unsupported value: {value}")


def _key(key: Any) -> str:
    if isinstance(key, str):
        return key
    if isinstance(key, bool):
        return "true" if key else "false"
    if isinstance(key, (int, float)):
        return str(key)
    raise DecodeError(f"unsupported map key of type: {type(key).__name__}")


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
        """Timestamps and numbers to base 60 (`22:80`) stay the strings they are written as."""

    left_out = ("timestamp", "int", "float")
    Loader.yaml_implicit_resolvers = {
        first: [pair for pair in pairs if pair[0].rpartition(":")[2] not in left_out]
        for first, pairs in Loader.yaml_implicit_resolvers.items()
    }
    Loader.add_implicit_resolver("tag:yaml.org,2002:int", _YAML_INT, list("-+0123456789"))
    Loader.add_implicit_resolver("tag:yaml.org,2002:float", _YAML_FLOAT, list("-+.0123456789"))
    return Loader


_YAML_INT = re.compile(r"[-+]?(?:0b[01_]+|0x[0-9a-fA-F_]+|0[0-7_]*|[1-9][0-9_]*)$")
_YAML_FLOAT = re.compile(
    r"(?:[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+]?[0-9]+)?|[-+]?[0-9]+[eE][-+][0-9]+|[-+]?\.[0-9]+(?:[eE][-+][0-9]+)?"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
)


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


@functools.lru_cache(maxsize=4096)
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
        return [without_nulls(held, _zero(held) if item is None else item) for item in tree]
    if holder is dict and isinstance(tree, dict):
        return {k: without_nulls(held, _zero(held) if v is None else v) for k, v in tree.items()}
    if isinstance(holder, type) and issubclass(holder, msgspec.Struct) and isinstance(tree, dict):
        known = field_types(holder)
        return {k: without_nulls(known[k], v) for k, v in tree.items() if v is not None and k in known}
    return msgspec.Raw(_encoder.encode(tree)) if holder is msgspec.Raw else tree


@functools.lru_cache(maxsize=4096)
def _zero(annotation: Any) -> Any:
    """What Go makes of a null among the elements of a list or map of that type: the type's zero value."""
    if typing.get_origin(annotation) is typing.Annotated:
        annotation = typing.get_args(annotation)[0]
    holder, _ = element_type(annotation)
    if is_struct(holder):
        return _EMPTY
    if holder is Quantity:
        return "0"
    return holder() if holder in (str, bool, int, float) else None


_EMPTY: dict[str, Any] = {}


def is_struct(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, msgspec.Struct)
