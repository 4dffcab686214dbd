"""Leaving out the fields that a schema does not know, and the nulls that it does not allow."""

from __future__ import annotations

from typing import Any

import msgspec

from pybernetes.api import codecs, fields, strictness, wording
from pybernetes.api.types import meta_v1
from pybernetes.apiserver.extensions.custom import schema as schemas


class Unknown(msgspec.Struct):
    """The paths that pruning has left out, and those that embedded metadata does not have."""

    fields: list[str] = []
    metadata: list[str] = []

    def paths(self) -> list[str]:
        return sorted(self.fields) + sorted(self.metadata)


def pruned(
    value: Any, schema: schemas.Schema | None, *, unknown: Unknown | None = None, path: str = "", root: bool = False
) -> Any:
    """The value without unknown fields and forbidden nulls; parts that stay as they are may be shared with it.

    The metadata of embedded resources is read as what it is. With `root`, apiVersion, kind and metadata are left as
    they are. Raises ValueError for embedded metadata that is none.
    """
    if isinstance(value, dict):
        if schema is None:
            if unknown is not None:
                unknown.fields += [schemas.joined(path, name) for name in value]
            return {}
        return _pruned_object(value, schema, unknown, path, root)
    if isinstance(value, list):
        if schema is not None and schema.preserve and schema.items is None:
            return value
        inner = None if schema is None else schema.items
        return [pruned(item, inner, unknown=unknown, path=f"{path}[{at}]") for at, item in enumerate(value)]
    return value


def _pruned_object(
    value: schemas.Tree, schema: schemas.Schema, unknown: Unknown | None, path: str, root: bool
) -> schemas.Tree:
    properties, has_additional = schema.properties, schema.has_additional
    result = {}
    for name, inner in value.items():
        if name in schemas.META and (root or schema.embedded):
            result[name] = inner if root else _embedded(name, inner, unknown, path)
            continue
        below = properties.get(name)
        if below is not None:
            if inner is None and not below.nullable and below.default is None:
                continue
            result[name] = pruned(inner, below, unknown=unknown, path=schemas.joined(path, name))
        elif has_additional:
            below = schema.additional
            if inner is None and below is not None and not below.nullable and below.default is None:
                continue
            result[name] = pruned(inner, below, unknown=unknown, path=schemas.joined(path, name))
        elif schema.preserve:
            result[name] = inner
        elif unknown is not None and (path or name not in schemas.META):
            unknown.fields.append(schemas.joined(path, name))
    return result


def _embedded(name: str, value: Any, unknown: Unknown | None, path: str) -> Any:
    """A member that every resource has, of one within another."""
    at = fields.Path(path)[name]
    if name != "metadata":
        if not isinstance(value, str):
            raise ValueError(str(fields.invalid(at, value, "must be a string")))
        return value
    try:
        meta = codecs.from_tree(meta_v1.ObjectMeta, {} if value is None else value)
    except codecs.DecodeError as error:
        why = wording.unmarshal(meta_v1.ObjectMeta, str(error))
        raise ValueError(str(fields.invalid(at, value, why))) from None
    if unknown is not None and value:
        unknown.metadata += strictness.unknown_fields(meta_v1.ObjectMeta, value, at.text)
    return codecs.to_tree(meta)
