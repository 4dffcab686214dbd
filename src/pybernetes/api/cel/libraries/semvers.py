"""`semver("1.2.3-rc.1")`: semantic versions and their order."""

from __future__ import annotations

import re
from typing import Any

from cel_expr_python import cel

from pybernetes.api.cel.libraries import opaque

_NUMBER = r"(?:0|[1-9]\d*)"
_PART = r"(?:0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*)"
_VERSION = re.compile(
    rf"({_NUMBER})\.({_NUMBER})\.({_NUMBER})(?:-({_PART}(?:\.{_PART})*))?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?",
    re.ASCII,
)


def _parse(text: str, normalize: bool = False) -> Any:
    if normalize:
        text = _normalized(text)
    match = _VERSION.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a semantic version")
    core = ".".join(match.group(1, 2, 3))
    # What follows a plus sign does not count when versions are compared.
    return opaque.make(opaque.SEMVER, f"{core}-{match[4]}" if match[4] else core)


def _normalized(text: str) -> str:
    """Without a leading v and leading zeros, and with minor and patch."""
    text = text.removeprefix("v")
    core = re.match(r"[\d.]*", text, re.ASCII)
    numbers = core[0] if core is not None else ""
    parts = [part.lstrip("0") or "0" for part in numbers.split(".")] if numbers else []
    parts += ["0"] * (3 - len(parts))
    return ".".join(parts) + text[len(numbers) :]


def _order(value: Any) -> Any:
    core, _, pre = value.text.partition("-")
    # Numbers come before texts; fewer parts before more; none at all comes last.
    parts = [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in pre.split(".")] if pre else []
    return (_numbers(core), not pre, parts)


def _numbers(core: str) -> tuple[int, ...]:
    return tuple(int(part) for part in core.split("."))


def _number(index: int) -> Any:
    return lambda value: _numbers(value.text.partition("-")[0])[index]


def calls() -> list[opaque.Call]:
    t, kind = cel.Type, opaque.type_of(opaque.SEMVER)
    check = opaque.accepts(_parse)
    return [
        opaque.Call("semver", "string_to_semver", kind, (t.STRING,), _parse, is_member=False),
        opaque.Call("semver", "string_bool_to_semver", kind, (t.STRING, t.BOOL), _parse, is_member=False),
        opaque.Call("isSemver", "is_semver_string", t.BOOL, (t.STRING,), check, is_member=False),
        opaque.Call("isSemver", "is_semver_string_bool", t.BOOL, (t.STRING, t.BOOL), check, is_member=False),
        opaque.Call("major", "semver_major", t.INT, (kind,), _number(0)),
        opaque.Call("minor", "semver_minor", t.INT, (kind,), _number(1)),
        opaque.Call("patch", "semver_patch", t.INT, (kind,), _number(2)),
        *opaque.comparisons(opaque.SEMVER, "semver", _order),
    ]
