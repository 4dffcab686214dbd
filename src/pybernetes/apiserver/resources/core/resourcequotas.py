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
_POD_COUNT = frozenset(("pods",))
_POD_RESOURCES = _POD_COUNT | {"cpu", "memory", "limits.cpu", "limits.memory", "requests.cpu", "requests.memory"}
# What each scope can be asked to count.
_COUNTED = {
    "Terminating": _POD_RESOURCES,
    "NotTerminating": _POD_RESOURCES,
    "NotBestEffort": _POD_RESOURCES,
    "PriorityClass": _POD_RESOURCES,
    "CrossNamespacePodAffinity": _POD_RESOURCES,
    "BestEffort": _POD_COUNT,
    "VolumeAttributesClass": frozenset(("persistentvolumeclaims", "requests.storage")),
}
_PRESENT = ("BestEffort", "NotBestEffort", "Terminating", "NotTerminating", "CrossNamespacePodAffinity")
_MUST_EXIST = (
    "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, "
    "ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity"
)


def validate(quota: core_v1.ResourceQuota) -> checks.Errors:
    spec = quota.spec
    problems: checks.Errors = []
    for name, value in spec.hard.items():
        problems += _hard(name, value, _SPEC["hard"].key(name))
    path = _SPEC["scopes"]
    for scope in spec.scopes:
        if scope not in _SCOPES:
            problems.append(fields.invalid(path, spec.scopes, "unsupported scope"))
        problems += _misapplied(spec, scope, path, spec.scopes)
    problems += _conflicts(spec, spec.scopes, path)
    return problems if spec.scopeSelector is None else problems + _selector(spec, spec.scopeSelector)


def _selector(spec: core_v1.ResourceQuotaSpec, selector: core_v1.ScopeSelector) -> checks.Errors:
    problems: checks.Errors = []
    path = _SPEC["scopeSelector"]["matchExpressions"]
    for expression in selector.matchExpressions:
        scope, operator = expression.scopeName, expression.operator
        if scope not in _SCOPES:
            problems.append(fields.invalid(path["scopeName"], scope, "unsupported scope"))
        problems += _misapplied(spec, scope, path, selector)
        if scope in _PRESENT and operator != "Exists":
            problems.append(fields.invalid(path["operator"], operator, _MUST_EXIST))
        if operator not in ("In", "NotIn", "Exists", "DoesNotExist"):
            problems.append(fields.invalid(path["operator"], operator, "not a valid selector operator"))
        elif operator in ("In", "NotIn") and not expression.values:
            words = "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector"
            problems.append(fields.required(path["values"], words))
        elif operator in ("Exists", "DoesNotExist") and expression.values:
            words = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector"
            problems.append(fields.invalid(path["values"], expression.values, words))
    return problems + _conflicts(spec, [expression.scopeName for expression in selector.matchExpressions], path)


def _misapplied(spec: core_v1.ResourceQuotaSpec, scope: str, path: fields.Path, shown: object) -> checks.Errors:
    """The scope says nothing about some of the resources."""
    counted = _COUNTED.get(scope)
    if counted is None:
        return []
    wrong = [name for name in sorted(spec.hard) if _is_standard(name) and name not in counted]
    return [fields.invalid(path, shown, "unsupported scope applied to resource") for _ in wrong]


def _conflicts(spec: core_v1.ResourceQuotaSpec, scopes: Sequence[str], path: fields.Path) -> checks.Errors:
    pairs = (("BestEffort", "NotBestEffort"), ("Terminating", "NotTerminating"))
    return [
        fields.invalid(path, spec.scopes, "conflicting scopes")
        for first, second in pairs
        if first in scopes and second in scopes
    ]


def _is_standard(name: str) -> bool:
    return name in _STANDARD or name.startswith(("hugepages-", "requests.hugepages-"))


def _hard(name: str, value: quantity.Quantity, path: fields.Path) -> checks.Errors:
    problems = checks.named(name, names.qualified_name, path)
    if not problems and "/" not in name and not _is_standard(name):
        problems.append(fields.invalid(path, name, "must be a standard resource for quota"))
    return problems + resource_validation.amount(name, value, path)


def validate_update(new: core_v1.ResourceQuota, old: core_v1.ResourceQuota) -> checks.Errors:
    return checks.immutable(sorted(set(new.spec.scopes)), sorted(set(old.spec.scopes)), _SPEC["scopes"])


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
