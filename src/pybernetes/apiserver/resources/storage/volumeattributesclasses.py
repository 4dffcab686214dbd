"""VolumeAttributesClasses."""

from __future__ import annotations

from collections.abc import Sequence

from pybernetes.api import fields, names
from pybernetes.api.types import storage_v1
from pybernetes.apiserver.resources import cells, checks, kind
from pybernetes.apiserver.resources.storage import storageclasses


def validate(attributes: storage_v1.VolumeAttributesClass) -> checks.Errors:
    path = fields.Path("driverName")
    problems: checks.Errors = []
    if not attributes.driverName:
        problems.append(fields.required(path))
    else:
        problems += checks.named(attributes.driverName.lower(), names.qualified_name, path)
    if not attributes.parameters:
        words = "must contain at least one key/value pair"
        problems.append(fields.required(fields.Path("parameters"), words))
    return problems + storageclasses.parameters(attributes.parameters)


def validate_update(new: storage_v1.VolumeAttributesClass, old: storage_v1.VolumeAttributesClass) -> checks.Errors:
    problems = checks.immutable(new.driverName, old.driverName, fields.Path("driverName"))
    return problems + checks.immutable(new.parameters, old.parameters, fields.Path("parameters"))


def row(attributes: storage_v1.VolumeAttributesClass, now: float) -> Sequence[kind.Cell]:
    return attributes.metadata.name, attributes.driverName, cells.age(attributes.metadata, now)


KIND: kind.Kind[storage_v1.VolumeAttributesClass] = kind.Kind(
    resource=kind.resource("storage.k8s.io", "v1", "volumeattributesclasses"),
    validate=validate,
    validate_update=validate_update,
    columns=(kind.NAME, kind.Column("DriverName"), kind.AGE),
    row=row,
)
