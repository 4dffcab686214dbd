"""RuntimeClasses: how a node's runtime runs a pod, what that costs, and where it can be done."""

from __future__ import annotations

from collections.abc import Sequence

from pybernetes.api import fields, names
from pybernetes.api.types import core_v1, node_v1
from pybernetes.apiserver.resources import cells, checks, kind
from pybernetes.apiserver.resources.core import resource_validation, scheduling_validation

_HANDLER = fields.Path("handler")


def validate(runtime_class: node_v1.RuntimeClass) -> checks.Errors:
    problems: checks.Errors = []
    if not runtime_class.handler:
        problems.append(fields.required(_HANDLER))
    else:
        problems += checks.named(runtime_class.handler, names.dns_label, _HANDLER)
    if runtime_class.overhead is not None:
        costs = core_v1.ResourceRequirements(limits=runtime_class.overhead.podFixed)
        problems += resource_validation.requirements(costs, (), fields.Path("overhead"))
    if runtime_class.scheduling is not None:
        problems += _scheduling(runtime_class.scheduling, fields.Path("scheduling"))
    return problems


def _scheduling(scheduling: node_v1.Scheduling, path: fields.Path) -> checks.Errors:
    problems = checks.labels(scheduling.nodeSelector, path["nodeSelector"])
    problems += scheduling_validation.tolerations(scheduling.tolerations, path["tolerations"])
    seen: set[tuple[str, str, str, str]] = set()
    for index, toleration in enumerate(scheduling.tolerations):
        key = (toleration.key, toleration.operator, toleration.value, toleration.effect)
        if key in seen:
            problems.append(fields.duplicate(path["tolerations"][index], toleration))
        seen.add(key)
    return problems


def validate_update(new: node_v1.RuntimeClass, old: node_v1.RuntimeClass) -> checks.Errors:
    return checks.immutable(new.handler, old.handler, _HANDLER)


def row(runtime_class: node_v1.RuntimeClass, now: float) -> Sequence[kind.Cell]:
    return runtime_class.metadata.name, runtime_class.handler, cells.age(runtime_class.metadata, now)


KIND: kind.Kind[node_v1.RuntimeClass] = kind.Kind(
    resource=kind.resource("node.k8s.io", "v1", "runtimeclasses"),
    validate=validate,
    validate_update=validate_update,
    create_on_update=True,
    allow_unconditional_update=False,
    columns=(kind.NAME, kind.Column("Handler"), kind.AGE),
    row=row,
)
