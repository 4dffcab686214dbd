"""What Kubernetes widens of the language's own functions: numbers of different types compare, addresses have texts.

The declarations of these functions are made anew with more overloads; how numbers compare the runtime knows already.
"""

from __future__ import annotations

from typing import Any

from cel_expr_python import cel

from pybernetes.api.cel.libraries import opaque

_COMPARISONS = {"_<_": "less", "_<=_": "less_equals", "_>_": "greater", "_>=_": "greater_equals"}
# Left out of the language's own declarations.
REPLACED = (*_COMPARISONS, "string")


def declarations() -> list[Any]:
    t = cel.Type
    numbers = {"int64": t.INT, "uint64": t.UINT, "double": t.DOUBLE}
    alike = {"bool": t.BOOL, "string": t.STRING, "bytes": t.BYTES, "timestamp": t.TIMESTAMP, "duration": t.DURATION}
    found = []
    for name, verb in _COMPARISONS.items():
        overloads = [_known(f"{verb}_{kind}", t.BOOL, one, one) for kind, one in alike.items()]
        for left, one in numbers.items():
            for right, other in numbers.items():
                overload = f"{verb}_{left}" if left == right else f"{verb}_{left}_{right}"
                overloads.append(_known(overload, t.BOOL, one, other))
        found.append(cel.FunctionDecl(name, overloads))
    texts = {**numbers, **alike}
    del texts["string"]
    strings = [_known(f"{kind}_to_string", t.STRING, one) for kind, one in texts.items()]
    ip, cidr = opaque.type_of(opaque.IP), opaque.type_of(opaque.CIDR)
    strings += [
        _known("string_to_string", t.STRING, t.STRING),
        cel.Overload(id="ip_to_string", return_type=t.STRING, parameters=[ip], is_member=False, impl=lambda v: v.text),
        _known("cidr_to_string", t.STRING, cidr),
    ]
    return [*found, cel.FunctionDecl("string", strings)]


def _known(name: str, returns: Any, *parameters: Any) -> Any:
    """An overload that the runtime has an implementation for."""
    return cel.Overload(id=name, return_type=returns, parameters=list(parameters), is_member=False)
