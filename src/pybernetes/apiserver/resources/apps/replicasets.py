"""ReplicaSets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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


def validate_update(new: apps_v1.ReplicaSet, old: apps_v1.ReplicaSet) -> checks.Errors:
    return checks.immutable(new.spec.selector, old.spec.selector, workloads.SPEC["selector"])


def validate_status(new: apps_v1.ReplicaSet, _: apps_v1.ReplicaSet) -> checks.Errors:
    status = new.status
    within = ("fullyLabeledReplicas", "readyReplicas", "availableReplicas")
    problems = workloads.counts(status, ("replicas", *within, "observedGeneration", "terminatingReplicas"))
    for name in within:
        problems += workloads.at_most(status, name, "replicas", "cannot be greater than status.replicas")
    return problems + workloads.at_most(
        status, "availableReplicas", "readyReplicas", "cannot be greater than readyReplicas"
    )


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


def selectable(replica_set: apps_v1.ReplicaSet) -> Mapping[str, str]:
    return {"status.replicas": str(replica_set.status.replicas)}


KIND: kind.Kind[apps_v1.ReplicaSet] = kind.Kind(
    resource=kind.resource("apps", "v1", "replicasets"),
    default=default,
    validate=validate,
    validate_update=validate_update,
    validate_status=validate_status,
    warnings=workloads.template_warnings,
    has_status=True,
    spec_of=lambda replica_set: replica_set.spec,
    columns=(
        kind.NAME,
        kind.Column("Desired", type="integer"),
        kind.Column("Current", type="integer"),
        kind.Column("Ready", type="integer"),
        kind.AGE,
        cells.CONTAINERS,
        cells.IMAGES,
        cells.SELECTOR,
    ),
    row=row,
    field_labels=("status.replicas",),
    selectable=selectable,
    scale=workloads.scale(),
)
