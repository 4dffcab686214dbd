"""`quantity("1Gi")`, arithmetic and comparison. Their text is the exact amount, so that equal amounts are equal."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

from cel_expr_python import cel

from pybernetes.api import quantity
from pybernetes.api.cel.libraries import opaque

_INT64 = range(-(2**63), 2**63)


def _parse(text: str) -> Any:
    return opaque.make(opaque.QUANTITY, str(quantity.Quantity.parse(text).value()))


def _amount(value: Any) -> Fraction:
    return Fraction(value) if isinstance(value, int) else Fraction(value.text)


def _is_integer(value: Any) -> bool:
    amount = _amount(value)
    return amount.denominator == 1 and int(amount) in _INT64


def _as_integer(value: Any) -> int:
    if not _is_integer(value):
        raise ValueError("cannot convert value to integer")
    return int(_amount(value))


def _computed(by: Callable[[Fraction, Fraction], Fraction]) -> Callable[[Any, Any], Any]:
    return lambda left, right: opaque.make(opaque.QUANTITY, str(by(_amount(left), _amount(right))))


def _sign(value: Any) -> int:
    amount = _amount(value)
    return (amount > 0) - (amount < 0)


def calls() -> list[opaque.Call]:
    t, kind = cel.Type, opaque.type_of(opaque.QUANTITY)
    add, sub = _computed(lambda a, b: a + b), _computed(lambda a, b: a - b)
    return [
        opaque.Call("quantity", "string_to_quantity", kind, (t.STRING,), _parse, is_member=False),
        opaque.Call("isQuantity", "is_quantity_string", t.BOOL, (t.STRING,), opaque.accepts(_parse), is_member=False),
        opaque.Call("sign", "quantity_sign", t.INT, (kind,), _sign),
        opaque.Call("isInteger", "quantity_is_integer", t.BOOL, (kind,), _is_integer),
        opaque.Call("asInteger", "quantity_get_int", t.INT, (kind,), _as_integer),
        opaque.Call("asApproximateFloat", "quantity_get_float", t.DOUBLE, (kind,), lambda q: float(_amount(q))),
        opaque.Call("add", "quantity_add", kind, (kind, kind), add),
        opaque.Call("add", "quantity_add_int", kind, (kind, t.INT), add),
        opaque.Call("sub", "quantity_sub", kind, (kind, kind), sub),
        opaque.Call("sub", "quantity_sub_int", kind, (kind, t.INT), sub),
        *opaque.comparisons(opaque.QUANTITY, "quantity", _amount),
    ]
