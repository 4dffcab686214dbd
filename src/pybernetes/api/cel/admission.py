"""Expressions about requests: what they can name, how they build on each other, and what they may come to.

Policies and webhooks have them compiled when they are written, which says what is wrong with them, and once more when
they are first asked. `object`, `oldObject` and `params` are of open types; `request` and `namespaceObject` are checked.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from pybernetes.api.cel import declarations, environment, mutations, values
from pybernetes.api.cel.libraries import authorizers

OBJECT, OLD_OBJECT, REQUEST, PARAMS = "object", "oldObject", "request", "params"
NAMESPACE, VARIABLES = "namespaceObject", "variables"
AUTHORIZER, REQUEST_RESOURCE = "authorizer", "authorizer.requestResource"

FAILED = "compilation failed: "
BOOL, STRING, NULL = "bool", "string", "null_type"
_TEXT: dict[str, Any] = {"type": "string"}
_TEXTS: dict[str, Any] = {"type": "array", "items": _TEXT}
_LABELS: dict[str, Any] = {"type": "object", "additionalProperties": _TEXT}
_DYN: dict[str, Any] = {"x-kubernetes-int-or-string": True}


def _schema(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


_KIND = _schema(group=_TEXT, version=_TEXT, kind=_TEXT)
_RESOURCE = _schema(group=_TEXT, version=_TEXT, resource=_TEXT)
_USER = _schema(username=_TEXT, uid=_TEXT, groups=_TEXTS, extra={"type": "object", "additionalProperties": _TEXTS})
_REQUEST = declarations.of(
    _schema(
        uid=_TEXT,
        kind=_KIND,
        resource=_RESOURCE,
        subResource=_TEXT,
        requestKind=_KIND,
        requestResource=_RESOURCE,
        requestSubResource=_TEXT,
        name=_TEXT,
        namespace=_TEXT,
        operation=_TEXT,
        userInfo=_USER,
        dryRun={"type": "boolean"},
        options=_DYN,
    ),
    literal=True,
)
_NAMESPACE = declarations.of(
    _schema(
        metadata=_schema(
            name=_TEXT,
            generateName=_TEXT,
            namespace=_TEXT,
            labels=_LABELS,
            annotations=_LABELS,
            UID=_TEXT,
            creationTimestamp={"type": "string", "format": "date-time"},
            deletionGracePeriodSeconds={"type": "integer"},
            deletionTimestamp={"type": "string", "format": "date-time"},
            generation={"type": "integer"},
            resourceVersion=_TEXT,
            finalizers=_TEXTS,
        ),
        spec=_schema(finalizers=_TEXTS),
        status=_schema(phase=_TEXT),
    ),
    literal=True,
)


class Compiler:
    """Of one policy or webhook. `params`: it has parameters; `typed` is what is known of objects, if anything."""

    def __init__(self, *, params: bool = False, typed: Mapping[str, declarations.Declaration] | None = None) -> None:
        self._params = params
        self._typed = dict(typed or {})
        self._variables: dict[str, declarations.Declaration] = {}
        self._made: dict[bool, environment.Environment] = {}

    def variable(self, name: str, expression: str) -> environment.Program:
        """Compile what others, which are compiled from now on, call `variables.name`. Raises CompileError."""
        program = self._compiled(expression)
        kind = program.kind if program.kind in declarations.SCALARS else "dyn"
        self.declare(name, declarations.Declaration(kind))
        return program

    def declare(self, name: str, declared: declarations.Declaration) -> None:
        self._variables[name] = declared
        self._made.clear()

    def compile(self, expression: str, returns: Sequence[str] = (), *, authorizer: bool = True) -> environment.Program:
        """Raises CompileError, also where the value is of none of the types."""
        program = self._compiled(expression, authorizer=authorizer)
        if returns and program.kind not in returns:
            raise environment.CompileError(_unlike(returns, program.kind))
        return program

    def mutation(self, expression: str, returns: str) -> environment.Program:
        """`returns` is mutations.OBJECT or mutations.PATCH. Raises CompileError."""
        changed = mutations.rewritten(expression)
        program = self._compiled(changed.text)
        kind = program.kind
        if returns == mutations.OBJECT:
            # Whatever is made is of an open type to the language, and so is much else.
            found = kind if kind != "dyn" or not changed.roots else returns
            found = next((root for root in changed.roots if root != returns), found)
            if found != returns:
                raise environment.CompileError(f"must evaluate to Object but got {_go(found)}")
        elif kind not in ("list", "list<dyn>"):
            raise environment.CompileError(f"must evaluate to list(JSONPatch) but got {_go(kind)}")
        return program

    def _compiled(self, expression: str, *, authorizer: bool = True) -> environment.Program:
        try:
            return self._environment(authorizer).compile(expression)
        except environment.CompileError as error:
            raise environment.CompileError(f"{FAILED}{error}") from None

    def _environment(self, authorizer: bool) -> environment.Environment:
        if not self._variables and not self._typed:
            return _plain(self._params, authorizer)
        if authorizer not in self._made:
            known = _known(self._params, authorizer) | self._typed
            if self._variables:
                known[VARIABLES] = declarations.Declaration(
                    "object", fields=self._variables, names={name: name for name in self._variables}
                )
            self._made[authorizer] = _environment(known)
        return self._made[authorizer]


def namespace_value(tree: Mapping[str, Any]) -> Any:
    """A Namespace as `namespaceObject`."""
    assert _NAMESPACE is not None
    return values.of(tree, _NAMESPACE)


def _unlike(wanted: Sequence[str], kind: str) -> str:
    if len(wanted) == 1:
        return f"must evaluate to {wanted[0]} but got {_go(kind)}"
    return f"must evaluate to one of [{' '.join(wanted)}] but got {_go(kind)}"


def _go(kind: str) -> str:
    return kind.replace("<", "(").replace(">", ")")


def _known(params: bool, authorizer: bool) -> dict[str, declarations.Declaration]:
    assert _REQUEST is not None
    assert _NAMESPACE is not None
    known = {
        OBJECT: declarations.DYN,
        OLD_OBJECT: declarations.DYN,
        REQUEST: _REQUEST,
        NAMESPACE: _NAMESPACE,
    }
    if params:
        known[PARAMS] = declarations.DYN
    if authorizer:
        known[AUTHORIZER] = declarations.Declaration(authorizers.AUTHORIZER)
        known[REQUEST_RESOURCE] = declarations.Declaration(authorizers.RESOURCE_CHECK)
    return known


@functools.cache
def _plain(params: bool, authorizer: bool) -> environment.Environment:
    return _environment(_known(params, authorizer))


def _environment(known: Mapping[str, declarations.Declaration]) -> environment.Environment:
    return environment.Environment({name: environment.Variable(declared) for name, declared in known.items()})
