"""MutatingAdmissionPolicyBindings."""

from __future__ import annotations

from collections.abc import Sequence

from pybernetes.api import fields
from pybernetes.api.types import admissionregistration_v1
from pybernetes.apiserver.resources import cells, checks, kind
from pybernetes.apiserver.resources.admissionregistration import matching

_SPEC = fields.Path("spec")

Binding = admissionregistration_v1.MutatingAdmissionPolicyBinding


def default(binding: Binding) -> None:
    matching.default_resources(binding.spec.matchResources)


def validate(binding: Binding) -> checks.Errors:
    spec = binding.spec
    problems = matching.policy_name(spec.policyName, _SPEC["policyName"])
    problems += matching.param_ref(spec.paramRef, _SPEC["paramRef"])
    return problems + matching.match_resources(spec.matchResources, _SPEC["matchResources"], mutates=True)


def row(binding: Binding, now: float) -> Sequence[kind.Cell]:
    spec, meta = binding.spec, binding.metadata
    return meta.name, spec.policyName, matching.param_cell(spec.paramRef), cells.age(meta, now)


KIND: kind.Kind[Binding] = kind.Kind(
    resource=kind.resource("admissionregistration.k8s.io", "v1", "mutatingadmissionpolicybindings"),
    default=default,
    validate=validate,
    allow_unconditional_update=False,
    spec_of=lambda binding: binding.spec,
    columns=(kind.NAME, kind.Column("PolicyName"), kind.Column("ParamRef"), kind.AGE),
    row=row,
)
