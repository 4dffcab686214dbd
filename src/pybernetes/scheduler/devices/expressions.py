"""What expressions say about devices; nothing of CEL is loaded before one is asked for."""

from __future__ import annotations

import functools
import re
from typing import Any

from pybernetes.api.types import resource_v1

_DOMAINS = re.compile(r"""(?:attributes|capacity)\s*\[\s*['"]([^'"]+)['"]\s*\]""")


class ExpressionError(Exception):
    """An expression about devices cannot be evaluated."""


@functools.cache
def _environment() -> Any:
    # Loading the implementation takes a while; no claims, no expressions.
    from pybernetes.api.cel import declarations, environment

    return environment.Environment({"device": environment.Variable(declarations.DYN)})


@functools.lru_cache(maxsize=1024)
def _program(expression: str) -> Any:
    return _environment().compile(expression)


def matches(expression: str, driver: str, device: resource_v1.Device) -> bool:
    """Whether a device is as an expression wants it. Raises ExpressionError."""
    from pybernetes.api.cel import environment

    try:
        program = _program(expression)
    except environment.CompileError as error:
        raise ExpressionError(f"CEL compile error: {error}") from None
    try:
        found = program.evaluate({"device": _value(expression, driver, device)})
    except environment.EvaluationError as error:
        raise ExpressionError(f"CEL runtime error: {error}") from None
    return found is True


def _value(expression: str, driver: str, device: resource_v1.Device) -> dict[str, Any]:
    """A device as expressions see it: names by domain, where those without one are the driver's."""
    from pybernetes.api.cel.libraries import opaque

    # Domains that a device does not have are empty, not missing.
    domains = _DOMAINS.findall(expression)
    attributes: dict[str, dict[str, Any]] = {domain: {} for domain in domains}
    capacity: dict[str, dict[str, Any]] = {domain: {} for domain in domains}
    for name, attribute in device.attributes.items():
        domain, _, bare = name.rpartition("/")
        attributes.setdefault(domain or driver, {})[bare] = plain(attribute)
    for name, held in device.capacity.items():
        domain, _, bare = name.rpartition("/")
        amount = opaque.make(opaque.QUANTITY, str(held.value.value()))
        capacity.setdefault(domain or driver, {})[bare] = amount
    shared = bool(device.allowMultipleAllocations)
    return {"driver": driver, "attributes": attributes, "capacity": capacity, "allowMultipleAllocations": shared}


def plain(attribute: resource_v1.DeviceAttribute) -> Any:
    """The value of an attribute, as expressions and constraints see it."""
    from pybernetes.api.cel.libraries import opaque

    if attribute.version is not None:
        return opaque.make(opaque.SEMVER, attribute.version)
    for value in (attribute.bool_, attribute.int_, attribute.string):
        if value is not None:
            return value
    return attribute.bools or attribute.ints or attribute.strings
