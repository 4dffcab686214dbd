"""The names of a definition: each a DNS label, some of them in any case."""

from __future__ import annotations

from pybernetes.api import fields, names
from pybernetes.api.types import apiextensions_v1

Errors = list[fields.FieldError]


def label(value: str, path: fields.Path, *, prefix: str = "") -> Errors:
    """A DNS-1035 label; all that is wrong with it in one error."""
    wrong = names.dns1035_label(value.lower() if prefix else value)
    return [fields.invalid(path, value, prefix + ",".join(wrong))] if wrong else []


def validate(value: apiextensions_v1.CustomResourceDefinitionNames, path: fields.Path) -> Errors:
    problems: Errors = []
    for name in ("plural", "singular"):
        if stated := getattr(value, name):
            problems += label(stated, path[name])
    for name in ("kind", "listKind"):
        if stated := getattr(value, name):
            problems += label(stated, path[name], prefix="may have mixed case, but should otherwise match: ")
    for at, short in enumerate(value.shortNames):
        problems += label(short, path["shortNames"][at])
    if value.kind and value.kind == value.listKind:
        problems.append(fields.invalid(path["listKind"], value.listKind, "kind and listKind may not be the same"))
    for at, category in enumerate(value.categories):
        problems += label(category, path["categories"][at])
    return problems


def required(value: apiextensions_v1.CustomResourceDefinitionNames, path: fields.Path) -> Errors:
    """What a definition has to ask for."""
    return [
        fields.required(path[name]) for name in ("plural", "singular", "kind", "listKind") if not getattr(value, name)
    ]
