"""Sums, extremes and order of lists."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from cel_expr_python import cel

from pybernetes.api.cel import values
from pybernetes.api.cel.libraries import opaque


def _sum(items: list[Any]) -> Any:
    if items and isinstance(items[0], datetime.timedelta):
        return values.duration(sum(items, datetime.timedelta()))
    return sum(items)


def _extreme(name: str, of: Callable[[list[Any]], Any]) -> Callable[[list[Any]], Any]:
    def find(items: list[Any]) -> Any:
        if not items:
            raise ValueError(f"{name} called on empty list")
        return _message(of(items))

    return find


def _message(value: Any) -> Any:
    """Times are taken as those of Python, and given as messages."""
    if isinstance(value, datetime.timedelta):
        return values.duration(value)
    return values.timestamp(value) if isinstance(value, datetime.datetime) else value


def _is_sorted(items: list[Any]) -> bool:
    return all(one <= other for one, other in pairwise(items))


def calls() -> list[opaque.Call]:
    t = cel.Type
    summed = {"int": t.INT, "uint": t.UINT, "double": t.DOUBLE, "duration": t.DURATION}
    compared = {**summed, "bool": t.BOOL, "timestamp": t.TIMESTAMP, "string": t.STRING, "bytes": t.BYTES}
    least, greatest = _extreme("min", min), _extreme("max", max)
    found = [
        opaque.Call("sum", f"list_{name}_sum_{name}", kind, (t.List(kind),), _sum) for name, kind in summed.items()
    ]
    for name, kind in compared.items():
        found += [
            opaque.Call("isSorted", f"list_{name}_is_sorted_bool", t.BOOL, (t.List(kind),), _is_sorted),
            opaque.Call("min", f"list_{name}_min_{name}", kind, (t.List(kind),), least),
            opaque.Call("max", f"list_{name}_max_{name}", kind, (t.List(kind),), greatest),
        ]
    return found
