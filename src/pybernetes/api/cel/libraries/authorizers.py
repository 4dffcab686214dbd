"""`authorizer.group("apps").resource("deployments").namespace("web").check("get").allowed()`: may somebody do it.

What is asked for gathers in the text of the values, as JSON. Who decides is known while an expression is evaluated only
(`deciding`), as the functions of the language are the same for all of them.
"""

from __future__ import annotations

import contextlib
import contextvars
import json
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from cel_expr_python import cel

from pybernetes.api.cel.libraries import opaque

AUTHORIZER, PATH_CHECK, GROUP_CHECK, RESOURCE_CHECK, DECISION = opaque.AUTHORIZATION


class Decision(NamedTuple):
    allowed: bool
    reason: str = ""
    error: str = ""


# What is asked (`verb`, and `path` or `group`, `resource`, ...; `serviceAccount` for somebody else) -> the decision.
Decide = Callable[[dict[str, Any]], Decision]

_decide: contextvars.ContextVar[Decide] = contextvars.ContextVar("decide")


@contextlib.contextmanager
def deciding(decide: Decide) -> Iterator[None]:
    """Who is asked by the expressions that are evaluated meanwhile."""
    token = _decide.set(decide)
    try:
        yield
    finally:
        _decide.reset(token)


def value(kind: str, **asked: Any) -> Any:
    """A value of one of the types, that asks for this."""
    return opaque.make(kind, json.dumps(asked))


def _with(kind: str, *names: str) -> Callable[..., Any]:
    def add(holder: Any, *values: str) -> Any:
        return value(kind, **{**json.loads(holder.text), **dict(zip(names, values, strict=True))})

    return add


def _path(holder: Any, path: str) -> Any:
    if not path.strip():
        raise ValueError("path must not be empty")
    return _with(PATH_CHECK, "path")(holder, path)


def _account(holder: Any, namespace: str, name: str) -> Any:
    return value(AUTHORIZER, **{**json.loads(holder.text), "serviceAccount": [namespace, name]})


def _check_path(holder: Any, verb: str) -> Any:
    return _check(holder, verb)


def _check(holder: Any, verb: str) -> Any:
    decision = _decide.get()({**json.loads(holder.text), "verb": verb})
    return value(DECISION, **decision._asdict())


def _told(name: str) -> Callable[[Any], Any]:
    return lambda holder: json.loads(holder.text)[name]


def calls() -> list[opaque.Call]:
    t = cel.Type
    authorizer, path, group, resource, decision = map(opaque.type_of, opaque.AUTHORIZATION)
    text = t.STRING
    return [
        opaque.Call("path", "authorizer_path", path, (authorizer, text), _path),
        opaque.Call("group", "authorizer_group", group, (authorizer, text), _with(GROUP_CHECK, "group")),
        opaque.Call("serviceAccount", "authorizer_serviceaccount", authorizer, (authorizer, text, text), _account),
        opaque.Call("resource", "groupcheck_resource", resource, (group, text), _with(RESOURCE_CHECK, "resource")),
        opaque.Call(
            "subresource", "resourcecheck_subresource", resource, (resource, text), _with(RESOURCE_CHECK, "subresource")
        ),
        opaque.Call(
            "namespace", "resourcecheck_namespace", resource, (resource, text), _with(RESOURCE_CHECK, "namespace")
        ),
        opaque.Call("name", "resourcecheck_name", resource, (resource, text), _with(RESOURCE_CHECK, "name")),
        opaque.Call(
            "fieldSelector",
            "authorizer_fieldselector",
            resource,
            (resource, text),
            _with(RESOURCE_CHECK, "fieldSelector"),
        ),
        opaque.Call(
            "labelSelector",
            "authorizer_labelselector",
            resource,
            (resource, text),
            _with(RESOURCE_CHECK, "labelSelector"),
        ),
        opaque.Call("check", "pathcheck_check", decision, (path, text), _check_path),
        opaque.Call("check", "resourcecheck_check", decision, (resource, text), _check),
        opaque.Call("allowed", "decision_allowed", t.BOOL, (decision,), _told("allowed")),
        opaque.Call("reason", "decision_reason", text, (decision,), _told("reason")),
        opaque.Call("error", "decision_error", text, (decision,), _told("error")),
        opaque.Call("errored", "decision_errored", t.BOOL, (decision,), lambda holder: bool(_told("error")(holder))),
    ]
