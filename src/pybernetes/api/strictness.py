"""Fields that a type does not have, or that a document has twice: for `fieldValidation`."""

from __future__ import annotations

import json
from typing import Any

import orjson

from pybernetes.api import codecs, custom


def unknown_fields(kind: Any, tree: Any, path: str = "") -> list[str]:
    """Paths of unknown fields, in document order: `spec.containers[0].imagePolicy`."""
    holder, held = codecs.element_type(kind)
    found: list[str] = []
    if holder is list and isinstance(tree, list):
        for index, item in enumerate(tree):
            found += unknown_fields(held, item, f"{path}[{index}]")
    elif holder is dict and isinstance(tree, dict):
        if codecs.is_struct(held):
            for key, value in tree.items():
                found += unknown_fields(held, value, f"{path}.{key}")
    elif codecs.is_struct(holder) and isinstance(tree, dict):
        known = codecs.field_types(holder)
        for key, value in tree.items():
            step = f"{path}.{key}" if path else key
            if key not in known:
                found.append(step)
            else:
                found += unknown_fields(known[key], value, step)
    elif custom.is_custom(holder) and isinstance(tree, dict):
        found += holder.FORM.unknown(tree)
    return found


class _Repeated(Exception):
    pass


def _once(pairs: list[tuple[str, Any]]) -> None:
    if len(pairs) > 1 and len({name for name, _ in pairs}) != len(pairs):
        raise _Repeated


_once_decoder = json.JSONDecoder(object_pairs_hook=_once)

# Bytes that an object takes up on average, above which a look at each object costs less than one at each byte.
_SPARSE = 512


def _repeats_nothing(data: bytes) -> bool:
    """Whether a document is JSON in which no object has a field twice: a quick first look at nearly every write.

    Each member is written with a colon. Of members that are repeated all but one are lost in reading, so what is read,
    written out again, has fewer colons. An escaped one would come to light by that, and make up for a lost one.
    """
    if len(data) < _SPARSE * data.count(b"{") and b"\\u003a" not in data and b"\\u003A" not in data:
        try:
            return orjson.dumps(orjson.loads(data)).count(b":") == data.count(b":")
        except (orjson.JSONDecodeError, orjson.JSONEncodeError):
            return False
    try:
        _once_decoder.decode(data.decode())
    except (_Repeated, ValueError, RecursionError):
        return False
    return True


class _Pairs(list[tuple[str, Any]]):
    """An object's members as they are written, repeated ones too."""


def duplicates(data: bytes, *, is_yaml: bool) -> list[str]:
    """Texts about the fields that a JSON or YAML document has more than once; YAML's tell lines and not paths."""
    if (not is_yaml or data.lstrip()[:1] == b"{") and _repeats_nothing(data):
        return []
    if is_yaml:
        return codecs.yaml_duplicates(data)
    try:
        return [f'duplicate field "{path}"' for path in _duplicates(json.loads(data, object_pairs_hook=_Pairs), "")]
    except (ValueError, RecursionError):
        return []


def _duplicates(value: Any, path: str) -> list[str]:
    found: list[str] = []
    if isinstance(value, _Pairs):
        seen: set[str] = set()
        for key, held in value:
            step = f"{path}.{key}" if path else key
            if key in seen:
                found.append(step)
            seen.add(key)
            found += _duplicates(held, step)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            found += _duplicates(item, f"{path}[{index}]")
    return list(dict.fromkeys(found))
