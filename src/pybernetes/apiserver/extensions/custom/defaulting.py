"""Filling in the defaults of a schema."""

from __future__ import annotations

from typing import Any

from pybernetes.apiserver.extensions.custom import schema as schemas


def default(value: Any, schema: schemas.Schema | None) -> None:
    """Fill in what is missing, and what is null where null is not allowed; in place."""
    if schema is None or not schema.has_defaults:
        return
    if isinstance(value, dict):
        for name, inner in schema.defaulted.items():
            if name not in value or (value[name] is None and not inner.nullable):
                value[name] = copied(inner.default)
        for name, held in value.items():
            below = schema.properties.get(name)
            if below is None:
                below = schema.additional
                if below is not None and held is None and not below.nullable:
                    value[name] = held = copied(below.default)
            default(held, below)
    elif isinstance(value, list):
        below = schema.items
        for at, held in enumerate(value):
            if held is None and below is not None and not below.nullable:
                value[at] = held = copied(below.default)
            default(held, below)


def copied(value: Any) -> Any:
    """A tree that shares nothing with the given one."""
    if isinstance(value, dict):
        return {name: copied(inner) for name, inner in value.items()}
    return [copied(item) for item in value] if isinstance(value, list) else value
