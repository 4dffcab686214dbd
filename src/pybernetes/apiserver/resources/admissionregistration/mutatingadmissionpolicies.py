"""MutatingAdmissionPolicies."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from pybernetes.api import fields
from pybernetes.api.types import admissionregistration_v1
from pybernetes.apiserver.resources import cells, checks, kind
from pybernetes.apiserver.resources.admissionregistration import expressions, matching, validatingadmissionpolicies

_SPEC = fields.Path("spec")
# Patch type -> the field that carries it.
_PATCHES = {"ApplyConfiguration": "applyConfiguration", "JSONPatch": "jsonPatch"}
# Patch type -> what the expression makes.
_RETURNS = {"ApplyConfiguration": "Object", "JSONPatch": "JSONPatch"}

Policy = admissionregistration_v1.MutatingAdmissionPolicy


def default(policy: Policy) -> None:
    spec = policy.spec
    spec.failurePolicy = spec.failurePolicy if spec.failurePolicy is not None else "Fail"
    matching.default_resources(spec.matchConstraints)


def validate(policy: Policy) -> checks.Errors:
    return _problems(policy, None)


def validate_update(new: Policy, old: Policy) -> checks.Errors:
    return _problems(new, old)


def _problems(policy: Policy, old: Policy | None) -> checks.Errors:
    spec = policy.spec
    params = spec.paramKind is not None
    compiler = functools.cache(lambda: expressions.compiler(params=params))
    problems: checks.Errors = []
    if spec.failurePolicy is None:
        problems.append(fields.required(_SPEC["failurePolicy"]))
    problems += matching.optional_one_of(spec.failurePolicy, matching.FAILURE_POLICIES, _SPEC["failurePolicy"])
    problems += matching.param_kind(spec.paramKind, _SPEC["paramKind"])
    at = _SPEC["matchConstraints"]
    problems += validatingadmissionpolicies.constraints(spec.matchConstraints, at, mutates=True)
    kept = old is not None and spec.paramKind == old.spec.paramKind
    if not (kept and old is not None and spec.matchConditions == old.spec.matchConditions):
        problems += matching.conditions(spec.matchConditions, _SPEC["matchConditions"], params=params)
    problems += matching.variables(spec.variables, _SPEC["variables"], compiler)
    if not spec.mutations:
        problems.append(fields.required(_SPEC["mutations"], "mutations must contain at least one item"))
    for index, mutation in enumerate(spec.mutations):
        problems += _mutation(mutation, _SPEC["mutations"][index], compiler)
    at = _SPEC["reinvocationPolicy"]
    return problems + checks.required_one_of(spec.reinvocationPolicy, matching.REINVOCATION_POLICIES, at)


def _mutation(
    mutation: admissionregistration_v1.Mutation, path: fields.Path, compiler: Callable[[], Any]
) -> checks.Errors:
    patch = mutation.patchType
    if patch not in _PATCHES:
        return checks.required_one_of(patch, tuple(_PATCHES), path["patchType"])
    problems: checks.Errors = []
    for name, field in _PATCHES.items():
        value = getattr(mutation, field)
        if name != patch:
            if value is not None:
                words = f"must not be specified when patchType is {patch}"
                problems.append(fields.invalid(path[field], f"{{{field}}}", words))
        elif value is None:
            problems.append(fields.required(path[field], f"must be specified when patchType is {patch}"))
        elif not value.expression.strip():
            problems.append(fields.required(path[field]["expression"]))
        else:
            compile_ = functools.partial(compiler().mutation, returns=_RETURNS[patch])
            problems += expressions.problems(compile_, value.expression.strip(), path[field]["expression"])
    return problems


def row(policy: Policy, now: float) -> Sequence[kind.Cell]:
    params = matching.kind_cell(policy.spec.paramKind)
    return policy.metadata.name, len(policy.spec.mutations), params, cells.age(policy.metadata, now)


KIND: kind.Kind[Policy] = kind.Kind(
    resource=kind.resource("admissionregistration.k8s.io", "v1", "mutatingadmissionpolicies"),
    default=default,
    validate=validate,
    validate_update=validate_update,
    ratchets=True,
    allow_unconditional_update=False,
    spec_of=lambda policy: policy.spec,
    columns=(kind.NAME, kind.Column("Mutations", type="integer"), kind.Column("ParamKind"), kind.AGE),
    row=row,
)
