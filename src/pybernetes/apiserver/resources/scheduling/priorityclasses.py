"""PriorityClasses."""

from __future__ import annotations

from collections.abc import Sequence

from pybernetes.api import fields
from pybernetes.api.types import scheduling_v1
from pybernetes.apiserver.resources import cells, checks, kind

_HIGHEST = 1_000_000_000
_SYSTEM = {"system-node-critical": 2_000_001_000, "system-cluster-critical": 2_000_000_000}


def default(priority: scheduling_v1.PriorityClass) -> None:
    if priority.preemptionPolicy is None:
        priority.preemptionPolicy = "PreemptLowerPriority"


def validate(priority: scheduling_v1.PriorityClass) -> checks.Errors:
    problems: checks.Errors = []
    name = priority.metadata.name
    path = fields.Path("metadata")["name"]
    if name.startswith("system-"):
        if name not in _SYSTEM:
            words = "priority class names with 'system-' prefix are reserved for system use only. error: "
            words += f"{name} is not a known system priority class"
            problems.append(fields.forbidden(path, words))
        elif priority.value != _SYSTEM[name]:
            words = "priority class names with 'system-' prefix are reserved for system use only. error: "
            words += f"value of {name} PriorityClass must be {_SYSTEM[name]}"
            problems.append(fields.forbidden(path, words))
    elif priority.value > _HIGHEST:
        words = f"maximum allowed value of a user defined priority is {_HIGHEST}"
        problems.append(fields.forbidden(fields.Path("value"), words))
    if priority.preemptionPolicy is not None:
        policies = ("Never", "PreemptLowerPriority")
        problems += checks.required_one_of(priority.preemptionPolicy, policies, fields.Path("preemptionPolicy"))
    return problems


def validate_update(new: scheduling_v1.PriorityClass, old: scheduling_v1.PriorityClass) -> checks.Errors:
    problems: checks.Errors = []
    if new.value != old.value:
        problems.append(fields.forbidden(fields.Path("value"), "may not be changed in an update."))
    path = fields.Path("preemptionPolicy")
    return problems + checks.immutable(new.preemptionPolicy, old.preemptionPolicy, path)


def prepare_create(priority: scheduling_v1.PriorityClass) -> None:
    priority.metadata.generation = 1


def row(priority: scheduling_v1.PriorityClass, now: float) -> Sequence[kind.Cell]:
    age = cells.age(priority.metadata, now)
    policy = priority.preemptionPolicy or ""
    return priority.metadata.name, priority.value, priority.globalDefault, age, policy


KIND: kind.Kind[scheduling_v1.PriorityClass] = kind.Kind(
    resource=kind.resource("scheduling.k8s.io", "v1", "priorityclasses"),
    default=default,
    prepare_create=prepare_create,
    validate=validate,
    validate_update=validate_update,
    columns=(
        kind.NAME,
        kind.Column("Value", type="integer"),
        kind.Column("Global-Default", type="boolean"),
        kind.AGE,
        kind.Column("PreemptionPolicy"),
    ),
    row=row,
)
