"""ConfigMaps."""

from __future__ import annotations

from collections.abc import Sequence

from pybernetes.api import fields, names
from pybernetes.api.types import core_v1
from pybernetes.apiserver.resources import cells, checks, kind
from pybernetes.apiserver.resources.core import base64s

MAX_SIZE = 1024 * 1024
FROZEN = "field is immutable when `immutable` is set"


def default(config_map: core_v1.ConfigMap) -> None:
    base64s.check(config_map.binaryData, config_map)


def validate(config_map: core_v1.ConfigMap) -> checks.Errors:
    problems: checks.Errors = []
    size = base64s.size(config_map.binaryData)
    for key, value in config_map.data.items():
        path = fields.Path("data").key(key)
        problems += checks.named(key, names.config_map_key, path)
        if key in config_map.binaryData:
            problems.append(fields.invalid(path, key, "duplicate of key present in binaryData"))
        size += len(value.encode())
    for key in config_map.binaryData:
        problems += checks.named(key, names.config_map_key, fields.Path("binaryData").key(key))
    if size > MAX_SIZE:
        problems.append(fields.too_long(fields.Path(""), MAX_SIZE))
    return problems


def validate_update(new: core_v1.ConfigMap, old: core_v1.ConfigMap) -> checks.Errors:
    if not old.immutable:
        return []
    problems = [] if new.immutable else [fields.forbidden(fields.Path("immutable"), FROZEN)]
    changed = [name for name in ("data", "binaryData") if getattr(new, name) != getattr(old, name)]
    return problems + [fields.forbidden(fields.Path(name), FROZEN) for name in changed]


def row(config_map: core_v1.ConfigMap, now: float) -> Sequence[kind.Cell]:
    count = len(config_map.data) + len(config_map.binaryData)
    return config_map.metadata.name, count, cells.age(config_map.metadata, now)


KIND: kind.Kind[core_v1.ConfigMap] = kind.Kind(
    resource=kind.resource("", "v1", "configmaps"),
    default=default,
    validate=validate,
    validate_update=validate_update,
    columns=(kind.NAME, kind.Column("Data"), kind.AGE),
    row=row,
)
