"""The fields of a version that field selectors may ask for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pybernetes.api import fields
from pybernetes.api.types import apiextensions_v1

MOST = 8
_TYPES = ("string", "boolean", "integer")


def validate(
    version: apiextensions_v1.CustomResourceDefinitionVersion,
    schema: Mapping[str, Any],
    path: fields.Path,
    *,
    known: Sequence[apiextensions_v1.SelectableField],
) -> list[fields.FieldError]:
    """`known` are those that the version had before: too many of them may stay."""
    path = path["selectableFields"]
    if not schema:
        return [fields.invalid(path, "", "may only be set when `version.schema.openAPIV3Schema` is not included")]
    problems: list[fields.FieldError] = []
    seen: set[str] = set()
    for index, selectable in enumerate(version.selectableFields):
        text, at = selectable.jsonPath, path[index]["jsonPath"]
        if not text:
            problems.append(fields.required(at))
            continue
        try:
            found = _at(schema, text)
        except ValueError as error:
            problems.append(fields.invalid(at, text, f"is an invalid path: {error}"))
            continue
        if text.startswith(".metadata"):
            problems.append(fields.invalid(at, text, "must not point to fields in metadata"))
        if found.get("type") not in _TYPES:
            words = (
                "must point to a field of type string, boolean or integer. Enum string fields and strings with formats "
                "are allowed."
            )
            problems.append(fields.invalid(at, text, words))
        if text in seen:
            problems.append(fields.duplicate(at, text))
        seen.add(text)
    if len(seen) > MOST and list(known) != list(version.selectableFields):
        problems.append(fields.too_many(path, len(seen), MOST))
    return problems


def _at(schema: Mapping[str, Any], path: str) -> Mapping[str, Any]:
    """The schema of a field. Raises ValueError."""
    if not path.startswith("."):
        raise ValueError("expected [ or . but got: " + path)
    for name in path[1:].split("."):
        properties = schema.get("properties", {})
        if name not in properties:
            raise ValueError("does not refer to a valid field")
        schema = properties[name]
    return schema
