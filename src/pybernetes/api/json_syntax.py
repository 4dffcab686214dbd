"""What is wrong with a document that is no JSON, in the words of Go's decoder, which people know and search for.

Asked only about documents that have already been refused, so it may take its time.
"""

from __future__ import annotations

import re

END = "unexpected end of JSON input"
_SPACE = " \t\r\n"
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?")
_LITERALS = {"t": "true", "f": "false", "n": "null"}
_ESCAPES = '"\\/bfnrt'


class _Wrong(Exception):
    """Carries the words."""


def problem(data: bytes) -> str:
    """The first thing wrong; "" if nothing is."""
    text = data.decode("utf-8", "replace")
    try:
        end = _skip(text, _document(text))
        if end < len(text):
            raise _unexpected(text, end, "after top-level value")
    except _Wrong as wrong:
        return str(wrong)
    return ""


def _unexpected(text: str, at: int, where: str) -> _Wrong:
    if at >= len(text):
        return _Wrong(END)
    return _Wrong(f"invalid character {_quoted(text[at])} {where}")


def _quoted(character: str) -> str:
    """As Go's %q shows a character."""
    special = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\\": "\\\\", "'": "\\'", '"': '"'}
    if character in special:
        return f"'{special[character]}'"
    return f"'{character}'" if character.isprintable() else f"'\\x{ord(character):02x}'"


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in _SPACE:
        at += 1
    return at


def _document(text: str) -> int:
    """Where the first value ends. Nesting is kept on a list, as deep as a client likes."""
    open_: list[str] = []
    at = 0
    wants_value = True
    while True:
        at = _skip(text, at)
        if wants_value:
            at, opened = _value(text, at, open_)
            if opened:
                wants_value = _enters(text, at, open_)
                continue
            wants_value = False
        if not open_:
            return at
        at, wants_value = _after(text, _skip(text, at), open_)


def _value(text: str, at: int, open_: list[str]) -> tuple[int, bool]:
    """(where it goes on, whether an object or array has been opened)."""
    first = text[at : at + 1]
    if first == "{":
        open_.append("{")
        return _key_or_end(text, at + 1, first=True), True
    if first == "[":
        open_.append("[")
        return at + 1, True
    if first == '"':
        return _string(text, at + 1), False
    if first in _LITERALS and first:
        return _literal(text, at, _LITERALS[first]), False
    if first and first in "-0123456789":
        return _number(text, at), False
    raise _unexpected(text, at, "looking for beginning of value")


def _enters(text: str, at: int, open_: list[str]) -> bool:
    """Whether what has just been opened has a value to read."""
    closing = "}" if open_[-1] == "{" else "]"
    return text[_skip(text, at) : _skip(text, at) + 1] != closing


def _key_or_end(text: str, at: int, *, first: bool) -> int:
    """Past `"key":`, or at the `}` of an empty object."""
    at = _skip(text, at)
    if first and text[at : at + 1] == "}":
        return at
    if text[at : at + 1] != '"':
        raise _unexpected(text, at, "looking for beginning of object key string")
    at = _skip(text, _string(text, at + 1))
    if text[at : at + 1] != ":":
        raise _unexpected(text, at, "after object key")
    return at + 1


def _after(text: str, at: int, open_: list[str]) -> tuple[int, bool]:
    """What follows a value: (where it goes on, whether another value is wanted)."""
    is_object = open_[-1] == "{"
    character = text[at : at + 1]
    if character == ("}" if is_object else "]"):
        open_.pop()
        return at + 1, False
    if character != ",":
        raise _unexpected(text, at, "after object key:value pair" if is_object else "after array element")
    return (_key_or_end(text, at + 1, first=False) if is_object else at + 1), True


def _string(text: str, at: int) -> int:
    """Past the closing quote."""
    while at < len(text):
        character = text[at]
        if character == '"':
            return at + 1
        if character < " ":
            raise _unexpected(text, at, "in string literal")
        if character == "\\":
            at = _escape(text, at + 1)
        else:
            at += 1
    raise _Wrong(END)


def _escape(text: str, at: int) -> int:
    if text[at : at + 1] != "u":
        if at >= len(text) or text[at] not in _ESCAPES:
            raise _unexpected(text, at, "in string escape code")
        return at + 1
    for place in range(at + 1, at + 5):
        if place >= len(text) or text[place] not in "0123456789abcdefABCDEF":
            raise _unexpected(text, place, "in \\u hexadecimal character escape")
    return at + 5


def _literal(text: str, at: int, literal: str) -> int:
    for offset, wanted in enumerate(literal):
        if text[at + offset : at + offset + 1] != wanted:
            raise _unexpected(text, at + offset, f"in literal {literal} (expecting '{wanted}')")
    return at + len(literal)


def _number(text: str, at: int) -> int:
    match = _NUMBER.match(text, at)
    if match is None:
        raise _unexpected(text, at + 1, "in numeric literal")
    end = match.end()
    rest = text[end : end + 1]
    if rest == ".":
        raise _unexpected(text, end + 1, "after decimal point in numeric literal")
    if rest in ("e", "E"):
        end += 1 + (text[end + 1 : end + 2] in ("+", "-") and end + 1 < len(text))
        raise _unexpected(text, end, "in exponent of numeric literal")
    return end
