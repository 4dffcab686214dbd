"""ComponentStatuses: never stored; the endpoints make them from health checks."""

from __future__ import annotations

from collections.abc import Sequence

from pybernetes.api.types import core_v1
from pybernetes.apiserver.resources import kind


def row(component: core_v1.ComponentStatus, _: float) -> Sequence[kind.Cell]:
    for condition in component.conditions:
        if condition.type == "Healthy":
            status = "Healthy" if condition.status == "True" else "Unhealthy"
            return component.metadata.name, status, condition.message, condition.error
    return component.metadata.name, "Unknown", "", ""


def warnings(_: core_v1.ComponentStatus) -> Sequence[str]:
    return ("v1 ComponentStatus is deprecated in v1.19+",)


KIND: kind.Kind[core_v1.ComponentStatus] = kind.Kind(
    resource=kind.resource("", "v1", "componentstatuses"),
    warnings=warnings,
    columns=(kind.NAME, kind.Column("Status"), kind.Column("Message"), kind.Column("Error")),
    row=row,
)
