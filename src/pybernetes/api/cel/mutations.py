"""Expressions that make objects: `Object{spec: Object.spec{replicas: 3}}` and `JSONPatch{op: "add", ...}`.

The language makes values of types that it knows. These are not known: they have whatever fields are named. So they
are written as maps before they are compiled, `dyn({"spec": dyn({"replicas": 3})})`, and what they make is a tree.
"""

from __future__ import annotations

import base64
import datetime
import re
from typing import Any, NamedTuple

OBJECT, PATCH = "Object", "JSONPatch"
_TOKEN = re.compile(
    r"""(?P<space>\s+|//[^\n]*)
    |(?P<text>[bBrR]{0,2}(?:\"\"\".*?\"\"\"|'''.*?'''|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'))
    |(?P<name>[A-Za-z_]\w*|`[^`\n]*`)
    |(?P<number>\d[\w.]*)
    |(?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
_CLOSING = {"{": "}", "(": ")", "[": "]"}


class Rewritten(NamedTuple):
    """`roots` are the types that are made outside of others: `Object`, `Object.spec`, `JSONPatch`."""

    text: str
    roots: tuple[str, ...]


def rewritten(text: str) -> Rewritten:
    """The expression with maps in the place of objects; what is not well-formed is left for the compiler to refuse."""
    tokens = [(match.lastgroup or "", match[0]) for match in _TOKEN.finditer(text)]
    made: list[str] = []
    roots: list[str] = []
    # For each open bracket: what closes it, and whether it is an object's.
    open_: list[tuple[str, bool]] = []
    at, previous, naming = 0, "", False
    while at < len(tokens):
        group, token = tokens[at]
        if group == "space":
            made.append(token)
            at += 1
            continue
        if group == "name" and token in (OBJECT, PATCH) and previous != ".":
            end, kind = _type(tokens, at)
            if end:
                if not any(is_object for _, is_object in open_):
                    roots.append(kind)
                made.append("dyn({")
                open_.append(("})", True))
                at, previous, naming = end, "{", True
                continue
        if naming and group == "name":
            made.append(f'"{token.strip("`")}"')
        elif token in _CLOSING:
            open_.append((_CLOSING[token], False))
            made.append(token)
        elif open_ and token == open_[-1][0][0]:
            made.append(open_.pop()[0])
        else:
            made.append(token)
        # A field is named after the bracket and after each comma, maybe with a question mark before it.
        naming = bool(open_) and open_[-1][1] and (token == "," or (naming and token == "?"))
        previous = token
        at += 1
    return Rewritten("".join(made), tuple(roots))


def _type(tokens: list[tuple[str, str]], at: int) -> tuple[int, str]:
    """Where the fields of an object begin, and its type; 0 where it is none."""
    steps, expects_name = [tokens[at][1]], False
    for index in range(at + 1, len(tokens)):
        group, token = tokens[index]
        if group == "space":
            continue
        if token == "{" and not expects_name:
            return index + 1, ".".join(steps)
        if expects_name and group == "name":
            steps.append(token)
        elif expects_name or token != ".":
            return 0, ""
        expects_name = not expects_name
    return 0, ""


def tree(value: Any) -> Any:
    """What an expression made, as JSON. Raises ValueError for what JSON has no form for."""
    if isinstance(value, dict):
        return {str(name): tree(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [tree(inner) for inner in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, datetime.timedelta):
        return f"{value.total_seconds():g}s"
    raise ValueError(f"unsupported type: {type(value).__name__}")
