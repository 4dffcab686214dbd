"""Deployments."""

from __future__ import annotations

from collections.abc import Sequence

from pybernetes.api import fields
from pybernetes.api.types import apps_v1
from pybernetes.apiserver.resources import cells, checks, kind
from pybernetes.apiserver.resources.apps import workloads


def default(deployment: apps_v1.Deployment) -> None:
    spec = deployment.spec
    workloads.default_template(spec.template)
    if spec.replicas is None:
        spec.replicas = 1
    strategy = spec.strategy
    strategy.type = strategy.type or "RollingUpdate"
    if strategy.type == "RollingUpdate":
        if strategy.rollingUpdate is None:
            strategy.rollingUpdate = apps_v1.RollingUpdateDeployment()
        if strategy.rollingUpdate.maxUnavailable is None:
            strategy.rollingUpdate.maxUnavailable = "25%"
        if strategy.rollingUpdate.maxSurge is None:
            strategy.rollingUpdate.maxSurge = "25%"
    if spec.revisionHistoryLimit is None:
        spec.revisionHistoryLimit = 10
    if spec.progressDeadlineSeconds is None:
        spec.progressDeadlineSeconds = 600


def validate(deployment: apps_v1.Deployment) -> checks.Errors:
    spec, path = deployment.spec, workloads.SPEC
    problems = checks.not_negative(spec.replicas, path["replicas"])
    problems += workloads.selector_and_template(spec.selector, spec.template, of="deployment", owner="ReplicaSet")
    problems += _strategy(spec.strategy, path["strategy"])
    problems += checks.not_negative(spec.minReadySeconds, path["minReadySeconds"])
    problems += checks.not_negative(spec.revisionHistoryLimit, path["revisionHistoryLimit"])
    deadline = spec.progressDeadlineSeconds
    if deadline is not None:
        problems += checks.not_negative(deadline, path["progressDeadlineSeconds"])
        if deadline <= spec.minReadySeconds:
            words = "must be greater than minReadySeconds"
            problems.append(fields.invalid(path["progressDeadlineSeconds"], deadline, words))
    return problems


def _strategy(strategy: apps_v1.DeploymentStrategy, path: fields.Path) -> checks.Errors:
    rolling = strategy.rollingUpdate
    if strategy.type == "Recreate":
        words = "may not be specified when strategy `type` is 'Recreate'"
        return [fields.forbidden(path["rollingUpdate"], words)] if rolling is not None else []
    if strategy.type != "RollingUpdate":
        return [fields.not_supported(path, strategy, ("Recreate", "RollingUpdate"))]
    if rolling is None:
        return [fields.required(path["rollingUpdate"], "this should be defaulted and never be nil")]
    problems: checks.Errors = []
    at = path["rollingUpdate"]
    for name in ("maxUnavailable", "maxSurge"):
        value = getattr(rolling, name)
        if value is not None:
            problems += workloads.int_or_percent(value, at[name])
    if workloads.is_zero(rolling.maxUnavailable) and workloads.is_zero(rolling.maxSurge):
        words = "may not be 0 when `maxSurge` is 0"
        problems.append(fields.invalid(at["maxUnavailable"], rolling.maxUnavailable, words))
    return problems + workloads.at_most_all(rolling.maxUnavailable or 0, at["maxUnavailable"])


def validate_status(new: apps_v1.Deployment, old: apps_v1.Deployment) -> checks.Errors:
    status = new.status
    numbers = ("observedGeneration", "replicas", "updatedReplicas", "readyReplicas", "availableReplicas")
    problems = workloads.counts(status, (*numbers, "unavailableReplicas", "terminatingReplicas", "collisionCount"))
    for name in ("updatedReplicas", "readyReplicas", "availableReplicas"):
        problems += workloads.at_most(status, name, "replicas", "cannot be greater than status.replicas")
    problems += workloads.at_most(status, "availableReplicas", "readyReplicas", "cannot be greater than readyReplicas")
    return problems + workloads.collisions(new, old)


def row(deployment: apps_v1.Deployment, now: float) -> Sequence[kind.Cell]:
    spec, status = deployment.spec, deployment.status
    return (
        deployment.metadata.name,
        f"{status.readyReplicas}/{spec.replicas or 0}",
        str(status.updatedReplicas),
        str(status.availableReplicas),
        cells.age(deployment.metadata, now),
        *cells.containers(spec.template.spec.containers),
        cells.selector(spec.selector),
    )


KIND: kind.Kind[apps_v1.Deployment] = kind.Kind(
    resource=kind.resource("apps", "v1", "deployments"),
    default=default,
    validate=validate,
    validate_update=workloads.same_selector,
    validate_status=validate_status,
    warnings=workloads.template_warnings,
    has_status=True,
    spec_of=lambda deployment: (deployment.spec, deployment.metadata.annotations),
    columns=(
        kind.NAME,
        kind.Column("Ready"),
        kind.Column("Up-to-date"),
        kind.Column("Available"),
        kind.AGE,
        cells.CONTAINERS,
        cells.IMAGES,
        cells.SELECTOR,
    ),
    row=row,
    scale=workloads.scale(),
)
