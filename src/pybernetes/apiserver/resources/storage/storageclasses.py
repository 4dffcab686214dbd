"""StorageClasses."""

from __future__ import annotations

from collections.abc import Sequence

from pybernetes.api import fields, names
from pybernetes.api.types import core_v1, storage_v1
from pybernetes.apiserver.resources import cells, checks, kind

_DEFAULT = ("storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class")
_MAX_PARAMETERS = 512
_MAX_SIZE = 256 * 1024


def default(storage: storage_v1.StorageClass) -> None:
    storage.reclaimPolicy = storage.reclaimPolicy or "Delete"
    if storage.volumeBindingMode is None:
        storage.volumeBindingMode = "Immediate"


def is_default(storage: storage_v1.StorageClass) -> bool:
    return any(storage.metadata.annotations.get(name) == "true" for name in _DEFAULT)


def validate(storage: storage_v1.StorageClass) -> checks.Errors:
    problems: checks.Errors = []
    path = fields.Path("provisioner")
    if not storage.provisioner:
        problems.append(fields.required(path))
    else:
        problems += checks.named(storage.provisioner.lower(), names.qualified_name, path)
    problems += parameters(storage.parameters)
    if storage.reclaimPolicy is not None:
        at = fields.Path("reclaimPolicy")
        problems += checks.one_of(storage.reclaimPolicy, ("Delete", "Retain"), at)
    modes = ("Immediate", "WaitForFirstConsumer")
    at = fields.Path("volumeBindingMode")
    if storage.volumeBindingMode is None:
        problems.append(fields.required(at))
    else:
        problems += checks.one_of(storage.volumeBindingMode, modes, at)
    return problems + _topologies(storage.allowedTopologies, fields.Path("allowedTopologies"))


def _topologies(terms: Sequence[core_v1.TopologySelectorTerm], path: fields.Path) -> checks.Errors:
    """Every term says something, and nothing that another has said."""
    problems: checks.Errors = []
    seen: list[dict[str, frozenset[str]]] = []
    for index, term in enumerate(terms):
        at = path[index]["matchLabelExpressions"]
        said: dict[str, frozenset[str]] = {}
        for place, expression in enumerate(term.matchLabelExpressions):
            here = at[place]
            if not expression.values:
                problems.append(fields.required(here["values"]))
            for number, value in enumerate(expression.values):
                if value in expression.values[:number]:
                    problems.append(fields.duplicate(here["values"][number], value))
            problems += checks.named(expression.key, names.qualified_name, here["key"])
            if expression.key in said:
                problems.append(fields.duplicate(here["key"], expression.key))
            said[expression.key] = frozenset(expression.values)
        if not said or said in seen:
            problems.append(fields.duplicate(at, ""))
        seen.append(said)
    return problems


def parameters(values: dict[str, str]) -> checks.Errors:
    """Not too many, not too long, none without a name."""
    path = fields.Path("parameters")
    problems: checks.Errors = []
    if len(values) > _MAX_PARAMETERS:
        words = "Provisioner Parameters exceeded max allowed"
        return [fields.FieldError(fields.TOO_LONG, str(path), f"Too long: {words} {_MAX_PARAMETERS} items")]
    if "" in values:
        problems.append(fields.invalid(path, "", "field can not be empty."))
    if sum(len(key.encode()) + len(value.encode()) for key, value in values.items()) > _MAX_SIZE:
        problems.append(fields.too_long(path, _MAX_SIZE))
    return problems


def validate_update(new: storage_v1.StorageClass, old: storage_v1.StorageClass) -> checks.Errors:
    problems: checks.Errors = []
    for name in ("parameters", "provisioner", "reclaimPolicy"):
        if getattr(new, name) != getattr(old, name):
            words = "updates to " + name + " are forbidden."
            problems.append(fields.forbidden(fields.Path(name), words))
    path = fields.Path("volumeBindingMode")
    return problems + checks.immutable(new.volumeBindingMode, old.volumeBindingMode, path)


def row(storage: storage_v1.StorageClass, now: float) -> Sequence[kind.Cell]:
    return (
        storage.metadata.name + (" (default)" if is_default(storage) else ""),
        storage.provisioner,
        storage.reclaimPolicy or "Delete",
        storage.volumeBindingMode or "Immediate",
        bool(storage.allowVolumeExpansion),
        cells.age(storage.metadata, now),
    )


KIND: kind.Kind[storage_v1.StorageClass] = kind.Kind(
    resource=kind.resource("storage.k8s.io", "v1", "storageclasses"),
    default=default,
    validate=validate,
    validate_update=validate_update,
    columns=(
        kind.NAME,
        kind.Column("Provisioner"),
        kind.Column("ReclaimPolicy"),
        kind.Column("VolumeBindingMode"),
        kind.Column("AllowVolumeExpansion"),
        kind.AGE,
    ),
    row=row,
)
