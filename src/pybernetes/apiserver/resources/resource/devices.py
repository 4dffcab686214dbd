"""What the kinds of dynamic resource allocation share: names of drivers and pools, limited lists, selectors, taints."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from pybernetes.api import codecs, fields, names
from pybernetes.api.types import resource_v1
from pybernetes.apiserver.resources import checks

T = TypeVar("T")

MAX_SELECTORS = 32
MAX_CONFIGURATIONS = 32
MAX_BINDING_CONDITIONS = 4
_MAX_EXPRESSION = 10 * 1024
_MAX_PARAMETERS = 10 * 1024
_MAX_NAME = 63
_MAX_POOL = 253
_MAX_IDENTIFIER = 32
_EFFECTS = ("NoExecute", "NoSchedule", "None")


def listed(
    values: Sequence[T], limit: int, check: Callable[[T, fields.Path], checks.Errors], path: fields.Path
) -> checks.Errors:
    """Every item of a list, unless there are too many (a negative limit is none)."""
    if 0 <= limit < len(values):
        return [fields.too_many(path, len(values), limit)]
    problems: checks.Errors = []
    for index, value in enumerate(values):
        problems += check(value, path[index])
    return problems


def distinct(
    values: Sequence[T],
    limit: int,
    check: Callable[[T, fields.Path], checks.Errors],
    key: Callable[[T], Any],
    path: fields.Path,
) -> checks.Errors:
    """As `listed`, where no key comes twice."""
    if 0 <= limit < len(values):
        return [fields.too_many(path, len(values), limit)]
    problems = listed(values, limit, check, path)
    seen: set[Any] = set()
    for index, value in enumerate(values):
        if key(value) in seen:
            problems.append(fields.duplicate(path[index], key(value)))
        seen.add(key(value))
    return problems


def itself(value: T) -> T:
    return value


def driver(name: str, path: fields.Path) -> checks.Errors:
    if not name:
        return [fields.required(path)]
    problems: checks.Errors = []
    if len(name) > _MAX_NAME:
        problems.append(fields.too_long(path, _MAX_NAME))
    return problems + [fields.invalid(path, name, text) for text in names.dns_subdomain(name.lower())]


def pool(name: str, path: fields.Path) -> checks.Errors:
    """Subdomains between slashes."""
    if not name:
        return [fields.required(path)]
    problems: checks.Errors = []
    if len(name) > _MAX_POOL:
        problems.append(fields.too_long(path, _MAX_POOL))
    for part in name.split("/"):
        problems += checks.named(part, names.dns_subdomain, path)
    return problems


def label(name: str, path: fields.Path) -> checks.Errors:
    """Of a device, a request, a counter."""
    return checks.named(name, names.dns_label, path)


def condition(name: str, path: fields.Path) -> checks.Errors:
    return checks.named(name, names.label_key, path)


def uid(value: str, path: fields.Path) -> checks.Errors:
    try:
        canonical = str(uuid.UUID(value))
    except ValueError:
        return [fields.invalid(path, value, f"error validating uid: invalid UUID length: {len(value)}")]
    if canonical == value:
        return []
    words = (
        "uid must be in RFC 4122 normalized form, `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx` with lowercase hexadecimal "
        "characters"
    )
    return [fields.invalid(path, value, words)]


def qualified_name(name: str, path: fields.Path) -> checks.Errors:
    """An identifier, with or without a domain before it."""
    parts = name.split("/")
    if len(parts) == 1:
        return _identifier(name, path)
    if len(parts) > 2:
        return []
    domain, identifier = parts
    problems: checks.Errors = []
    problems += driver(domain, path) if domain else [fields.invalid(path, "", "the domain must not be empty")]
    problems += (
        _identifier(identifier, path) if identifier else [fields.invalid(path, "", "the name must not be empty")]
    )
    return problems


def fully_qualified_name(name: str, path: fields.Path) -> checks.Errors:
    problems = qualified_name(name, path)
    if "/" not in name:
        words = "a fully qualified name must be a domain and a name separated by a slash"
        problems.append(fields.invalid(path, name, words))
    return problems


def _identifier(name: str, path: fields.Path) -> checks.Errors:
    problems: checks.Errors = []
    if len(name) > _MAX_IDENTIFIER:
        problems.append(fields.too_long(path, _MAX_IDENTIFIER))
    return problems + checks.named(name, names.c_identifier, path)


def selector(value: resource_v1.DeviceSelector, path: fields.Path) -> checks.Errors:
    """A CEL expression; whether it compiles is not asked here."""
    if value.cel is None:
        return [fields.required(path["cel"])]
    if len(value.cel.expression.encode()) > _MAX_EXPRESSION:
        return [fields.too_long(path["cel"]["expression"], _MAX_EXPRESSION)]
    return []


def configuration(
    opaque: resource_v1.OpaqueDeviceConfiguration | None, path: fields.Path, *, stored: bool = False
) -> checks.Errors:
    """A driver's parameters."""
    at = path["opaque"]
    if opaque is None:
        return [fields.required(at)]
    limit = -1 if stored else _MAX_PARAMETERS
    return driver(opaque.driver, at["driver"]) + raw(opaque.parameters, limit, at["parameters"])


def raw(value: Any, limit: int, path: fields.Path) -> checks.Errors:
    """A JSON object that only drivers understand; a negative limit is none."""
    if value is None:
        return [fields.required(path)]
    if 0 <= limit < len(codecs.encode(value)):
        return [fields.too_long(path, limit)]
    if not isinstance(value, dict):
        return [fields.invalid(path, "<value omitted>", "must be a valid JSON object")]
    return []


def taint(value: resource_v1.DeviceTaint, path: fields.Path) -> checks.Errors:
    problems = condition(value.key, path["key"])
    problems += checks.named(value.value, names.label_value, path["value"])
    return problems + checks.required_one_of(value.effect, _EFFECTS, path["effect"])


def toleration(value: resource_v1.DeviceToleration, path: fields.Path) -> checks.Errors:
    problems: checks.Errors = condition(value.key, path["key"]) if value.key else []
    if value.operator == "Exists":
        if value.value:
            problems.append(fields.invalid(path["value"], value.value, "must be empty for operator `Exists`"))
    elif value.operator == "Equal":
        problems += checks.named(value.value, names.label_value, path["value"])
    else:
        problems += checks.required_one_of(value.operator, ("Equal", "Exists"), path["operator"])
    return problems + (checks.one_of(value.effect, _EFFECTS, path["effect"]) if value.effect else [])


def binding_conditions(bind: list[str], fail: list[str], path: fields.Path) -> checks.Errors:
    """What a device waits for before a pod is bound: each once, and never both ways."""
    both = (("bindingConditions", bind), ("bindingFailureConditions", fail))
    problems: checks.Errors = []
    for name, values in both:
        problems += listed(values, MAX_BINDING_CONDITIONS, condition, path[name])
    for name, values in both:
        for index, value in enumerate(values):
            if value in values[:index]:
                problems.append(fields.duplicate(path[name][index], value))
            if values is fail and value in bind:
                words = "bindingFailureConditions must not overlap with bindingConditions"
                problems.append(fields.invalid(path[name][index], value, words))
    if fail and not bind:
        words = "bindingConditions are required to use bindingFailureConditions"
        problems.append(fields.invalid(path["bindingConditions"], bind, words))
    if bind and not fail:
        words = "bindingFailureConditions are required to use bindingConditions"
        problems.append(fields.invalid(path["bindingFailureConditions"], fail, words))
    return problems
