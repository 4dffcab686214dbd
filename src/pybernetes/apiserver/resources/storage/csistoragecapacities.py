"""CSIStorageCapacities."""

from __future__ import annotations

from collections.abc import Sequence

from pybernetes.api import fields, names
from pybernetes.api.types import storage_v1
from pybernetes.apiserver.resources import checks, kind


def validate(capacity: storage_v1.CSIStorageCapacity) -> checks.Errors:
    problems = checks.named(capacity.storageClassName, names.dns_subdomain, fields.Path("storageClassName"))
    problems += checks.selector(capacity.nodeTopology, fields.Path("nodeTopology"))
    for name in ("capacity", "maximumVolumeSize"):
        value = getattr(capacity, name)
        if value is not None and value.value() < 0:
            problems.append(fields.invalid(fields.Path(name), value, checks.NOT_NEGATIVE))
    return problems


def validate_update(new: storage_v1.CSIStorageCapacity, old: storage_v1.CSIStorageCapacity) -> checks.Errors:
    problems: checks.Errors = []
    for name in ("nodeTopology", "storageClassName"):
        problems += checks.immutable(getattr(new, name), getattr(old, name), fields.Path(name))
    return problems


def row(capacity: storage_v1.CSIStorageCapacity, _: float) -> Sequence[kind.Cell]:
    amount = "<unset>" if capacity.capacity is None else str(capacity.capacity)
    return capacity.metadata.name, capacity.storageClassName, amount


KIND: kind.Kind[storage_v1.CSIStorageCapacity] = kind.Kind(
    resource=kind.resource("storage.k8s.io", "v1", "csistoragecapacities"),
    validate=validate,
    validate_update=validate_update,
    allow_unconditional_update=False,
    columns=(kind.NAME, kind.Column("StorageClassName"), kind.Column("Capacity")),
    row=row,
)
