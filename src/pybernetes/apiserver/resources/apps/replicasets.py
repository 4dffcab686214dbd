"""ReplicaSets."""

from __future__ import annotations

from collections.abc import Sequence

from pybernetes.api.types import apps_v1
from pybernetes.apiserver.resources import cells, checks, kind
from pybernetes.apiserver.resources.apps import workloads


def default(replica_set: apps_v1.ReplicaSet) -> None:
    workloads.default_template(replica_set.spec.template)
    if replica_set.spec.replicas is None:
        replica_set.spec.replicas = 1


def validate(replica_set: apps_v1.ReplicaSet) -> checks.Errors:
    spec, path = replica_set.spec, workloads.SPEC
    problems = checks.not_negative(spec.replicas, path["replicas"])
    problems += checks.not_negative(spec.minReadySeconds, path["minReadySeconds"])
    return problems + workloads.selector_and_template(spec.selector, spec.template, of="deployment", owner="ReplicaSet")


def validate_status(new: apps_v1.ReplicaSet, _: apps_v1.ReplicaSet) -> checks.Errors:
    return workloads.set_status(new.status, "terminatingReplicas")


def row(replica_set: apps_v1.ReplicaSet, now: float) -> Sequence[kind.Cell]:
    spec, status = replica_set.spec, replica_set.status
    return (
        replica_set.metadata.name,
        spec.replicas or 0,
        status.replicas,
        status.readyReplicas,
        cells.age(replica_set.metadata, now),
        *cells.containers(spec.template.spec.containers),
        cells.selector(spec.selector),
    )


KIND: kind.Kind[apps_v1.ReplicaSet] = kind.Kind(
    resource=kind.resource("apps", "v1", "replicasets"),
    default=default,
    validate=validate,
    validate_update=workloads.same_selector,
    validate_status=validate_status,
    warnings=workloads.template_warnings,
    has_status=True,
    spec_of=lambda replica_set: replica_set.spec,
    columns=workloads.SET_COLUMNS,
    row=row,
    field_labels=("status.replicas",),
    selectable=workloads.replicas_label,
    scale=workloads.scale(),
)
