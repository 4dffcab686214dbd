"""CSINodes."""

from __future__ import annotations

from collections.abc import Sequence

from pybernetes.api import fields
from pybernetes.api.types import storage_v1
from pybernetes.apiserver.resources import cells, checks, kind

_DRIVERS = fields.Path("spec")["drivers"]


def validate(node: storage_v1.CSINode) -> checks.Errors:
    problems: checks.Errors = []
    seen: set[str] = set()
    for index, driver in enumerate(node.spec.drivers):
        path = _DRIVERS[index]
        if not driver.name:
            problems.append(fields.required(path["name"]))
        if driver.name in seen:
            problems.append(fields.duplicate(path["name"], driver.name))
        seen.add(driver.name)
        if not driver.nodeID:
            problems.append(fields.required(path["nodeID"]))
        if driver.allocatable is not None:
            problems += checks.not_negative(driver.allocatable.count, path["allocatable"]["count"])
    return problems


def row(node: storage_v1.CSINode, now: float) -> Sequence[kind.Cell]:
    return node.metadata.name, len(node.spec.drivers), cells.age(node.metadata, now)


KIND: kind.Kind[storage_v1.CSINode] = kind.Kind(
    resource=kind.resource("storage.k8s.io", "v1", "csinodes"),
    validate=validate,
    allow_unconditional_update=False,
    columns=(kind.NAME, kind.Column("Drivers", type="integer"), kind.AGE),
    row=row,
)
