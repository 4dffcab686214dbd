"""Finds what is wrong with a ValidatingAdmissionPolicy's expressions for the kinds that it is about.

Expressions are compiled with `object`, `oldObject` and `params` of open types, as a policy may be about many kinds.
Here they are compiled once more for each kind, with what its schema says; what comes of it are warnings in the status.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pybernetes.api import fields
from pybernetes.api.cel import admission, declarations, environment
from pybernetes.api.types import admissionregistration_v1

# A kind as `apps/v1, Kind=Deployment`, and its OpenAPI schema, with all references in place.
Typed = tuple[str, Mapping[str, Any]]
# Upstream looks at so many kinds of a policy at most.
MOST_KINDS = 10
_SPEC = fields.Path("spec")


def warnings(
    policy: admissionregistration_v1.ValidatingAdmissionPolicy,
    kinds: Sequence[Typed],
    *,
    params: Mapping[str, Any] | None = None,
) -> list[admissionregistration_v1.ExpressionWarning]:
    """One for each expression that is wrong for any of the kinds. `params` is the schema of the paramKind."""
    compilers = [(name, _compiler(policy, schema, params)) for name, schema in kinds[:MOST_KINDS]]
    found = []
    for index, validation in enumerate(policy.spec.validations):
        at = _SPEC["validations"][index]
        for field in ("expression", "messageExpression"):
            text = getattr(validation, field)
            said = "\n".join(
                f"{name}: {problem}\n" for name, compiler in compilers if (problem := _problem(compiler.compile, text))
            )
            if text and said:
                found.append(admissionregistration_v1.ExpressionWarning(fieldRef=str(at[field]), warning=said))
    return found


def _compiler(
    policy: admissionregistration_v1.ValidatingAdmissionPolicy,
    schema: Mapping[str, Any],
    params: Mapping[str, Any] | None,
) -> admission.Compiler:
    declared = declarations.of(schema)
    typed: dict[str, declarations.Declaration] = {}
    if declared is not None:
        typed = {admission.OBJECT: declared, admission.OLD_OBJECT: declared}
    of_params = declarations.of(params) if params is not None else None
    if of_params is not None:
        typed[admission.PARAMS] = of_params
    compiler = admission.Compiler(params=policy.spec.paramKind is not None, typed=typed)
    for variable in policy.spec.variables:
        try:
            compiler.variable(variable.name, variable.expression)
        except environment.CompileError:
            # Those that use it are not wrong themselves.
            compiler.declare(variable.name, declarations.DYN)
    return compiler


def _problem(compile_: Callable[[str], object], text: str) -> str:
    if not text.strip():
        return ""
    try:
        compile_(text)
    except environment.CompileError as error:
        return str(error).removeprefix(admission.FAILED)
    return ""
