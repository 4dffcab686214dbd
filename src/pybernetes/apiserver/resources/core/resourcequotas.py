"""ResourceQuotas."""

from __future__ import annotations

from collections.abc import Sequence

from pybernetes.api import fields, names, quantity
from pybernetes.api.types import core_v1
from pybernetes.apiserver.resources import cells, checks, kind
from pybernetes.apiserver.resources.core import resource_validation

_SPEC = fields.Path("spec")
_SCOPES = (
    "Terminating",
    "NotTerminating",
    "BestEffort",
    "NotBestEffort",
    "PriorityClass",
    "CrossNamespacePodAffinity",
    "VolumeAttributesClass",
)
_STANDARD = frozenset(
    (
        "cpu",
        "memory",
        "ephemeral-storage",
        "requests.cpu",
        "requests.memory",
        "requests.storage",
        "requests.ephemeral-storage",
        "limits.cpu",
        "limits.memory",
        "limits.ephemeral-storage",
        "pods",
        "resourcequotas",
        "services",
        "replicationcontrollers",
        "secrets",
        "persistentvolumeclaims",
        "configmaps",
        "services.nodeports",
        "services.loadbalancers",
    )
)


def validate(quota: core_v1.ResourceQuota) -> checks.Errors:
    problems: checks.Errors = []
    for name, value in quota.spec.hard.items():
        problems += _hard(name, value, _SPEC["hard"].key(name))
    for scope in quota.spec.scopes:
        problems += checks.one_of(scope, _SCOPES, _SPEC["scopes"])
    for first, second in (("Terminating", "NotTerminating"), ("BestEffort", "NotBestEffort")):
        if first in quota.spec.scopes and second in quota.spec.scopes:
            words = "conflicting scopes"
            problems.append(fields.invalid(_SPEC["scopes"], quota.spec.scopes, words))
    if quota.spec.scopeSelector is not None:
        for expression in quota.spec.scopeSelector.matchExpressions:
            at = _SPEC["scopeSelector"]["matchExpressions"]
            problems += checks.one_of(expression.scopeName, _SCOPES, at["scopeName"])
            operators = ("In", "NotIn", "Exists", "DoesNotExist")
            if expression.operator not in operators:
                words = "not a valid selector operator"
                problems.append(fields.invalid(at["operator"], expression.operator, words))
            elif expression.operator in ("In", "NotIn") and not expression.values:
                words = "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector"
                problems.append(fields.required(at["values"], words))
            elif expression.operator in ("Exists", "DoesNotExist") and expression.values:
                words = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector"
                problems.append(fields.invalid(at["values"], expression.values, words))
    return problems


def _hard(name: str, value: quantity.Quantity, path: fields.Path) -> checks.Errors:
    problems = checks.named(name, names.qualified_name, path)
    hugepages = name.startswith(("hugepages-", "requests.hugepages-"))
    if not problems and "/" not in name and name not in _STANDARD and not hugepages:
        problems.append(fields.invalid(path, name, "must be a standard resource for quota"))
    return problems + resource_validation.amount(name, value, path)


def validate_update(new: core_v1.ResourceQuota, old: core_v1.ResourceQuota) -> checks.Errors:
    problems = checks.immutable(sorted(new.spec.scopes), sorted(old.spec.scopes), _SPEC["scopes"])
    return problems + checks.immutable(new.spec.scopeSelector, old.spec.scopeSelector, _SPEC["scopeSelector"])


def validate_status(new: core_v1.ResourceQuota, _: core_v1.ResourceQuota) -> checks.Errors:
    problems: checks.Errors = []
    for part in ("hard", "used"):
        for name, value in getattr(new.status, part).items():
            problems += _hard(name, value, fields.Path("status")[part].key(name))
    return problems


def row(quota: core_v1.ResourceQuota, now: float) -> Sequence[kind.Cell]:
    requests: list[str] = []
    limits: list[str] = []
    for name in sorted(quota.status.hard):
        used = quota.status.used.get(name, "0")
        (limits if name.startswith("limits.") else requests).append(f"{name}: {used}/{quota.status.hard[name]}")
    return quota.metadata.name, ", ".join(requests), ", ".join(limits), cells.age(quota.metadata, now)


KIND: kind.Kind[core_v1.ResourceQuota] = kind.Kind(
    resource=kind.resource("", "v1", "resourcequotas"),
    validate=validate,
    validate_update=validate_update,
    validate_status=validate_status,
    has_status=True,
    columns=(kind.NAME, kind.Column("Request"), kind.Column("Limit"), kind.AGE),
    row=row,
)
