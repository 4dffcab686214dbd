"""Namespaces. Their deletion in stages is the endpoints' and the namespace controller's business."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pybernetes.api import fields, names
from pybernetes.api.types import core_v1
from pybernetes.apiserver.resources import cells, checks, kind

_LABEL = "kubernetes.io/metadata.name"
_STANDARD = ("kubernetes", "orphan", "foregroundDeletion")


def default(namespace: core_v1.Namespace) -> None:
    if namespace.metadata.name:
        namespace.metadata.labels[_LABEL] = namespace.metadata.name
    namespace.status.phase = namespace.status.phase or "Active"


def prepare_create(namespace: core_v1.Namespace) -> None:
    namespace.status = core_v1.NamespaceStatus(phase="Active")
    if "kubernetes" not in namespace.spec.finalizers:
        namespace.spec.finalizers.append("kubernetes")


def prepare_update(new: core_v1.Namespace, old: core_v1.Namespace) -> None:
    # Finalizers change through the finalize subresource only.
    new.spec.finalizers = old.spec.finalizers


def validate(namespace: core_v1.Namespace) -> checks.Errors:
    problems: checks.Errors = []
    path = fields.Path("spec")["finalizers"]
    for name in namespace.spec.finalizers:
        problems += checks.named(name, names.qualified_name, path)
        if "/" not in name and name not in _STANDARD:
            words = "name is neither a standard finalizer name nor is it fully qualified"
            problems.append(fields.invalid(path, name, words))
    return problems


def validate_status(new: core_v1.Namespace, _: core_v1.Namespace) -> checks.Errors:
    path, phase = fields.Path("status")["Phase"], new.status.phase
    if new.metadata.deletionTimestamp is None:
        if phase != "Active":
            return [fields.invalid(path, phase, "may only be 'Active' if `deletionTimestamp` is empty")]
    elif phase != "Terminating":
        return [fields.invalid(path, phase, "may only be 'Terminating' if `deletionTimestamp` is not empty")]
    return []


def row(namespace: core_v1.Namespace, now: float) -> Sequence[kind.Cell]:
    return namespace.metadata.name, namespace.status.phase, cells.age(namespace.metadata, now)


def selectable(namespace: core_v1.Namespace) -> Mapping[str, str]:
    return {"status.phase": namespace.status.phase, "name": namespace.metadata.name}


KIND: kind.Kind[core_v1.Namespace] = kind.Kind(
    resource=kind.resource("", "v1", "namespaces"),
    default=default,
    prepare_create=prepare_create,
    prepare_update=prepare_update,
    validate=validate,
    validate_status=validate_status,
    check_name=names.dns_label,
    has_status=True,
    columns=(kind.NAME, kind.Column("Status"), kind.AGE),
    row=row,
    field_labels=("status.phase", "name"),
    selectable=selectable,
)
