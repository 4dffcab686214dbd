"""Kubernetes' function libraries: one file each, put together here.

Values of types that the language does not have (quantities, URLs, addresses) are messages that hold their text.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from cel_expr_python import cel
from google.protobuf import descriptor_pool

from pybernetes.api.cel import messages
from pybernetes.api.cel.libraries import (
    addresses,
    authorizers,
    jsonpatches,
    lists,
    opaque,
    operators,
    patterns,
    quantities,
    semvers,
    urls,
)

TABLE = (urls, patterns, lists, quantities, addresses, semvers, authorizers, jsonpatches)


@functools.cache
def functions() -> list[Any]:
    """All declarations, for `cel.NewEnv`."""
    by_name: dict[str, list[opaque.Call]] = {}
    for library in TABLE:
        for call in library.calls():
            by_name.setdefault(call.name, []).append(call)
    made = [cel.FunctionDecl(name, _overloads(calls)) for name, calls in by_name.items()]
    return made + operators.declarations()


def replaced() -> tuple[str, ...]:
    """Functions of the language whose declarations these take the place of."""
    return operators.REPLACED


def pool() -> descriptor_pool.DescriptorPool:
    """A new pool that has the types of the libraries."""
    made = messages.pool()
    opaque.declare(made)
    return made


def _overloads(calls: Sequence[opaque.Call]) -> list[Any]:
    """At run time, overloads are told apart by the rough kinds of their arguments, and each kind has one function."""
    alike: dict[tuple[str, ...], list[opaque.Call]] = {}
    for call in calls:
        alike.setdefault((str(call.is_member), *map(_rough, call.parameters)), []).append(call)
    made = []
    for same in alike.values():
        first, *others = same
        if {call.impl for call in same} == {first.impl}:
            if others:
                # One function for lists of all types: an overload that nothing matches carries it.
                never = cel.Type.List(cel.Type.Type(cel.Type.INT))
                parameters = (never, *first.parameters[1:])
                made.append(
                    _overload(first, first.impl, name=f"{first.id}_any", returns=cel.Type.DYN, takes=parameters)
                )
            made += [_overload(call, None if others else call.impl) for call in same]
        else:
            made.append(_overload(first, _dispatch(same)))
            made += [_overload(call, None) for call in others]
    return made


def _rough(kind: Any) -> str:
    name = kind.name()
    return "message" if name in opaque.NAMES else str(name.partition("<")[0])


def _dispatch(calls: Sequence[opaque.Call]) -> Callable[..., Any]:
    """By the type of the first argument, which is a message."""
    by_type = {call.parameters[0].name(): call.impl for call in calls}
    return lambda *arguments: by_type[arguments[0].DESCRIPTOR.full_name](*arguments)


def _overload(
    call: opaque.Call, impl: Callable[..., Any] | None, *, name: str = "", returns: Any = None, takes: Any = None
) -> Any:
    given = {} if impl is None else {"impl": impl}
    return cel.Overload(
        id=name or call.id,
        return_type=returns or call.returns,
        parameters=list(takes or call.parameters),
        is_member=call.is_member,
        **given,
    )
