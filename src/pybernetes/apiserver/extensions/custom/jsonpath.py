"""The JSONPath of printer columns, as kubectl's library reads it: `.status.conditions[?(@.type=="Ready")].status`."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

Step = Callable[[Any], Iterable[Any]]

_FIELD = re.compile(r"(?:\\.|[^\s.\[\]\\'\"(){}?@,])+")
_SLICE = re.compile(r"\s*(-?\d*)\s*(?::\s*(-?\d*)\s*)?(?::\s*(-?\d*)\s*)?")
_FILTER = re.compile(r"\s*(?P<left>.+?)\s*(?:(?P<op>==|!=|<=|>=|<|>)\s*(?P<right>.+?)\s*)?")


class PathError(ValueError):
    """Not a path."""


@functools.lru_cache(maxsize=4096)
def compiled(text: str) -> Callable[[Any], list[Any]]:
    """A function from a tree to what is there; nothing where something on the way is missing. Raises PathError."""
    steps = list(_steps(text))

    def find(tree: Any) -> list[Any]:
        found = [tree]
        for step in steps:
            found = [inner for value in found for inner in step(value)]
        return found

    return find


def _steps(text: str) -> Iterator[Step]:
    at = 1 if text.startswith(("$", "@")) else 0
    if at == 0 and not text.startswith((".", "[")):
        raise PathError(f"unrecognized path {text!r}")
    while at < len(text):
        if text.startswith("..", at):
            at += 2
            yield _recursive
            if text.startswith("*", at):
                at += 1
                yield _wildcard
                continue
            if text.startswith("[", at):
                continue
        elif text[at] == ".":
            at += 1
            if at == len(text) or text[at] == "[":
                continue
            if text[at] == "*":
                at += 1
                yield _wildcard
                continue
        elif text[at] == "[":
            end = _closing(text, at)
            yield _bracket(text[at + 1 : end].strip())
            at = end + 1
            continue
        match = _FIELD.match(text, at)
        if match is None:
            raise PathError(f"unrecognized character in {text!r} at {at}")
        at = match.end()
        yield _field(re.sub(r"\\(.)", r"\1", match[0]))


def _closing(text: str, at: int) -> int:
    depth, quote = 0, ""
    for place in range(at, len(text)):
        char = text[place]
        if quote:
            quote = "" if char == quote and text[place - 1] != "\\" else quote
        elif char in "'\"":
            quote = char
        elif char == "[":
            depth += 1
        elif char == "]":
            depth -= 1
            if depth == 0:
                return place
    raise PathError(f"unterminated array in {text!r}")


def _field(name: str) -> Step:
    return lambda value: (value[name],) if isinstance(value, dict) and name in value else ()


def _wildcard(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else ()


def _recursive(value: Any) -> Iterator[Any]:
    yield value
    for inner in _wildcard(value):
        yield from _recursive(inner)


def _bracket(text: str) -> Step:
    if text == "*":
        return _wildcard
    if text.startswith("?(") and text.endswith(")"):
        return _filter(text[2:-1])
    if "," in text and not text.startswith(("'", '"')):
        parts = [_bracket(part.strip()) for part in text.split(",")]
        return lambda value: [inner for part in parts for inner in part(value)]
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        return _field(re.sub(r"\\(.)", r"\1", text[1:-1]))
    match = _SLICE.fullmatch(text)
    if match is None or not text:
        raise PathError(f"invalid array index {text}")
    if ":" not in text:
        index = int(match[1])
        return lambda value: value[index : index + 1 or None] if isinstance(value, list) else ()
    first, last, step = (int(part) if part else None for part in match.groups())
    return lambda value: value[slice(first, last, step)] if isinstance(value, list) else ()


def _filter(text: str) -> Step:
    match = _FILTER.fullmatch(text)
    if match is None:
        raise PathError(f"invalid filter {text}")
    left = _operand(match["left"])
    operator = match["op"]
    if operator is None:
        return lambda value: [item for item in _wildcard(value) if left(item)]
    right = _operand(match["right"])

    def holds(item: Any) -> bool:
        here, there = left(item), right(item)
        return bool(here) and bool(there) and _compare(operator, here[0], there[0])

    return lambda value: [item for item in _wildcard(value) if holds(item)]


def _compare(operator: str, left: Any, right: Any) -> bool:
    if isinstance(left, bool) != isinstance(right, bool):
        return operator == "!="
    try:
        outcomes = {"==": left == right, "!=": left != right}
        if operator in outcomes:
            return bool(outcomes[operator])
        return bool({"<": left < right, ">": left > right, "<=": left <= right, ">=": left >= right}[operator])
    except TypeError:
        return False


def _operand(text: str) -> Callable[[Any], list[Any]]:
    if text.startswith(("@", "$")):
        return compiled(text)
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        constant: Any = text[1:-1]
    elif text in ("true", "false"):
        constant = text == "true"
    else:
        try:
            constant = float(text) if "." in text else int(text)
        except ValueError:
            raise PathError(f"unrecognized identifier {text}") from None
    return lambda _: [constant]
