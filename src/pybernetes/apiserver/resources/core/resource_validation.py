"""Validation of resource names and amounts: of containers, pods, claims, quotas and limit ranges."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pybernetes.api import fields, names, quantity
from pybernetes.api.types import core_v1
from pybernetes.apiserver.resources import checks

_CONTAINER = ("cpu", "memory", "ephemeral-storage")
_OBJECT_COUNTS = (
    "pods",
    "services",
    "replicationcontrollers",
    "resourcequotas",
    "secrets",
    "configmaps",
    "persistentvolumeclaims",
    "services.nodeports",
    "services.loadbalancers",
)
_STANDARD = frozenset(
    (
        *_CONTAINER,
        *_OBJECT_COUNTS,
        "storage",
        "requests.storage",
        *tuple(f"{part}.{name}" for part in ("requests", "limits") for name in _CONTAINER),
    )
)


def is_hugepages(name: str) -> bool:
    return name.startswith("hugepages-")


def is_native(name: str) -> bool:
    """Without a domain, or of kubernetes.io."""
    return "/" not in name or "kubernetes.io/" in name


def is_extended(name: str) -> bool:
    """A resource that only its own device plugin knows."""
    return not is_native(name) and not name.startswith("requests.") and not names.qualified_name(f"requests.{name}")


def may_overcommit(name: str) -> bool:
    """Whether requests may be below limits."""
    return is_native(name) and not is_hugepages(name)


def resource_name(name: str, path: fields.Path) -> checks.Errors:
    """A standard name or a fully qualified one."""
    problems = checks.named(name, names.qualified_name, path)
    if not problems and "/" not in name and name not in _STANDARD and not is_hugepages(name):
        problems.append(fields.invalid(path, name, "must be a standard resource type or fully qualified"))
    return problems


def container_resource_name(name: str, path: fields.Path) -> checks.Errors:
    problems = resource_name(name, path)
    if "/" not in name:
        if name not in _CONTAINER and not is_hugepages(name):
            problems.append(fields.invalid(path, name, "must be a standard resource for containers"))
    elif not is_native(name) and not is_extended(name):
        problems.append(fields.invalid(path, name, "doesn't follow extended resource name standard"))
    return problems


def amount(name: str, value: quantity.Quantity, path: fields.Path) -> checks.Errors:
    """Not negative, and whole where parts make no sense."""
    problems: checks.Errors = []
    if value.value() < 0:
        problems.append(fields.invalid(path, value, checks.NOT_NEGATIVE))
    if (name in _OBJECT_COUNTS or is_extended(name)) and value.milli() % 1000:
        problems.append(fields.invalid(path, value, "must be an integer"))
    return problems


def requirements(resources: core_v1.ResourceRequirements, claims: Iterable[str], path: fields.Path) -> checks.Errors:
    """Of a container."""
    problems: checks.Errors = []
    for part, amounts in (("limits", resources.limits), ("requests", resources.requests)):
        for name, value in amounts.items():
            at = path[part].key(name)
            problems += container_resource_name(name, at) + amount(name, value, at) + _hugepages(name, value, at)
    problems += requests_within_limits(resources.requests, resources.limits, path)
    used = {*resources.limits, *resources.requests}
    if any(map(is_hugepages, used)) and not used & {"cpu", "memory"}:
        problems.append(fields.forbidden(path, "HugePages require cpu or memory"))
    return problems + _claims(resources.claims, set(claims), path["claims"])


def requests_within_limits(
    requests: Mapping[str, quantity.Quantity], limits: Mapping[str, quantity.Quantity], path: fields.Path
) -> checks.Errors:
    problems: checks.Errors = []
    for name, value in requests.items():
        limit = limits.get(name)
        if limit is None:
            if not may_overcommit(name):
                words = "Limit must be set for non overcommitable resources"
                problems.append(fields.required(path["limits"], words))
            continue
        order = quantity.compare(value, limit)
        if order and not may_overcommit(name):
            words = f"must be equal to {name} limit of {limit}"
            problems.append(fields.invalid(path["requests"], value, words))
        elif order > 0:
            words = f"must be less than or equal to {name} limit of {limit}"
            problems.append(fields.invalid(path["requests"], value, words))
    return problems


def _hugepages(name: str, value: quantity.Quantity, path: fields.Path) -> checks.Errors:
    if not is_hugepages(name):
        return []
    try:
        size = quantity.Quantity.parse(name.removeprefix("hugepages-")).as_int()
    except ValueError as error:
        return [fields.invalid(path, value, str(error))]
    if size <= 0 or value.as_int() % size:
        return [fields.invalid(path, value, f"{name} must be a positive integer multiple of the hugepage size")]
    return []


def _claims(used: list[core_v1.ResourceClaim], known: set[str], path: fields.Path) -> checks.Errors:
    problems: checks.Errors = []
    seen: set[str] = set()
    for index, claim in enumerate(used):
        at = path[index]
        if not claim.name:
            problems.append(fields.required(at["name"]))
            continue
        key = f"{claim.name}/{claim.request}" if claim.request else claim.name
        if key in seen:
            problems.append(fields.duplicate(at, key))
        seen.add(key)
        if claim.name not in known:
            problems.append(fields.not_found(at["name"], claim.name))
    return problems
