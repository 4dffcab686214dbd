"""Checks that many kinds share: label maps and selectors, numbers that must not be negative, what may not change."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pybernetes.api import codecs, fields, names
from pybernetes.api.types import meta_v1

Errors = list[fields.FieldError]

IMMUTABLE = "field is immutable"
NOT_NEGATIVE = "must be greater than or equal to 0"


def labels(values: Mapping[str, str], path: fields.Path) -> Errors:
    """Keys and values of a map of labels."""
    problems: Errors = []
    for key, value in values.items():
        problems += named(key, names.label_key, path)
        problems += named(value, names.label_value, path)
    return problems


def annotation_map(values: Mapping[str, str], path: fields.Path) -> Errors:
    """Keys, whatever their case, and the size of all together."""
    problems: Errors = []
    size = 0
    for key, value in values.items():
        problems += [fields.invalid(path, key, text) for text in names.label_key(key.lower())]
        size += len(key.encode()) + len(value.encode())
    if size > 256 * 1024:
        problems.append(fields.too_long(path, 256 * 1024))
    return problems


def domain_prefixed_path(value: str, path: fields.Path) -> Errors:
    """`acme.io/foo`."""
    host, _, rest = value.partition("/")
    if not value:
        return [fields.required(path)]
    if not host or not rest:
        return [fields.invalid(path, value, 'must be a domain-prefixed path (such as "acme.io/foo")')]
    return named(host, names.dns_subdomain, path) + named(rest, names.http_path, path)


def named(value: str, check: Callable[[str], Sequence[str]], path: fields.Path) -> Errors:
    """One `Invalid value` per problem of a name."""
    return [fields.invalid(path, value, text) for text in check(value)]


def selector(value: meta_v1.LabelSelector | None, path: fields.Path) -> Errors:
    """A label selector as an object."""
    if value is None:
        return []
    problems = labels(value.matchLabels, path["matchLabels"])
    for index, expression in enumerate(value.matchExpressions):
        at = path["matchExpressions"][index]
        if expression.operator in ("In", "NotIn"):
            if not expression.values:
                problems.append(fields.required(at["values"], "must be specified when `operator` is 'In' or 'NotIn'"))
        elif expression.operator in ("Exists", "DoesNotExist"):
            if expression.values:
                words = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
                problems.append(fields.forbidden(at["values"], words))
        else:
            problems.append(fields.invalid(at["operator"], expression.operator, "not a valid selector operator"))
        problems += named(expression.key, names.label_key, at["key"])
        for place, text in enumerate(expression.values):
            problems += named(text, names.label_value, at["values"][place])
    return problems


def not_negative(value: int | None, path: fields.Path) -> Errors:
    return [fields.invalid(path, value, NOT_NEGATIVE)] if value is not None and value < 0 else []


def one_of(value: str, allowed: Sequence[str], path: fields.Path, *, in_order: bool = False) -> Errors:
    """A value out of a closed list."""
    return [] if value in allowed else [fields.not_supported(path, value, allowed, in_order=in_order)]


def required_one_of(value: str, allowed: Sequence[str], path: fields.Path) -> Errors:
    """As `one_of`, where leaving it out is its own mistake."""
    return one_of(value, allowed, path) if value else [fields.required(path)]


def port(value: int, path: fields.Path) -> Errors:
    return [fields.invalid(path, value, text) for text in names.port_number(value)]


def port_or_name(value: int | str, path: fields.Path) -> Errors:
    """A port by number or by name."""
    return port(value, path) if isinstance(value, int) else named(value, names.port_name, path)


def same(left: Any, right: Any) -> bool:
    """Equal as written."""
    return left is right or left == right or codecs.encode(left) == codecs.encode(right)


def immutable(new: Any, old: Any, path: fields.Path) -> Errors:
    return [] if same(new, old) else [fields.invalid(path, new, IMMUTABLE)]
