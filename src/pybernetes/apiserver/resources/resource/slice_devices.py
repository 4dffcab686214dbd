"""The devices of a ResourceSlice: attributes, capacities, counters, and which nodes reach them."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pybernetes.api import fields, names, quantity
from pybernetes.api.types import resource_v1
from pybernetes.apiserver.resources import checks
from pybernetes.apiserver.resources.core import scheduling_validation
from pybernetes.apiserver.resources.resource import devices

_MAX_PROPERTIES = 32
_MAX_VALUE = 64
_MAX_TAINTS = 16
_MAX_CONSUMPTIONS = 2
_MAX_COUNTERS = 32
_MAX_OPTIONS = 10
_MAX_KEY = 63 + 1 + 32
_NUMBER = r"(0|[1-9]\d*)"
_PRE_RELEASE = r"(0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)"
_BUILD = "[0-9a-zA-Z-]+"
_is_version = re.compile(
    rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}(-{_PRE_RELEASE}(\.{_PRE_RELEASE})*)?(\+{_BUILD}(\.{_BUILD})*)?"
).fullmatch


def validate(
    device: resource_v1.Device, before: resource_v1.Device | None, per_device: bool, path: fields.Path
) -> checks.Errors:
    """One device; `per_device` says that each names its own nodes."""
    problems = devices.label(device.name, path["name"])
    count = len(device.attributes) + len(device.capacity)
    if count > _MAX_PROPERTIES:
        words = f"the total number of attributes and capacities must not exceed {_MAX_PROPERTIES}"
        problems.append(fields.invalid(path, count, words))
    problems += _named(device.attributes, _attribute, path["attributes"])
    shared = device.allowMultipleAllocations is True
    problems += _named(device.capacity, _shared_capacity if shared else _capacity, path["capacity"])
    if before is None or device.taints != before.taints:
        problems += devices.listed(device.taints, _MAX_TAINTS, devices.taint, path["taints"])
    at = path["consumesCounters"]
    problems += devices.distinct(device.consumesCounters, _MAX_CONSUMPTIONS, _consumes, lambda c: c.counterSet, at)
    problems += _nodes(device, per_device, path)
    return problems + devices.binding_conditions(device.bindingConditions, device.bindingFailureConditions, path)


def _named(
    values: Mapping[str, Any], check: Callable[[Any, fields.Path], checks.Errors], path: fields.Path
) -> checks.Errors:
    problems: checks.Errors = []
    for name in sorted(values):
        problems += devices.qualified_name(name, path)
        problems += check(values[name], path.key(_shortened(name)))
    return problems


def _shortened(name: str) -> str:
    if len(name) <= _MAX_KEY:
        return name
    remaining = _MAX_KEY - 3
    return f"{name[: (remaining + 1) // 2]}...{name[-(remaining // 2) :]}"


def _attribute(attribute: resource_v1.DeviceAttribute, path: fields.Path) -> checks.Errors:
    problems: checks.Errors = []
    if attribute.version is not None and not _is_version(attribute.version):
        words = "must be a string compatible with semver.org spec 2.0.0"
        problems.append(fields.invalid(path["version"], attribute.version, words))
    for name in ("string", "version"):
        value = getattr(attribute, name)
        if value is not None and len(value.encode()) > _MAX_VALUE:
            problems.append(fields.too_long(path[name], _MAX_VALUE))
    given = [name for name in ("bool_", "int_", "string", "version") if getattr(attribute, name) is not None]
    if len(given) != 1:
        problems.append(fields.invalid(path, attribute if given else "", "exactly one value must be specified"))
    return problems


def _capacity(capacity: resource_v1.DeviceCapacity, path: fields.Path) -> checks.Errors:
    if capacity.requestPolicy is None:
        return []
    return [fields.forbidden(path["requestPolicy"], "allowMultipleAllocations must be true")]


def _shared_capacity(capacity: resource_v1.DeviceCapacity, path: fields.Path) -> checks.Errors:
    policy, at = capacity.requestPolicy, path["requestPolicy"]
    if policy is None or not (policy.validValues or policy.validRange):
        return []
    if policy.validValues and policy.validRange is not None:
        words = 'exactly one policy can be specified, cannot specify "validValues" and "validRange" at the same time'
        return [fields.forbidden(at, words)]
    if policy.default is None:
        which = "validValues" if policy.validValues else "validRange"
        return [fields.required(at["default"], f"required when {which} is defined")]
    if policy.validRange is not None:
        return _range(policy.default, capacity.value, policy.validRange, at["validRange"])
    return _options(policy.default, capacity.value, policy.validValues, at["validValues"])


def _options(
    default: quantity.Quantity, most: quantity.Quantity, options: Sequence[quantity.Quantity], path: fields.Path
) -> checks.Errors:
    def option(value: quantity.Quantity, at: fields.Path) -> checks.Errors:
        if quantity.compare(value, most) <= 0:
            return []
        return [fields.invalid(at, str(value), f"option is larger than capacity value: {most}")]

    problems: checks.Errors = []
    for index, (left, right) in enumerate(itertools.pairwise(options)):
        if quantity.compare(left, right) > 0:
            words = "values must be sorted in ascending order"
            problems.append(fields.invalid(path[index + 1], str(right), words))
    problems += devices.distinct(options, _MAX_OPTIONS, option, lambda value: str(value.as_int()), path)
    if all(quantity.compare(value, default) for value in options):
        words = "default value is not valid according to the requestPolicy"
        problems.append(fields.invalid(path, str(default), words))
    return problems


def _range(
    default: quantity.Quantity,
    most: quantity.Quantity,
    valid: resource_v1.CapacityRequestPolicyRange,
    path: fields.Path,
) -> checks.Errors:
    low, high, step = valid.min, valid.max, valid.step
    if low is None:
        return [fields.required(path["min"], "required when validRange is defined")]
    problems: checks.Errors = []

    def ordered(less: quantity.Quantity, more: quantity.Quantity, at: str, value: str, words: str) -> None:
        if quantity.compare(less, more) > 0:
            problems.append(fields.invalid(path[at], value, words))

    ordered(low, most, "min", str(low), f"min is larger than capacity value: {most}")
    ordered(low, default, "min", str(default), f"default is less than min: {low}")
    if high is not None:
        ordered(low, high, "max", str(low), f"min is larger than max: {high}")
        ordered(high, most, "max", str(high), f"max is larger than capacity value: {most}")
        ordered(default, high, "max", str(default), f"default is more than max: {high}")
    if step is not None:
        first = quantity.add(low, step)
        ordered(first, most, "step", str(step), f"one step {first} is larger than capacity value: {most}")
        for value in (default,) if high is None else (default, high):
            if step.is_zero() or (value.as_int() - low.as_int()) % step.as_int():
                words = f"value is not a multiple of a given step ({step}) from ({low})"
                problems.append(fields.invalid(path["step"], str(value), words))
    return problems


def _consumes(consumption: resource_v1.DeviceCounterConsumption, path: fields.Path) -> checks.Errors:
    if consumption.counterSet:
        problems = devices.label(consumption.counterSet, path["counterSet"])
    else:
        problems = [fields.required(path["counterSet"])]
    return problems + counters(consumption.counters, path["counters"])


def counter_set(value: resource_v1.CounterSet, path: fields.Path) -> checks.Errors:
    """Counters that the devices of a pool share."""
    problems = devices.label(value.name, path["name"]) if value.name else [fields.required(path["name"])]
    return problems + counters(value.counters, path["counters"])


def counters(values: Mapping[str, resource_v1.Counter], path: fields.Path) -> checks.Errors:
    if not values:
        return [fields.required(path)]
    if len(values) > _MAX_COUNTERS:
        return [fields.too_many(path, len(values), _MAX_COUNTERS)]
    problems: checks.Errors = []
    for name in sorted(values):
        problems += devices.label(name, path)
    return problems


def _nodes(device: resource_v1.Device, per_device: bool, path: fields.Path) -> checks.Errors:
    if not per_device:
        if device.nodeName is None and device.nodeSelector is None and device.allNodes is None:
            return []
        words = (
            "`nodeName`, `nodeSelector` and `allNodes` can only be set if `perDeviceNodeSelection` is set to true in "
            "the ResourceSlice spec"
        )
        return [fields.invalid(path, None, words)]
    words = (
        "exactly one of `nodeName`, `nodeSelector`, or `allNodes` is required when `perDeviceNodeSelection` is set to "
        "true in the ResourceSlice spec"
    )
    given, problems = node_choices(device, path, empty="must not be empty")
    if not given:
        problems.append(fields.required(path, words))
    elif len(given) > 1:
        problems.append(fields.invalid(path, f"{{{', '.join(given)}}}", words))
    return problems


def node_choices(
    part: resource_v1.Device | resource_v1.ResourceSliceSpec, path: fields.Path, *, empty: str
) -> tuple[list[str], checks.Errors]:
    """The ways in which a device or a slice names its nodes, and what is wrong with each."""
    given: list[str] = []
    problems: checks.Errors = []
    if part.nodeName:
        given.append("`nodeName`")
        problems += checks.named(part.nodeName, names.dns_subdomain, path["nodeName"])
    elif part.nodeName is not None:
        problems.append(fields.invalid(path["nodeName"], "", empty))
    if part.nodeSelector is not None:
        given.append("`nodeSelector`")
        problems += scheduling_validation.node_selector(part.nodeSelector, path["nodeSelector"])
    if part.allNodes:
        given.append("`allNodes`")
    elif part.allNodes is not None:
        problems.append(fields.invalid(path["allNodes"], False, "must be either unset or set to true"))
    return given, problems
