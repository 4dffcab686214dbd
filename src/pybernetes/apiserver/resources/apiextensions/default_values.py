"""The defaults in a schema: each keeps to its own schema, and has no field that would be pruned."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pybernetes.api import fields
from pybernetes.apiserver.extensions.custom import defaulting, embedded, listtypes, pruning, validation
from pybernetes.apiserver.extensions.custom import schema as schemas

Errors = list[fields.FieldError]


def validate(tree: Mapping[str, Any], path: fields.Path, *, pruned: bool) -> Errors:
    """With `pruned`, defaults must not have unknown fields."""
    schema = schemas.Schema(tree)
    return _below(schema, path, pruned=pruned) if schema.has_defaults else []


def unpruned(tree: Mapping[str, Any]) -> bool:
    """Whether a default has a field that the schema does not know."""
    schema = schemas.Schema(tree)
    words = "must not have unknown fields"
    return any(problem.message.endswith(words) for problem in _below(schema, fields.Path(""), pruned=True))


def _below(schema: schemas.Schema, path: fields.Path, *, pruned: bool) -> Errors:
    problems: Errors = []
    if schema.default is not None:
        problems += _default(schema, path["default"], pruned=pruned)
    if schema.items is not None:
        problems += _below(schema.items, path["items"], pruned=pruned)
    for name, inner in schema.properties.items():
        problems += _below(inner, path["properties"].key(name), pruned=pruned)
    return problems


def _default(schema: schemas.Schema, path: fields.Path, *, pruned: bool) -> Errors:
    value = schema.default
    unknown = pruning.Unknown()
    try:
        kept = pruning.pruned(defaulting.copied(value), schema, unknown=unknown)
    except ValueError as error:
        return [fields.invalid(path, value, f"must result in valid metadata: {error}")]
    if pruned and (unknown.fields or unknown.metadata or not validation.same(kept, value)):
        return [fields.invalid(path, value, "must not have unknown fields")]
    wrong = embedded.validate(value, schema, path)
    if wrong:
        return wrong
    problems = validation.validate(value, schema, under=path.text)
    return problems or listtypes.validate(value, schema, path)
