"""Bindings: written, never read; the endpoints put them into effect."""

from __future__ import annotations

from pybernetes.api import fields
from pybernetes.api.types import core_v1
from pybernetes.apiserver.resources import checks, kind


def validate(binding: core_v1.Binding) -> checks.Errors:
    problems: checks.Errors = []
    path = fields.Path("target")
    if binding.target.kind not in ("", "Node"):
        problems.append(fields.not_supported(path["kind"], binding.target.kind, ("Node", "<empty>")))
    if not binding.target.name:
        problems.append(fields.required(path["name"]))
    return problems


KIND: kind.Kind[core_v1.Binding] = kind.Kind(resource=kind.resource("", "v1", "bindings"), validate=validate)
