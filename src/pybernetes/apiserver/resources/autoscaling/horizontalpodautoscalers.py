"""HorizontalPodAutoscalers, in the version they are stored in: autoscaling/v2."""

from __future__ import annotations

from collections.abc import Sequence

from pybernetes.api import fields
from pybernetes.api.types import autoscaling_v2
from pybernetes.apiserver.resources import cells, checks, kind
from pybernetes.apiserver.resources.autoscaling import metrics

_SPEC = fields.Path("spec")
_STATUS = fields.Path("status")
_DEFAULT_UTILIZATION = 80
_MAX_PERIOD = 1800
_MAX_WINDOW = 3600

Autoscaler = autoscaling_v2.HorizontalPodAutoscaler
Rules = autoscaling_v2.HPAScalingRules


def cpu(percent: int) -> autoscaling_v2.MetricSpec:
    """The metric that autoscalers went by before there were others."""
    target = autoscaling_v2.MetricTarget(type="Utilization", averageUtilization=percent)
    return autoscaling_v2.MetricSpec(
        type="Resource", resource=autoscaling_v2.ResourceMetricSource(name="cpu", target=target)
    )


def default(autoscaler: Autoscaler) -> None:
    spec = autoscaler.spec
    if spec.minReplicas is None:
        spec.minReplicas = 1
    if not spec.metrics:
        spec.metrics = [cpu(_DEFAULT_UTILIZATION)]
    if spec.behavior is not None:
        up = (_policy("Pods", 4), _policy("Percent", 100))
        spec.behavior.scaleUp = _default_rules(spec.behavior.scaleUp, 0, up)
        spec.behavior.scaleDown = _default_rules(spec.behavior.scaleDown, None, (_policy("Percent", 100),))


def _policy(name: str, value: int) -> autoscaling_v2.HPAScalingPolicy:
    return autoscaling_v2.HPAScalingPolicy(type=name, value=value, periodSeconds=15)


def _default_rules(
    rules: Rules | None, window: int | None, policies: Sequence[autoscaling_v2.HPAScalingPolicy]
) -> Rules:
    rules = rules if rules is not None else Rules()
    if rules.selectPolicy is None:
        rules.selectPolicy = "Max"
    if rules.stabilizationWindowSeconds is None:
        rules.stabilizationWindowSeconds = window
    rules.policies = rules.policies or list(policies)
    return rules


def validate(autoscaler: Autoscaler) -> checks.Errors:
    return _problems(autoscaler, None)


def validate_update(new: Autoscaler, old: Autoscaler) -> checks.Errors:
    return _problems(new, old)


def _problems(autoscaler: Autoscaler, old: Autoscaler | None) -> checks.Errors:
    spec, was = autoscaler.spec, old.spec if old is not None else None
    least = 0 if was is not None and was.minReplicas == 0 else 1
    problems = _replicas(spec, least)
    target = spec.scaleTargetRef
    known = was is not None and (target.apiVersion, target.kind) == (
        was.scaleTargetRef.apiVersion,
        was.scaleTargetRef.kind,
    )
    # The only scalable kind of the core group may leave it out.
    core = not known and target.kind == "ReplicationController"
    problems += metrics.reference(target, _SPEC["scaleTargetRef"], any_version=known, any_group=core)
    described = [metric.object.describedObject for metric in was.metrics if metric.object] if was else []
    lenient = any(metrics.wrong_version(item.apiVersion, any_group=True) for item in described)
    problems += metrics.validate(spec.metrics, _SPEC["metrics"], any_version=lenient)
    if spec.minReplicas == 0 and not any(metric.type in ("Object", "External") for metric in spec.metrics):
        words = "must specify at least one Object or External metric to support scaling to zero replicas"
        problems.append(fields.forbidden(_SPEC["metrics"], words))
    if spec.behavior is not None:
        for name in ("scaleUp", "scaleDown"):
            problems += _rules(getattr(spec.behavior, name), _SPEC["behavior"][name])
    return problems


def _replicas(spec: autoscaling_v2.HorizontalPodAutoscalerSpec, least: int) -> checks.Errors:
    problems: checks.Errors = []
    low, high = spec.minReplicas, spec.maxReplicas
    if low is not None and low < least:
        words = f"must be greater than or equal to {least}"
        problems.append(fields.invalid(_SPEC["minReplicas"], low, words))
    if high == 0:
        problems.append(fields.required(_SPEC["maxReplicas"], "must be set and greater than 0"))
    elif high < 0:
        problems.append(fields.invalid(_SPEC["maxReplicas"], high, "must be greater than or equal to 1"))
    if low is not None and high < low:
        words = "must be greater than or equal to `minReplicas`"
        problems.append(fields.invalid(_SPEC["maxReplicas"], high, words))
    return problems


def _rules(rules: Rules | None, path: fields.Path) -> checks.Errors:
    if rules is None:
        return []
    problems: checks.Errors = []
    window, at = rules.stabilizationWindowSeconds, path["stabilizationWindowSeconds"]
    if window is not None and window < 0:
        problems.append(fields.invalid(at, window, "must be greater than or equal to zero"))
    if window is not None and window > _MAX_WINDOW:
        problems.append(fields.invalid(at, window, f"must be less than or equal to {_MAX_WINDOW}"))
    if rules.selectPolicy is not None:
        problems += checks.one_of(rules.selectPolicy, ("Disabled", "Max", "Min"), path["selectPolicy"])
    if not rules.policies:
        problems.append(fields.required(path["policies"], "must specify at least one Policy"))
    for index, policy in enumerate(rules.policies):
        at = path["policies"][index]
        problems += checks.one_of(policy.type, ("Percent", "Pods"), at["type"])
        for name in ("value", "periodSeconds"):
            value = getattr(policy, name)
            if value <= 0:
                problems.append(fields.invalid(at[name], value, "must be greater than zero"))
        if policy.periodSeconds > _MAX_PERIOD:
            words = f"must be less than or equal to {_MAX_PERIOD}"
            problems.append(fields.invalid(at["periodSeconds"], policy.periodSeconds, words))
    if rules.tolerance is not None and rules.tolerance.value() < 0:
        problems.append(fields.invalid(path["tolerance"], rules.tolerance, checks.NOT_NEGATIVE))
    return problems


def validate_status(new: Autoscaler, _: Autoscaler) -> checks.Errors:
    problems: checks.Errors = []
    for name in ("currentReplicas", "desiredReplicas"):
        problems += checks.not_negative(getattr(new.status, name), _STATUS[name])
    return problems


def row(autoscaler: Autoscaler, now: float) -> Sequence[kind.Cell]:
    spec, status = autoscaler.spec, autoscaler.status
    return (
        autoscaler.metadata.name,
        f"{spec.scaleTargetRef.kind}/{spec.scaleTargetRef.name}",
        metrics.cell(spec.metrics, status.currentMetrics),
        "<unset>" if spec.minReplicas is None else str(spec.minReplicas),
        spec.maxReplicas,
        status.currentReplicas,
        cells.age(autoscaler.metadata, now),
    )


KIND: kind.Kind[Autoscaler] = kind.Kind(
    resource=kind.resource("autoscaling", "v2", "horizontalpodautoscalers"),
    default=default,
    validate=validate,
    validate_update=validate_update,
    validate_status=validate_status,
    ratchets=True,
    has_status=True,
    columns=(
        kind.NAME,
        kind.Column("Reference"),
        kind.Column("Targets"),
        kind.Column("MinPods"),
        kind.Column("MaxPods"),
        kind.Column("Replicas"),
        kind.AGE,
    ),
    row=row,
)
