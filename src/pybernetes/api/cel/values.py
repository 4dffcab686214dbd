"""From JSON to what expressions work on: fields by the names they are called by, numbers and times of their types."""

from __future__ import annotations

import base64
import binascii
import datetime
import re
from collections.abc import Callable
from typing import Any

from google.protobuf import duration_pb2, timestamp_pb2

from pybernetes.api.cel import declarations

_UNITS = {"ns": 1e-3, "us": 1, "µs": 1, "μs": 1, "ms": 1e3, "s": 1e6, "m": 60e6, "h": 3600e6}
_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)")
_NANOS = re.compile(r"(\.\d{6})\d+")


def of(value: Any, declared: declarations.Declaration) -> Any:
    """A value of that type. What is not declared is left out; what is of another type stays as it is."""
    if value is None:
        return None
    if declared.kind == "object":
        if not isinstance(value, dict):
            return value
        return {
            called: of(value[name], declared.fields[called]) for called, name in declared.names.items() if name in value
        }
    if declared.kind in ("list", "map"):
        element = declared.element
        if element is None or element.kind in _PLAIN:
            return value
        if isinstance(value, list):
            return [of(item, element) for item in value]
        return {name: of(inner, element) for name, inner in value.items()} if isinstance(value, dict) else value
    convert = _CONVERTERS.get(declared.kind)
    return value if convert is None else convert(value)


_PLAIN = ("bool", "int", "string", "dyn")


def _double(value: Any) -> Any:
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _timestamp(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        found = datetime.datetime.fromisoformat(_NANOS.sub(r"\1", value.upper()))
    except ValueError:
        return value
    return timestamp(found)


def timestamp(value: datetime.datetime) -> timestamp_pb2.Timestamp:
    """A time as expressions take it; one without a zone is in UTC."""
    made = timestamp_pb2.Timestamp()
    made.FromDatetime(value if value.tzinfo is not None else value.replace(tzinfo=datetime.UTC))
    return made


def _duration(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    parts = _PART.findall(value)
    if not parts and value.lstrip("+-") != "0":
        return value
    micros = sum(float(number) * _UNITS[unit] for number, unit in parts)
    return duration(datetime.timedelta(microseconds=-micros if value.startswith("-") else micros))


def duration(value: datetime.timedelta) -> duration_pb2.Duration:
    """A duration as expressions take it."""
    made = duration_pb2.Duration()
    made.FromTimedelta(value)
    return made


def _bytes(value: Any) -> Any:
    try:
        return base64.b64decode(value) if isinstance(value, str) else value
    except binascii.Error:
        return value


_CONVERTERS: dict[str, Callable[[Any], Any]] = {
    "double": _double,
    "timestamp": _timestamp,
    "duration": _duration,
    "bytes": _bytes,
}
