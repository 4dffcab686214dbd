"""StatefulSets."""

from __future__ import annotations

from collections.abc import Sequence

from pybernetes.api import codecs, fields, names, selectors
from pybernetes.api.types import apps_v1, core_v1
from pybernetes.apiserver.resources import cells, checks, kind
from pybernetes.apiserver.resources.apps import workloads
from pybernetes.apiserver.resources.core import persistentvolumeclaims, pod_validation

_UPDATABLE = (
    "replicas",
    "template",
    "updateStrategy",
    "minReadySeconds",
    "ordinals",
    "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy",
)


def default(stateful_set: apps_v1.StatefulSet) -> None:
    spec = stateful_set.spec
    workloads.default_template(spec.template)
    for claim in spec.volumeClaimTemplates:
        persistentvolumeclaims.default(claim)
    spec.podManagementPolicy = spec.podManagementPolicy or "OrderedReady"
    strategy = spec.updateStrategy
    if not strategy.type:
        strategy.type = "RollingUpdate"
        if strategy.rollingUpdate is None:
            strategy.rollingUpdate = apps_v1.RollingUpdateStatefulSetStrategy()
    rolling = strategy.rollingUpdate
    if strategy.type == "RollingUpdate" and rolling is not None and rolling.partition is None:
        rolling.partition = 0
    if spec.persistentVolumeClaimRetentionPolicy is None:
        spec.persistentVolumeClaimRetentionPolicy = apps_v1.StatefulSetPersistentVolumeClaimRetentionPolicy()
    retention = spec.persistentVolumeClaimRetentionPolicy
    retention.whenDeleted = retention.whenDeleted or "Retain"
    retention.whenScaled = retention.whenScaled or "Retain"
    if spec.replicas is None:
        spec.replicas = 1
    if spec.revisionHistoryLimit is None:
        spec.revisionHistoryLimit = 10


def validate(stateful_set: apps_v1.StatefulSet) -> checks.Errors:
    spec, path = stateful_set.spec, workloads.SPEC
    problems: checks.Errors = []
    if spec.podManagementPolicy not in ("OrderedReady", "Parallel"):
        words = "must be 'OrderedReady' or 'Parallel'"
        problems.append(fields.invalid(path["podManagementPolicy"], spec.podManagementPolicy, words))
    problems += _strategy(spec.updateStrategy, path["updateStrategy"])
    retention = spec.persistentVolumeClaimRetentionPolicy
    if retention is not None:
        for name in ("whenDeleted", "whenScaled"):
            at = path["persistentVolumeClaimRetentionPolicy"][name]
            problems += checks.one_of(getattr(retention, name), ("Retain", "Delete"), at, in_order=True)
    problems += checks.not_negative(spec.replicas, path["replicas"])
    problems += checks.not_negative(spec.minReadySeconds, path["minReadySeconds"])
    if spec.ordinals is not None:
        problems += checks.not_negative(spec.ordinals.start, path["ordinals.start"])
    if spec.serviceName:
        problems += checks.named(spec.serviceName, names.dns_label, path["serviceName"])
    if spec.selector is None:
        problems.append(fields.required(path["selector"]))
    else:
        problems += checks.selector(spec.selector, path["selector"])
        if not spec.selector.matchLabels and not spec.selector.matchExpressions:
            words = "empty selector is invalid for statefulset"
            problems.append(fields.invalid(path["selector"], spec.selector, words))
    return problems + _template(spec, path["template"])


def _template(spec: apps_v1.StatefulSetSpec, path: fields.Path) -> checks.Errors:
    problems: checks.Errors = []
    try:
        compiled = selectors.from_object(spec.selector)
    except selectors.SelectorError:
        return [fields.invalid(workloads.SPEC["selector"], spec.selector, "")]
    if not compiled.empty and not compiled.matches(spec.template.metadata.labels):
        problems.append(workloads.mismatch(spec.template, path))
    template = spec.template
    if spec.volumeClaimTemplates:
        # The controller gives every pod a volume per claim template, which containers may mount.
        template = codecs.copy(template)
        claimed = {claim.metadata.name for claim in spec.volumeClaimTemplates}
        volumes = [
            core_v1.Volume(name=name, persistentVolumeClaim=core_v1.PersistentVolumeClaimVolumeSource(claimName=name))
            for name in sorted(claimed)
        ]
        template.spec.volumes = volumes + [volume for volume in template.spec.volumes if volume.name not in claimed]
        for index, claim in enumerate(spec.volumeClaimTemplates):
            at = workloads.SPEC["volumeClaimTemplates"][index]["spec"]
            problems += persistentvolumeclaims.validate_spec(claim.spec, at)
    problems += pod_validation.template(template, path)
    return problems + workloads.runs_for_ever(template, path, "StatefulSet")


def _strategy(strategy: apps_v1.StatefulSetUpdateStrategy, path: fields.Path) -> checks.Errors:
    rolling = strategy.rollingUpdate
    if strategy.type == "OnDelete":
        words = "only allowed for updateStrategy 'RollingUpdate'"
        return [fields.invalid(path["rollingUpdate"], rolling, words)] if rolling is not None else []
    if strategy.type != "RollingUpdate":
        return [fields.invalid(path, strategy, "must be 'RollingUpdate' or 'OnDelete'")]
    problems: checks.Errors = []
    if rolling is not None:
        at = path["rollingUpdate"]
        problems += checks.not_negative(rolling.partition, at["partition"])
        if rolling.maxUnavailable is not None:
            problems += workloads.int_or_percent(rolling.maxUnavailable, at["maxUnavailable"])
            if workloads.is_zero(rolling.maxUnavailable):
                problems.append(fields.invalid(at["maxUnavailable"], rolling.maxUnavailable, "cannot be 0"))
            problems += workloads.at_most_all(rolling.maxUnavailable, at["maxUnavailable"])
    return problems


def validate_update(new: apps_v1.StatefulSet, old: apps_v1.StatefulSet) -> checks.Errors:
    unchanged = all(
        checks.same(getattr(new.spec, name), getattr(old.spec, name))
        for name in new.spec.__struct_fields__
        if name not in _UPDATABLE
    )
    if unchanged:
        return []
    words = (
        "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', "
        "'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"
    )
    return [fields.forbidden(workloads.SPEC, words)]


def validate_status(new: apps_v1.StatefulSet, old: apps_v1.StatefulSet) -> checks.Errors:
    status = new.status
    within = ("readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas")
    problems = workloads.counts(status, ("replicas", *within, "observedGeneration", "collisionCount"))
    for name in within:
        problems += workloads.at_most(status, name, "replicas", "cannot be greater than status.replicas")
    words = "cannot be greater than status.readyReplicas"
    problems += workloads.at_most(status, "availableReplicas", "readyReplicas", words)
    return problems + workloads.collisions(new, old)


def row(stateful_set: apps_v1.StatefulSet, now: float) -> Sequence[kind.Cell]:
    spec, status = stateful_set.spec, stateful_set.status
    return (
        stateful_set.metadata.name,
        f"{status.readyReplicas}/{spec.replicas or 0}",
        cells.age(stateful_set.metadata, now),
        *cells.containers(spec.template.spec.containers),
    )


KIND: kind.Kind[apps_v1.StatefulSet] = kind.Kind(
    resource=kind.resource("apps", "v1", "statefulsets"),
    default=default,
    validate=validate,
    validate_update=validate_update,
    validate_status=validate_status,
    check_name=names.dns_label,
    warnings=workloads.template_warnings,
    has_status=True,
    spec_of=lambda stateful_set: stateful_set.spec,
    columns=(kind.NAME, kind.Column("Ready"), kind.AGE, cells.CONTAINERS, cells.IMAGES),
    row=row,
    scale=workloads.scale(),
)
