"""Expressions about what somebody wants to do: the `matchConditions` of webhooks that authorize."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from pybernetes.api.cel import declarations, environment, values

REQUEST = "request"
_TEXT: dict[str, Any] = {"type": "string"}
_TEXTS: dict[str, Any] = {"type": "array", "items": _TEXT}


def _schema(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


_REQUIREMENTS = {"type": "array", "items": _schema(key=_TEXT, operator=_TEXT, values=_TEXTS)}
_SELECTOR = _schema(rawSelector=_TEXT, requirements=_REQUIREMENTS)
_REQUEST = declarations.of(
    _schema(
        resourceAttributes=_schema(
            namespace=_TEXT,
            verb=_TEXT,
            group=_TEXT,
            version=_TEXT,
            resource=_TEXT,
            subresource=_TEXT,
            name=_TEXT,
            fieldSelector=_SELECTOR,
            labelSelector=_SELECTOR,
        ),
        nonResourceAttributes=_schema(path=_TEXT, verb=_TEXT),
        user=_TEXT,
        groups=_TEXTS,
        extra={"type": "object", "additionalProperties": _TEXTS},
        uid=_TEXT,
    ),
    literal=True,
)


@functools.cache
def _environment() -> environment.Environment:
    assert _REQUEST is not None
    return environment.Environment({REQUEST: environment.Variable(_REQUEST)})


def compile_condition(expression: str) -> environment.Program:
    """Raises CompileError, also where the value is no bool."""
    program = _environment().compile(expression)
    if program.kind != "bool":
        raise environment.CompileError("must evaluate to bool")
    return program


def holds(program: environment.Program, spec: Mapping[str, Any]) -> bool:
    """`spec` is that of a SubjectAccessReview, as a tree. Raises EvaluationError."""
    assert _REQUEST is not None
    return program.evaluate({REQUEST: values.of(spec, _REQUEST)}) is True
