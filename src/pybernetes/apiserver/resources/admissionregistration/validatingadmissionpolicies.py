"""ValidatingAdmissionPolicies."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence
from typing import Any

from pybernetes.api import fields, names
from pybernetes.api.types import admissionregistration_v1
from pybernetes.apiserver.resources import cells, checks, conditions, kind
from pybernetes.apiserver.resources.admissionregistration import expressions, matching

_SPEC = fields.Path("spec")
_STATUS = fields.Path("status")
_REASONS = ("Forbidden", "Invalid", "RequestEntityTooLarge")
_MAX_ANNOTATIONS = 20
_MAX_EXPRESSION = 5 * 1024
_breaks_line = re.compile(r"[\n\r]").search

Policy = admissionregistration_v1.ValidatingAdmissionPolicy


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
    problems += constraints(spec.matchConstraints, _SPEC["matchConstraints"])
    kept = old is not None and spec.paramKind == old.spec.paramKind
    if not (kept and old is not None and spec.matchConditions == old.spec.matchConditions):
        problems += matching.conditions(spec.matchConditions, _SPEC["matchConditions"], params=params)
    problems += matching.variables(spec.variables, _SPEC["variables"], compiler)
    if not spec.validations and not spec.auditAnnotations:
        words = "validations or auditAnnotations must contain at least one item"
        problems += [fields.required(_SPEC[name], words) for name in ("validations", "auditAnnotations")]
    for index, validation in enumerate(spec.validations):
        problems += _validation(validation, _SPEC["validations"][index], compiler)
    return problems + _annotations(policy, _SPEC["auditAnnotations"], compiler)


def constraints(
    value: admissionregistration_v1.MatchResources | None, path: fields.Path, *, mutates: bool = False
) -> checks.Errors:
    """A policy says what it is about."""
    if value is None:
        return [fields.required(path)]
    problems = matching.match_resources(value, path, mutates=mutates)
    return problems if value.resourceRules else [*problems, fields.required(path["resourceRules"])]


def _validation(
    validation: admissionregistration_v1.Validation, path: fields.Path, compiler: Callable[[], Any]
) -> checks.Errors:
    problems: checks.Errors = []
    if not validation.expression.strip():
        problems.append(fields.required(path["expression"], "expression is not specified"))
    else:
        compile_ = functools.partial(compiler().compile, returns=("bool",))
        problems += expressions.problems(compile_, validation.expression, path["expression"])
    if validation.messageExpression.strip():
        compile_ = functools.partial(compiler().compile, returns=("string",), authorizer=False)
        problems += expressions.problems(compile_, validation.messageExpression, path["messageExpression"])
    for name in ("messageExpression", "message"):
        value = getattr(validation, name)
        if value and not value.strip():
            problems.append(fields.invalid(path[name], value, "must be non-empty if specified"))
    if _breaks_line(validation.message.strip()):
        problems.append(fields.invalid(path["message"], validation.message, "must not contain line breaks"))
    return problems + matching.optional_one_of(validation.reason, _REASONS, path["reason"])


def _annotations(policy: Policy, path: fields.Path, compiler: Callable[[], Any]) -> checks.Errors:
    listed = policy.spec.auditAnnotations
    problems: checks.Errors = []
    if len(listed) > _MAX_ANNOTATIONS:
        words = f"must not have more than {_MAX_ANNOTATIONS} auditAnnotations"
        problems.append(fields.invalid(path, listed, words))
    seen: set[str] = set()
    for index, annotation in enumerate(listed):
        key, expression = path[index]["key"], path[index]["valueExpression"]
        problems += checks.named(f"{policy.metadata.name}/{annotation.key}", names.qualified_name, key)
        length = len(annotation.valueExpression.strip().encode())
        if not length:
            problems.append(fields.required(expression, "valueExpression is not specified"))
        elif length > _MAX_EXPRESSION:
            problems.append(fields.required(expression, f"must not exceed {_MAX_EXPRESSION} bytes in length"))
        else:
            compile_ = functools.partial(compiler().compile, returns=("string", "null_type"))
            problems += expressions.problems(compile_, annotation.valueExpression, expression)
        if annotation.key in seen:
            problems.append(fields.duplicate(key, annotation.key))
        seen.add(annotation.key)
    return problems


def validate_status(new: Policy, _: Policy) -> checks.Errors:
    problems: checks.Errors = []
    checked = new.status.typeChecking
    for index, warning in enumerate(checked.expressionWarnings if checked is not None else ()):
        path = _STATUS["typeChecking"]["expressionWarnings"][index]
        if not warning.warning:
            problems.append(fields.required(path["warning"]))
        if not warning.fieldRef.strip():
            problems.append(fields.required(path["fieldRef"]))
    return problems + conditions.validate(new.status.conditions, _STATUS["conditions"])


def row(policy: Policy, now: float) -> Sequence[kind.Cell]:
    params = matching.kind_cell(policy.spec.paramKind)
    return policy.metadata.name, len(policy.spec.validations), params, cells.age(policy.metadata, now)


KIND: kind.Kind[Policy] = kind.Kind(
    resource=kind.resource("admissionregistration.k8s.io", "v1", "validatingadmissionpolicies"),
    default=default,
    validate=validate,
    validate_update=validate_update,
    validate_status=validate_status,
    ratchets=True,
    allow_unconditional_update=False,
    has_status=True,
    spec_of=lambda policy: policy.spec,
    columns=(
        kind.NAME,
        kind.Column("Validations", type="integer"),
        kind.Column("ParamKind"),
        kind.AGE,
    ),
    row=row,
)
