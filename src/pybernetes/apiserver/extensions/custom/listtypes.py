"""Lists that are sets or maps: no value, and no key, may be there twice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from pybernetes.api import codecs, fields
from pybernetes.apiserver.extensions.custom import schema as schemas

Errors = list[fields.FieldError]


def validate(value: Any, schema: schemas.Schema | None, path: fields.Path) -> Errors:
    """Errors for what is there twice; each value is reported once, where it is repeated first."""
    if schema is None:
        return []
    problems: Errors = []
    if isinstance(value, dict):
        for name, held in value.items():
            if name in schema.properties:
                problems += validate(held, schema.properties[name], path[name])
            elif schema.additional is not None:
                problems += validate(held, schema.additional, path.key(name))
    elif isinstance(value, list):
        if schema.list_type == "set":
            problems += [fields.duplicate(path[at], value[at]) for at in _repeated(value)]
        elif schema.list_type == "map":
            problems += _keyed(value, schema.list_keys, path)
        if schema.items is not None:
            for at, held in enumerate(value):
                problems += validate(held, schema.items, path[at])
    return problems


def _keyed(value: list[Any], names: tuple[str, ...], path: fields.Path) -> Errors:
    for at, item in enumerate(value):
        if item is not None and not isinstance(item, dict):
            return [fields.invalid(path[at], item, "must be an object for an array of list-type map")]
    keys = [{name: item[name] for name in names if name in item} if item else {} for item in value]
    return [fields.duplicate(path[at], keys[at]) for at in _repeated(keys)]


def _repeated(values: Iterable[Any]) -> Iterator[int]:
    seen: dict[bytes, int] = {}
    for at, value in enumerate(values):
        text = codecs.encode(dict(sorted(value.items())) if isinstance(value, dict) else value)
        seen[text] = seen.get(text, 0) + 1
        if seen[text] == 2:
            yield at
