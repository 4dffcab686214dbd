"""LimitRanges."""

from __future__ import annotations

from collections.abc import Sequence

from pybernetes.api import fields, quantity
from pybernetes.api.types import core_v1
from pybernetes.apiserver.resources import checks, kind
from pybernetes.apiserver.resources.core import resource_validation

_PARTS = ("max", "min", "default", "defaultRequest", "maxLimitRequestRatio")


def default(limit_range: core_v1.LimitRange) -> None:
    for item in limit_range.spec.limits:
        if item.type != "Container":
            continue
        for name, value in item.max.items():
            item.default.setdefault(name, value)
        for source in (item.default, item.min):
            for name, value in source.items():
                item.defaultRequest.setdefault(name, value)


def validate(limit_range: core_v1.LimitRange) -> checks.Errors:
    problems: checks.Errors = []
    seen: set[str] = set()
    for index, item in enumerate(limit_range.spec.limits):
        path = fields.Path("spec")["limits"][index]
        problems += checks.named(item.type, _type_name, path["type"])
        if item.type in seen:
            problems.append(fields.duplicate(path["type"], item.type))
        seen.add(item.type)
        for part in _PARTS:
            for name, value in getattr(item, part).items():
                at = path[part].key(name)
                problems += resource_validation.resource_name(name, at)
                if part != "maxLimitRequestRatio":
                    problems += resource_validation.amount(name, value, at)
        if item.type == "Pod":
            for part in ("default", "defaultRequest"):
                if getattr(item, part):
                    problems.append(fields.forbidden(path[part], "may not be specified when `type` is 'Pod'"))
        if item.type == "PersistentVolumeClaim" and "storage" not in item.min and "storage" not in item.max:
            words = "either minimum or maximum storage value is required, but neither was provided"
            problems.append(fields.required(path["limits"], words))
        problems += _order(item, path)
    return problems


def _type_name(value: str) -> list[str]:
    if value in ("Pod", "Container", "PersistentVolumeClaim") or "/" in value:
        return []
    return ["must be a standard limit type or fully qualified"]


def _order(item: core_v1.LimitRangeItem, path: fields.Path) -> checks.Errors:
    problems: checks.Errors = []
    rules = (
        ("min", "max", "min"),
        ("min", "defaultRequest", "min"),
        ("defaultRequest", "max", "defaultRequest"),
        ("defaultRequest", "default", "defaultRequest"),
        ("default", "max", "default"),
    )
    words = {
        ("min", "max"): "min value {0} is greater than max value {1}",
        ("min", "defaultRequest"): "min value {0} is greater than default request value {1}",
        ("defaultRequest", "max"): "default request value {0} is greater than max value {1}",
        ("defaultRequest", "default"): "default request value {0} is greater than default limit value {1}",
        ("default", "max"): "default value {0} is greater than max value {1}",
    }
    for low, high, where in rules:
        for name, value in getattr(item, low).items():
            limit = getattr(item, high).get(name)
            if limit is not None and quantity.compare(value, limit) > 0:
                text = words[low, high].format(value, limit)
                problems.append(fields.invalid(path[where].key(name), value, text))
    for name, ratio in item.maxLimitRequestRatio.items():
        if ratio.value() < 1:
            at = path["maxLimitRequestRatio"].key(name)
            problems.append(fields.invalid(at, ratio, f"ratio {ratio} is less than 1"))
    return problems


def row(limit_range: core_v1.LimitRange, _: float) -> Sequence[kind.Cell]:
    return limit_range.metadata.name, limit_range.metadata.creationTimestamp or "<unknown>"


KIND: kind.Kind[core_v1.LimitRange] = kind.Kind(
    resource=kind.resource("", "v1", "limitranges"),
    default=default,
    validate=validate,
    columns=(kind.NAME, kind.Column("Created At", type="date")),
    row=row,
)
