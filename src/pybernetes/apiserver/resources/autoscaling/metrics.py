"""Metrics that autoscalers go by: what is valid, and how tables show them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pybernetes.api import fields, names, quantity
from pybernetes.api.types import autoscaling_v2
from pybernetes.apiserver.resources import checks
from pybernetes.apiserver.resources.core import resource_validation

# Metric source type -> the field that describes it.
SOURCES = {
    "Object": "object",
    "External": "external",
    "Pods": "pods",
    "Resource": "resource",
    "ContainerResource": "containerResource",
}
_TARGETS = ("Utilization", "Value", "AverageValue")
_SHOWN = 2


def validate(metrics: Sequence[autoscaling_v2.MetricSpec], path: fields.Path, *, any_version: bool) -> checks.Errors:
    """With `any_version`, described objects may have an apiVersion that is none."""
    problems: checks.Errors = []
    for index, metric in enumerate(metrics):
        problems += _metric(metric, path[index], any_version)
    return problems


def _metric(metric: autoscaling_v2.MetricSpec, path: fields.Path, any_version: bool) -> checks.Errors:
    problems: checks.Errors = []
    if not metric.type:
        problems.append(fields.required(path["type"], "must specify a metric source type"))
    if metric.type not in SOURCES:
        problems.append(fields.not_supported(path["type"], metric.type, tuple(SOURCES)))
    present = [name for name in SOURCES.values() if getattr(metric, name) is not None]
    if present:
        problems += _source(present[0], getattr(metric, present[0]), path[present[0]], any_version)
    expected = SOURCES.get(metric.type)
    if expected is None:
        problems.append(fields.not_supported(path["type"], metric.type, tuple(SOURCES)))
    elif expected not in present:
        words = "must populate information for the given metric source"
        problems.append(fields.required(path[expected], words))
    if len(present) != 1:
        words = "must populate the given metric source only"
        problems += [fields.forbidden(path[name], words) for name in present if name != expected]
    return problems


def _source(name: str, source: Any, path: fields.Path, any_version: bool) -> checks.Errors:
    problems: checks.Errors = []
    if name == "object":
        at = path["describedObject"]
        problems += reference(source.describedObject, at, any_version=any_version, any_group=True)
    if name in ("object", "external", "pods"):
        problems += _identifier(source.metric, path["metric"])
    elif not source.name:
        problems.append(fields.required(path["name"], "must specify a resource name"))
    elif name == "containerResource":
        problems += resource_validation.container_resource_name(source.name, path["name"])
    if name == "containerResource":
        if not source.container:
            problems.append(fields.required(path["container"], "must specify a container"))
        else:
            problems += checks.named(source.container, names.dns_label, path["container"])
    target, at = source.target, path["target"]
    problems += _target(target, at)
    if name == "pods":
        if target.averageValue is None:
            words = "must specify a positive target averageValue"
            problems.append(fields.required(at["averageValue"], words))
    elif name in ("object", "external"):
        problems += _absolute(name, target, at)
    elif target.averageUtilization is None and target.averageValue is None:
        words = "must set either a target raw value or a target utilization"
        problems.append(fields.required(at["averageUtilization"], words))
    elif target.averageUtilization is not None and target.averageValue is not None:
        words = "may not set both a target raw value and a target utilization"
        problems.append(fields.forbidden(at["averageValue"], words))
    return problems


def _absolute(name: str, target: autoscaling_v2.MetricTarget, path: fields.Path) -> checks.Errors:
    if target.value is None and target.averageValue is None:
        words = "must set either a target value or averageValue"
        if name == "external":
            words = "must set either a target value for metric or a per-pod target"
        return [fields.required(path["averageValue"], words)]
    if name == "external" and target.value is not None and target.averageValue is not None:
        words = "may not set both a target value for metric and a per-pod target"
        return [fields.forbidden(path["value"], words)]
    return []


def _identifier(metric: autoscaling_v2.MetricIdentifier, path: fields.Path) -> checks.Errors:
    if not metric.name:
        return [fields.required(path["name"], "must specify a metric name")]
    return checks.named(metric.name, names.path_segment, path["name"])


def _target(target: autoscaling_v2.MetricTarget, path: fields.Path) -> checks.Errors:
    problems: checks.Errors = []
    if not target.type:
        problems.append(fields.required(path["type"], "must specify a metric target type"))
    if target.type not in _TARGETS:
        words = "must be either Utilization, Value, or AverageValue"
        problems.append(fields.invalid(path["type"], target.type, words))
    for name in ("value", "averageValue"):
        value = getattr(target, name)
        if value is not None and value.value() <= 0:
            problems.append(fields.invalid(path[name], value, "must be positive"))
    if target.averageUtilization is not None and target.averageUtilization < 1:
        at = path["averageUtilization"]
        problems.append(fields.invalid(at, target.averageUtilization, "must be greater than 0"))
    return problems


def reference(
    target: autoscaling_v2.CrossVersionObjectReference, path: fields.Path, *, any_version: bool, any_group: bool
) -> checks.Errors:
    """To an object of a kind; with `any_group`, the group may be left out."""
    problems: checks.Errors = []
    for name in ("kind", "name"):
        value = getattr(target, name)
        if not value:
            problems.append(fields.required(path[name]))
        else:
            problems += checks.named(value, names.path_segment, path[name])
    if not any_version:
        words = wrong_version(target.apiVersion, any_group=any_group)
        if words:
            problems.append(fields.invalid(path["apiVersion"], target.apiVersion, words))
    return problems


def wrong_version(version: str, *, any_group: bool) -> str:
    if version.count("/") > 1:
        return f"unexpected GroupVersion string: {version}"
    if not any_group and not version.rpartition("/")[0]:
        return "apiVersion must specify API group"
    return ""


def cell(specs: Sequence[autoscaling_v2.MetricSpec], statuses: Sequence[autoscaling_v2.MetricStatus]) -> str:
    """`cpu: 12%/80%, 5/10 (avg)`: what is, and what should be."""
    if not specs:
        return "<none>"
    shown = [_pair(spec, statuses[i] if i < len(statuses) else None) for i, spec in enumerate(specs)]
    more = f" + {len(shown) - _SHOWN} more..." if len(shown) > _SHOWN else ""
    return ", ".join(shown[:_SHOWN]) + more


def _pair(spec: autoscaling_v2.MetricSpec, status: autoscaling_v2.MetricStatus | None) -> str:
    name = SOURCES.get(spec.type)
    source = getattr(spec, name) if name is not None else None
    if name is None or source is None:
        return "<unknown type>"
    found = getattr(status, name) if status is not None else None
    current = found.current if found is not None else None
    target = source.target
    if name in ("resource", "containerResource"):
        if target.averageValue is not None:
            return f"{source.name}: {_amount(current and current.averageValue)}/{target.averageValue}"
        wanted = "<auto>" if target.averageUtilization is None else f"{target.averageUtilization}%"
        used = current.averageUtilization if current is not None else None
        return f"{source.name}: {'<unknown>' if used is None else f'{used}%'}/{wanted}"
    if name == "pods":
        return f"{_amount(current and current.averageValue)}/{target.averageValue}"
    if target.averageValue is not None:
        return f"{_amount(current and current.averageValue)}/{target.averageValue} (avg)"
    return f"{_amount(current and current.value)}/{target.value}"


def _amount(value: quantity.Quantity | None) -> str:
    return "<unknown>" if value is None else str(value)
