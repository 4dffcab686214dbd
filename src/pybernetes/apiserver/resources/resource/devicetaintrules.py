"""DeviceTaintRules: taints on all devices that match, whatever their drivers say."""

from __future__ import annotations

from collections.abc import Sequence

from pybernetes.api import fields
from pybernetes.api.types import resource_v1, resource_v1alpha3
from pybernetes.apiserver.resources import cells, checks, conditions, kind
from pybernetes.apiserver.resources.resource import devices

_SPEC = fields.Path("spec")
_CONDITIONS = fields.Path("status")["conditions"]
_MAX_CONDITIONS = 8

Rule = resource_v1alpha3.DeviceTaintRule


def stamp(new: Rule, old: Rule | None, subresource: str, writing: kind.Writing) -> None:
    """When the taint came to have its effect, from which tolerations count."""
    if subresource:
        return
    taint, was = new.spec.taint, old.spec.taint if old is not None else None
    if was is not None and taint.effect != was.effect and taint.timeAdded == was.timeAdded:
        taint.timeAdded = writing.time
    taint.timeAdded = taint.timeAdded or writing.time


def validate(rule: Rule) -> checks.Errors:
    problems: checks.Errors = []
    selector, path = rule.spec.deviceSelector, _SPEC["deviceSelector"]
    if selector is not None:
        for name, check in (("driver", devices.driver), ("pool", devices.pool), ("device", devices.label)):
            value = getattr(selector, name)
            problems += check(value, path[name]) if value is not None else []
    taint = rule.spec.taint
    same = resource_v1.DeviceTaint(effect=taint.effect, key=taint.key, value=taint.value)
    return problems + devices.taint(same, _SPEC["taint"])


def validate_status(new: Rule, _: Rule) -> checks.Errors:
    listed = new.status.conditions
    problems = conditions.validate(listed, _CONDITIONS)
    if len(listed) > _MAX_CONDITIONS:
        problems.append(fields.too_many(_CONDITIONS, len(listed), _MAX_CONDITIONS))
    return problems


def row(rule: Rule, now: float) -> Sequence[kind.Cell]:
    taint = rule.spec.taint
    added = cells.since(taint.timeAdded, now)
    return rule.metadata.name, taint.key, taint.value, taint.effect, added, cells.age(rule.metadata, now)


KIND: kind.Kind[Rule] = kind.Kind(
    resource=kind.resource("resource.k8s.io", "v1alpha3", "devicetaintrules"),
    stamp=stamp,
    validate=validate,
    validate_status=validate_status,
    has_status=True,
    spec_of=lambda rule: rule.spec,
    columns=(
        kind.NAME,
        kind.Column("Key"),
        kind.Column("Value"),
        kind.Column("Effect"),
        kind.Column("TimeAdded"),
        kind.AGE,
    ),
    row=row,
)
