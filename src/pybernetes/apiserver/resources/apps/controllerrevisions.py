"""ControllerRevisions: what DaemonSets and StatefulSets remember of themselves."""

from __future__ import annotations

from collections.abc import Sequence

from pybernetes.api import fields
from pybernetes.api.types import apps_v1
from pybernetes.apiserver.resources import cells, checks, kind


def validate(revision: apps_v1.ControllerRevision) -> checks.Errors:
    problems: checks.Errors = []
    if revision.data is None:
        problems.append(fields.required(fields.Path("data"), "data is mandatory"))
    elif not isinstance(revision.data, dict):
        problems.append(fields.required(fields.Path("data"), "data must be a valid JSON object"))
    return problems + checks.not_negative(revision.revision, fields.Path("revision"))


def validate_update(new: apps_v1.ControllerRevision, old: apps_v1.ControllerRevision) -> checks.Errors:
    return checks.immutable(new.data, old.data, fields.Path("data"))


def row(revision: apps_v1.ControllerRevision, now: float) -> Sequence[kind.Cell]:
    owner = next((ref for ref in revision.metadata.ownerReferences if ref.controller), None)
    controller = "<none>"
    if owner is not None:
        group = owner.apiVersion.rpartition("/")[0]
        controller = f"{owner.kind.lower()}{'.' + group if group else ''}/{owner.name}"
    return revision.metadata.name, controller, revision.revision, cells.age(revision.metadata, now)


KIND: kind.Kind[apps_v1.ControllerRevision] = kind.Kind(
    resource=kind.resource("apps", "v1", "controllerrevisions"),
    validate=validate,
    validate_update=validate_update,
    columns=(kind.NAME, kind.Column("Controller"), kind.Column("Revision"), kind.AGE),
    row=row,
)
