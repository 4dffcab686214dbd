"""autoscaling/v1 HorizontalPodAutoscalers: one CPU target in the spec, whatever else v2 knows in annotations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from pybernetes.api import codecs
from pybernetes.api.types import autoscaling_v1, autoscaling_v2, meta_v1
from pybernetes.apiserver.resources import kind, views
from pybernetes.apiserver.resources.autoscaling import horizontalpodautoscalers as stored

_PREFIX = "autoscaling.alpha.kubernetes.io/"
_METRICS, _CURRENT = _PREFIX + "metrics", _PREFIX + "current-metrics"
_CONDITIONS, _BEHAVIOR = _PREFIX + "conditions", _PREFIX + "behavior"
_ANNOTATIONS = (_METRICS, _CURRENT, _CONDITIONS, _BEHAVIOR)

# Per source: where the annotation's flat fields are in v2. The same names serve specs and statuses: `target` stands
# for what is wanted or what there is now.
_FLAT: dict[str, dict[str, tuple[str, ...]]] = {
    "object": {"metricName": ("metric", "name"), "selector": ("metric", "selector"), "averageValue": ("averageValue",)},
    "pods": {"metricName": ("metric", "name"), "selector": ("metric", "selector")},
    "resource": {"name": ("name",)},
    "containerResource": {"name": ("name",), "container": ("container",)},
    "external": {"metricName": ("metric", "name"), "metricSelector": ("metric", "selector")},
}
_AMOUNTS: dict[str, dict[str, str]] = {
    "object": {"Value": "value"},
    "pods": {"AverageValue": "averageValue"},
    "resource": {"AverageUtilization": "averageUtilization", "AverageValue": "averageValue"},
    "containerResource": {"AverageUtilization": "averageUtilization", "AverageValue": "averageValue"},
    "external": {"Value": "value", "AverageValue": "averageValue"},
}


def to_stored(autoscaler: autoscaling_v1.HorizontalPodAutoscaler) -> autoscaling_v2.HorizontalPodAutoscaler:
    """The v2 form. Annotations that cannot be read count for nothing."""
    spec, status, given = autoscaler.spec, autoscaler.status, autoscaler.metadata.annotations
    percent, used = spec.targetCPUUtilizationPercentage, status.currentCPUUtilizationPercentage
    metrics = _read(given.get(_METRICS), list[autoscaling_v2.MetricSpec], _nested_all("target"), [])
    metrics += [stored.cpu(percent)] if percent is not None else []
    now = [_used(used)] if used is not None else []
    return autoscaling_v2.HorizontalPodAutoscaler(
        metadata=_without_annotations(autoscaler.metadata),
        spec=autoscaling_v2.HorizontalPodAutoscalerSpec(
            scaleTargetRef=_reference(spec.scaleTargetRef, autoscaling_v2.CrossVersionObjectReference),
            minReplicas=spec.minReplicas,
            maxReplicas=spec.maxReplicas,
            metrics=metrics or [stored.cpu(80)],
            behavior=_read(given.get(_BEHAVIOR), autoscaling_v2.HorizontalPodAutoscalerBehavior, _lowered, None),
        ),
        status=autoscaling_v2.HorizontalPodAutoscalerStatus(
            observedGeneration=status.observedGeneration,
            lastScaleTime=status.lastScaleTime,
            currentReplicas=status.currentReplicas,
            desiredReplicas=status.desiredReplicas,
            currentMetrics=_read(given.get(_CURRENT), list[autoscaling_v2.MetricStatus], _nested_all("current"), now),
            conditions=_read(
                given.get(_CONDITIONS), list[autoscaling_v2.HorizontalPodAutoscalerCondition], lambda tree: tree, []
            ),
        ),
    )


def from_stored(autoscaler: autoscaling_v2.HorizontalPodAutoscaler) -> autoscaling_v1.HorizontalPodAutoscaler:
    """The v1 form."""
    spec, status = autoscaler.spec, autoscaler.status
    meta = _without_annotations(autoscaler.metadata)
    percents = [p for p in map(_percent, spec.metrics) if p is not None]
    others = [metric for metric in spec.metrics if _percent(metric) is None]
    used = [
        metric.resource.current.averageUtilization
        for metric in status.currentMetrics
        if metric.type == "Resource" and metric.resource is not None and metric.resource.name == "cpu"
    ]
    written = {
        _METRICS: [_flat(codecs.to_tree(metric), "target") for metric in others],
        _CURRENT: [_flat(codecs.to_tree(metric), "current") for metric in status.currentMetrics],
        _BEHAVIOR: None if spec.behavior is None else _raised(codecs.to_tree(spec.behavior)),
        _CONDITIONS: [codecs.to_tree(condition) for condition in status.conditions],
    }
    meta.annotations |= {key: codecs.encode(value).decode() for key, value in written.items() if value}
    return autoscaling_v1.HorizontalPodAutoscaler(
        metadata=meta,
        spec=autoscaling_v1.HorizontalPodAutoscalerSpec(
            scaleTargetRef=_reference(spec.scaleTargetRef, autoscaling_v1.CrossVersionObjectReference),
            minReplicas=spec.minReplicas,
            maxReplicas=spec.maxReplicas,
            targetCPUUtilizationPercentage=percents[0] if percents else None,
        ),
        status=autoscaling_v1.HorizontalPodAutoscalerStatus(
            observedGeneration=status.observedGeneration,
            lastScaleTime=status.lastScaleTime,
            currentReplicas=status.currentReplicas,
            desiredReplicas=status.desiredReplicas,
            currentCPUUtilizationPercentage=next((u for u in reversed(used) if u is not None), None),
        ),
    )


def _percent(metric: autoscaling_v2.MetricSpec) -> int | None:
    if metric.type != "Resource" or metric.resource is None or metric.resource.name != "cpu":
        return None
    return metric.resource.target.averageUtilization


def _used(percent: int) -> autoscaling_v2.MetricStatus:
    current = autoscaling_v2.MetricValueStatus(averageUtilization=percent)
    return autoscaling_v2.MetricStatus(
        type="Resource", resource=autoscaling_v2.ResourceMetricStatus(name="cpu", current=current)
    )


def _without_annotations(meta: meta_v1.ObjectMeta) -> meta_v1.ObjectMeta:
    kept = {key: value for key, value in meta.annotations.items() if key not in _ANNOTATIONS}
    return msgspec.structs.replace(meta, annotations=kept)


def _reference(reference: Any, to: Any) -> Any:
    return to(apiVersion=reference.apiVersion, kind=reference.kind, name=reference.name)


def _read(text: str | None, of: Any, convert: Callable[[Any], Any], otherwise: Any) -> Any:
    if text is None:
        return otherwise
    try:
        return codecs.from_tree(of, convert(codecs.decode_tree(text.encode())))
    except (codecs.DecodeError, AttributeError, TypeError):
        return otherwise


def _nested_all(part: str) -> Callable[[Any], Any]:
    return lambda tree: [_nested(metric, part) for metric in tree]


def _nested(metric: Any, part: str) -> Any:
    """An annotation's metric as v2 has it; `part` is `target` or `current`."""
    found: dict[str, Any] = {"type": metric.get("type", "")}
    for source, places in _FLAT.items():
        flat = metric.get(source)
        if flat is None:
            continue
        nested: dict[str, Any] = {part: {}}
        for name, place in places.items():
            if name in flat and place[0] != "averageValue":
                holder = nested
                for step in place[:-1]:
                    holder = holder.setdefault(step, {})
                holder[place[-1]] = flat[name]
        for name, amount in _AMOUNTS[source].items():
            if f"{part}{name}" in flat:
                nested[part][amount] = flat[f"{part}{name}"]
        if source == "object":
            nested["describedObject"] = flat.get("target", {})
            if "averageValue" in flat:
                nested[part]["averageValue"] = flat["averageValue"]
        if part == "target":
            nested[part]["type"] = _target_type(source, nested[part])
        found[source] = nested
    return found


def _target_type(source: str, target: dict[str, Any]) -> str:
    if source in ("resource", "containerResource"):
        return "Utilization" if "averageUtilization" in target else "AverageValue"
    if source == "pods":
        return "AverageValue"
    return "AverageValue" if "averageValue" in target else "Value"


def _flat(metric: dict[str, Any], part: str) -> dict[str, Any]:
    """A metric of v2 as the annotation has it."""
    found: dict[str, Any] = {"type": metric["type"]}
    for source, places in _FLAT.items():
        nested = metric.get(source)
        if nested is None:
            continue
        amounts = nested.get(part, {})
        flat: dict[str, Any] = {}
        if source == "object":
            flat["target"] = nested["describedObject"]
        for name, place in places.items():
            value: Any = amounts if place[0] == "averageValue" else nested
            for step in place:
                value = value.get(step) if isinstance(value, dict) else None
            if value is not None:
                flat[name] = value
        for name, amount in _AMOUNTS[source].items():
            if amount in amounts:
                flat[f"{part}{name}"] = amounts[amount]
        found[source] = flat
    return found


def _raised(tree: Any) -> Any:
    """The behaviour's annotation has Go's names of the fields, which begin with capitals."""
    if isinstance(tree, list):
        return [_raised(item) for item in tree]
    if isinstance(tree, dict):
        return {key[0].upper() + key[1:]: _raised(value) for key, value in tree.items()}
    return tree


def _lowered(tree: Any) -> Any:
    if isinstance(tree, list):
        return [_lowered(item) for item in tree]
    if isinstance(tree, dict):
        return {key[0].lower() + key[1:]: _lowered(value) for key, value in tree.items() if value is not None}
    return tree


def default(autoscaler: autoscaling_v1.HorizontalPodAutoscaler) -> None:
    if autoscaler.spec.minReplicas is None:
        autoscaler.spec.minReplicas = 1


KIND: kind.Kind[autoscaling_v1.HorizontalPodAutoscaler] = views.converted(
    stored.KIND, "autoscaling", "v1", to_stored=to_stored, from_stored=from_stored, default=default
)
