"""A schema as patches and server-side apply see it: which lists have keys, and what is replaced as one."""

from __future__ import annotations

import functools

from pybernetes.api import shape
from pybernetes.api.types import meta_v1
from pybernetes.apiserver.extensions.custom import schema as schemas


class SchemaShape(shape.Shape):
    """A `shape.Shape` that asks a schema where others ask a type."""

    __slots__ = ("_resource", "_schema")

    def __init__(self, kind: str, schema: schemas.Schema, *, resource: bool = False) -> None:
        super().__init__(kind, keys=schema.list_keys if kind == shape.KEYED else ())
        self._schema = schema
        self._resource = resource
        if kind == shape.KEYED and schema.items is not None:
            # Where an applier leaves a key out, the schema's default tells the elements apart.
            self.key_defaults = {
                name: inner.default for name, inner in schema.items.properties.items() if name in schema.list_keys
            }

    @functools.cached_property
    def fields(self) -> dict[str, shape.Shape]:
        known: dict[str, shape.Shape] = {name: of(inner) for name, inner in self._schema.properties.items()}
        if self._resource:
            known["apiVersion"] = known["kind"] = shape.Shape(shape.LEAF)
            known["metadata"] = shape.of(meta_v1.ObjectMeta)
        return known

    @functools.cached_property
    def item(self) -> shape.Shape:
        inner = self._schema.items if self.kind in (shape.KEYED, shape.SET) else self._schema.additional
        return shape.UNKNOWN if inner is None else of(inner)


def of(schema: schemas.Schema, *, root: bool = False) -> shape.Shape:
    """The shape of a schema; of a resource, which has metadata, at the root."""
    resource = root or schema.embedded
    if schema.type == "array":
        kind = {"map": shape.KEYED, "set": shape.SET}.get(schema.list_type, shape.LEAF)
        return SchemaShape(kind, schema)
    if schema.type == "object" or schema.properties or root:
        if schema.map_type == "atomic":
            return SchemaShape(shape.LEAF, schema)
        if schema.properties or resource:
            return SchemaShape(shape.STRUCT, schema, resource=resource)
        if schema.additional is not None:
            return SchemaShape(shape.MAP, schema)
        return SchemaShape(shape.ANY, schema)
    if schema.int_or_string or schema.type:
        return SchemaShape(shape.LEAF, schema)
    return SchemaShape(shape.ANY, schema)
