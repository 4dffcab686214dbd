"""ReplicationControllers."""

from __future__ import annotations

from collections.abc import Sequence

from pybernetes.api import fields, selectors
from pybernetes.api.types import core_v1
from pybernetes.apiserver.resources import cells, checks, kind
from pybernetes.apiserver.resources.apps import workloads
from pybernetes.apiserver.resources.core import pod_spec, pod_validation, pod_warnings

_SPEC = fields.Path("spec")


def default(controller: core_v1.ReplicationController) -> None:
    spec = controller.spec
    if spec.template is not None:
        pod_spec.default(spec.template.spec)
        labels = spec.template.metadata.labels
        if labels and not spec.selector:
            spec.selector = dict(labels)
        if labels and not controller.metadata.labels:
            controller.metadata.labels = dict(labels)
    if spec.replicas is None:
        spec.replicas = 1


def validate(controller: core_v1.ReplicationController) -> checks.Errors:
    spec = controller.spec
    problems = checks.not_negative(spec.minReadySeconds, _SPEC["minReadySeconds"])
    if not spec.selector:
        problems.append(fields.required(_SPEC["selector"]))
    problems += checks.labels(spec.selector, _SPEC["selector"])
    problems += checks.not_negative(spec.replicas, _SPEC["replicas"])
    path = _SPEC["template"]
    if spec.template is None:
        return [*problems, fields.required(path)]
    if spec.selector and not selectors.from_set(spec.selector).matches(spec.template.metadata.labels):
        problems.append(workloads.mismatch(spec.template, path))
    problems += pod_validation.template(spec.template, path)
    return problems + workloads.runs_for_ever(spec.template, path, "ReplicationController")


def validate_status(new: core_v1.ReplicationController, _: core_v1.ReplicationController) -> checks.Errors:
    return workloads.set_status(new.status)


def warnings(controller: core_v1.ReplicationController) -> Sequence[str]:
    if controller.spec.template is None:
        return ()
    return pod_warnings.spec_warnings(controller.spec.template.spec, "spec.template.spec")


def row(controller: core_v1.ReplicationController, now: float) -> Sequence[kind.Cell]:
    spec, status = controller.spec, controller.status
    template = spec.template
    return (
        controller.metadata.name,
        spec.replicas or 0,
        status.replicas,
        status.readyReplicas,
        cells.age(controller.metadata, now),
        *cells.containers(template.spec.containers if template is not None else ()),
        cells.labels(spec.selector),
    )


KIND: kind.Kind[core_v1.ReplicationController] = kind.Kind(
    resource=kind.resource("", "v1", "replicationcontrollers"),
    default=default,
    validate=validate,
    validate_status=validate_status,
    warnings=warnings,
    has_status=True,
    spec_of=lambda controller: controller.spec,
    columns=workloads.SET_COLUMNS,
    row=row,
    field_labels=("status.replicas",),
    selectable=workloads.replicas_label,
    scale=workloads.scale(lambda controller: str(selectors.from_set(controller.spec.selector))),
)
