"""Expressions about who somebody is: of the claims of a token, and of the user that they come to."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from pybernetes.api.cel import declarations, environment, values

CLAIMS, USER = "claims", "user"
_TEXT: dict[str, Any] = {"type": "string"}
_TEXTS: dict[str, Any] = {"type": "array", "items": _TEXT}
_CLAIMS = declarations.Declaration("map", most=1 << 16, least=2, element=declarations.DYN)
_USER = declarations.of(
    {
        "type": "object",
        "properties": {
            "username": _TEXT,
            "uid": _TEXT,
            "groups": _TEXTS,
            "extra": {"type": "object", "additionalProperties": _TEXTS},
        },
    },
    literal=True,
)


@functools.cache
def _environment(variable: str) -> environment.Environment:
    assert _USER is not None
    return environment.Environment({variable: environment.Variable(_CLAIMS if variable == CLAIMS else _USER)})


def compile_mapping(expression: str) -> environment.Program:
    """Of claims, to whatever it may be. Raises CompileError."""
    return _environment(CLAIMS).compile(expression)


def compile_rule(expression: str, variable: str) -> environment.Program:
    """Of `claims` or `user`. Raises CompileError, also where the value is no bool."""
    program = _environment(variable).compile(expression)
    if program.kind != "bool":
        raise environment.CompileError("must evaluate to bool")
    return program


def of_claims(program: environment.Program, claims: Mapping[str, Any]) -> Any:
    """Raises EvaluationError."""
    return program.evaluate({CLAIMS: values.of(claims, _CLAIMS)})


def of_user(program: environment.Program, user: Mapping[str, Any]) -> Any:
    """Raises EvaluationError."""
    assert _USER is not None
    return program.evaluate({USER: values.of(user, _USER)})
