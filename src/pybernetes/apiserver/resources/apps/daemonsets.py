"""DaemonSets."""

from __future__ import annotations

from collections.abc import Sequence

from pybernetes.api import fields
from pybernetes.api.types import apps_v1
from pybernetes.apiserver.resources import cells, checks, kind
from pybernetes.apiserver.resources.apps import workloads

_TEMPLATE_GENERATION = "deprecated.daemonset.template.generation"


def default(daemon_set: apps_v1.DaemonSet) -> None:
    spec = daemon_set.spec
    workloads.default_template(spec.template)
    strategy = spec.updateStrategy
    strategy.type = strategy.type or "RollingUpdate"
    if strategy.type == "RollingUpdate":
        if strategy.rollingUpdate is None:
            strategy.rollingUpdate = apps_v1.RollingUpdateDaemonSet()
        if strategy.rollingUpdate.maxUnavailable is None:
            strategy.rollingUpdate.maxUnavailable = 1
        if strategy.rollingUpdate.maxSurge is None:
            strategy.rollingUpdate.maxSurge = 0
    if spec.revisionHistoryLimit is None:
        spec.revisionHistoryLimit = 10


def prepare_create(daemon_set: apps_v1.DaemonSet) -> None:
    daemon_set.metadata.annotations[_TEMPLATE_GENERATION] = "1"


def prepare_update(new: apps_v1.DaemonSet, old: apps_v1.DaemonSet) -> None:
    """Counts the changes of the template, for readers of old; writers have no say in it."""
    before = old.metadata.annotations.get(_TEMPLATE_GENERATION, "0")
    known = int(before) if before.isdecimal() else 0
    changed = not checks.same(new.spec.template, old.spec.template)
    new.metadata.annotations[_TEMPLATE_GENERATION] = str(known + 1 if changed else max(known, 1))


def validate(daemon_set: apps_v1.DaemonSet) -> checks.Errors:
    spec, path = daemon_set.spec, workloads.SPEC
    problems = workloads.selector_and_template(spec.selector, spec.template, of="daemonset", owner="DaemonSet")
    problems += checks.not_negative(spec.minReadySeconds, path["minReadySeconds"])
    problems += _strategy(spec.updateStrategy, path["updateStrategy"])
    return problems + checks.not_negative(spec.revisionHistoryLimit, path["revisionHistoryLimit"])


def _strategy(strategy: apps_v1.DaemonSetUpdateStrategy, path: fields.Path) -> checks.Errors:
    rolling = strategy.rollingUpdate
    if strategy.type == "OnDelete":
        return []
    if strategy.type != "RollingUpdate":
        return [fields.not_supported(path, strategy, ("RollingUpdate", "OnDelete"), in_order=True)]
    if rolling is None:
        return [fields.required(path["rollingUpdate"])]
    problems: checks.Errors = []
    at = path["rollingUpdate"]
    for name in ("maxUnavailable", "maxSurge"):
        value = getattr(rolling, name)
        if value is not None:
            problems += workloads.int_or_percent(value, at[name]) + workloads.at_most_all(value, at[name])
    unavailable, surge = not workloads.is_zero(rolling.maxUnavailable), not workloads.is_zero(rolling.maxSurge)
    if unavailable and surge:
        words = "may not be set when maxUnavailable is non-zero"
        problems.append(fields.invalid(at["maxSurge"], rolling.maxSurge, words))
    if not unavailable and not surge:
        problems.append(fields.required(at["maxUnavailable"], "cannot be 0 when maxSurge is 0"))
    return problems


def validate_status(new: apps_v1.DaemonSet, old: apps_v1.DaemonSet) -> checks.Errors:
    numbers = (
        "currentNumberScheduled",
        "numberMisscheduled",
        "desiredNumberScheduled",
        "numberReady",
        "observedGeneration",
        "updatedNumberScheduled",
        "numberAvailable",
        "numberUnavailable",
        "collisionCount",
    )
    return workloads.counts(new.status, numbers) + workloads.collisions(new, old)


def row(daemon_set: apps_v1.DaemonSet, now: float) -> Sequence[kind.Cell]:
    spec, status = daemon_set.spec, daemon_set.status
    return (
        daemon_set.metadata.name,
        status.desiredNumberScheduled,
        status.currentNumberScheduled,
        status.numberReady,
        status.updatedNumberScheduled,
        status.numberAvailable,
        cells.labels(spec.template.spec.nodeSelector),
        cells.age(daemon_set.metadata, now),
        *cells.containers(spec.template.spec.containers),
        cells.selector(spec.selector),
    )


KIND: kind.Kind[apps_v1.DaemonSet] = kind.Kind(
    resource=kind.resource("apps", "v1", "daemonsets"),
    default=default,
    prepare_create=prepare_create,
    prepare_update=prepare_update,
    validate=validate,
    validate_update=workloads.same_selector,
    validate_status=validate_status,
    warnings=workloads.template_warnings,
    has_status=True,
    spec_of=lambda daemon_set: daemon_set.spec,
    columns=(
        kind.NAME,
        kind.Column("Desired", type="integer"),
        kind.Column("Current", type="integer"),
        kind.Column("Ready", type="integer"),
        kind.Column("Up-to-date", type="integer"),
        kind.Column("Available", type="integer"),
        kind.Column("Node Selector"),
        kind.AGE,
        cells.CONTAINERS,
        cells.IMAGES,
        cells.SELECTOR,
    ),
    row=row,
)
