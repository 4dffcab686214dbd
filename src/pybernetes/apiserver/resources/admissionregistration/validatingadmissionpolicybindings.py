"""ValidatingAdmissionPolicyBindings."""

from __future__ import annotations

from collections.abc import Sequence

from pybernetes.api import fields
from pybernetes.api.types import admissionregistration_v1
from pybernetes.apiserver.resources import cells, checks, kind
from pybernetes.apiserver.resources.admissionregistration import matching

_SPEC = fields.Path("spec")
_ACTIONS = ("Audit", "Deny", "Warn")

Binding = admissionregistration_v1.ValidatingAdmissionPolicyBinding


def default(binding: Binding) -> None:
    matching.default_resources(binding.spec.matchResources)


def validate(binding: Binding) -> checks.Errors:
    spec = binding.spec
    problems = matching.policy_name(spec.policyName, _SPEC["policyName"])
    problems += matching.param_ref(spec.paramRef, _SPEC["paramRef"])
    problems += matching.match_resources(spec.matchResources, _SPEC["matchResources"])
    return problems + _actions(spec.validationActions, _SPEC["validationActions"])


def _actions(actions: list[str], path: fields.Path) -> checks.Errors:
    problems: checks.Errors = []
    for index, action in enumerate(actions):
        problems += checks.one_of(action, _ACTIONS, path[index])
        if action in actions[:index]:
            problems.append(fields.duplicate(path[index], action))
    if {"Deny", "Warn"} <= set(actions):
        words = (
            "must not contain both Deny and Warn (repeating the same validation failure information in the API "
            "response and headers serves no purpose)"
        )
        problems.append(fields.invalid(path, actions, words))
    if not actions:
        problems.append(fields.required(path, "at least one validation action is required"))
    return problems


def row(binding: Binding, now: float) -> Sequence[kind.Cell]:
    spec, meta = binding.spec, binding.metadata
    return meta.name, spec.policyName, matching.param_cell(spec.paramRef), cells.age(meta, now)


KIND: kind.Kind[Binding] = kind.Kind(
    resource=kind.resource("admissionregistration.k8s.io", "v1", "validatingadmissionpolicybindings"),
    default=default,
    validate=validate,
    allow_unconditional_update=False,
    spec_of=lambda binding: binding.spec,
    columns=(kind.NAME, kind.Column("PolicyName"), kind.Column("ParamRef"), kind.AGE),
    row=row,
)
