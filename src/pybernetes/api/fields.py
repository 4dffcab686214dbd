"""Field paths and field errors, worded as upstream's `field.Error` words them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

REQUIRED = "FieldValueRequired"
INVALID = "FieldValueInvalid"
DUPLICATE = "FieldValueDuplicate"
NOT_SUPPORTED = "FieldValueNotSupported"
FORBIDDEN = "FieldValueForbidden"
TOO_LONG = "FieldValueTooLong"
TOO_MANY = "FieldValueTooMany"
NOT_FOUND = "FieldValueNotFound"
TYPE_INVALID = "FieldValueTypeInvalid"
INTERNAL = "InternalError"

_TITLES = {
    REQUIRED: "Required value",
    INVALID: "Invalid value",
    DUPLICATE: "Duplicate value",
    NOT_SUPPORTED: "Unsupported value",
    FORBIDDEN: "Forbidden",
    TOO_LONG: "Too long",
    TOO_MANY: "Too many",
    NOT_FOUND: "Not found",
    TYPE_INVALID: "Invalid value",
    INTERNAL: "Internal error",
}


class Path(dict["str | int", "Path"]):
    """Where in an object: `Path("spec")["containers"][0]` prints `spec.containers[0]`; `.key("a/b")` is `[a/b]`.

    Validation makes some hundred paths for each object and prints next to none, so a path keeps the steps that have
    been taken from it: taking one again is a dictionary look-up.
    """

    __slots__ = ("text",)
    text: str

    def __new__(cls, text: str = "") -> Path:
        known = _ROOTS.get(text)
        if known is None:
            known = super().__new__(cls)
            known.text = text
            if len(_ROOTS) < _MAX_KEPT:
                _ROOTS[text] = known
        return known

    def __init__(self, text: str = "") -> None:
        """All is done by `__new__`; a dict would take the text for its content."""

    def __missing__(self, step: str | int) -> Path:
        if isinstance(step, int):
            return self._step(step, f"{self.text}[{step}]")
        return self._step(step, f"{self.text}.{step}" if self.text else step)

    def _step(self, step: str | int, text: str) -> Path:
        taken = dict.__new__(Path)
        taken.text = text
        if len(self) < _MAX_KEPT:
            self[step] = taken
        return taken

    def key(self, name: str) -> Path:
        taken = dict.__new__(Path)
        taken.text = f"{self.text}[{name}]"
        return taken

    def __str__(self) -> str:
        return self.text

    def __bool__(self) -> bool:
        return True

    __hash__ = object.__hash__  # type: ignore[assignment]
    __eq__ = object.__eq__


# Steps can be the keys of a client's map: so many are kept, and no more.
_MAX_KEPT = 64
_ROOTS: dict[str, Path] = {}


class FieldError(NamedTuple):
    """One thing wrong with one field."""

    reason: str
    field: str
    message: str

    def __str__(self) -> str:
        return f"{self.field}: {self.message}" if self.field else self.message


def _shown(value: Any) -> str:
    """A value as Go's `%q`, `%v` or JSON would show it in an error."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if value is None:
        return "null"
    if isinstance(value, (int, float)):
        return str(value)
    from pybernetes.api import codecs

    return codecs.encode(value).decode()


def required(path: Path, detail: str = "") -> FieldError:
    return _error(REQUIRED, path, None, detail)


def invalid(path: Path, value: Any, detail: str) -> FieldError:
    return _error(INVALID, path, value, detail)


def duplicate(path: Path, value: Any) -> FieldError:
    return _error(DUPLICATE, path, value, "")


def not_supported(path: Path, value: Any, supported: Sequence[str], *, in_order: bool = False) -> FieldError:
    """`in_order` is for the few lists that upstream does not sort."""
    listed = ", ".join(json.dumps(item) for item in (supported if in_order else sorted(supported)))
    return _error(NOT_SUPPORTED, path, value, f"supported values: {listed}" if listed else "")


def forbidden(path: Path, detail: str) -> FieldError:
    return _error(FORBIDDEN, path, None, detail)


def not_found(path: Path, value: Any) -> FieldError:
    return _error(NOT_FOUND, path, value, "")


def too_long(path: Path, limit: int) -> FieldError:
    return _error(TOO_LONG, path, None, f"may not be more than {limit} bytes")


def too_many(path: Path, actual: int, limit: int) -> FieldError:
    if actual < 0:
        return _error(TOO_MANY, path, None, f"must have at most {limit} items")
    return _error(TOO_MANY, path, actual, f"must have at most {limit} items")


def type_invalid(path: Path, value: Any, detail: str) -> FieldError:
    return _error(TYPE_INVALID, path, value, detail)


def _error(reason: str, path: Path, value: Any, detail: str) -> FieldError:
    title = _TITLES[reason]
    shown = reason in (INVALID, DUPLICATE, NOT_SUPPORTED, NOT_FOUND, TYPE_INVALID) or (
        reason == TOO_MANY and value is not None
    )
    message = f"{title}: {_shown(value)}" if shown else title
    return FieldError(reason, path.text, f"{message}: {detail}" if detail else message)
