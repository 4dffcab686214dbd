"""Go's regular expressions, carried out by Python's.

The two languages are nearly one; where they differ, a pattern is rewritten, and what only Python knows is refused as Go
refuses it. Go's engine takes linear time for every pattern, Python's does not: patterns that repeat what itself repeats
are matched by `Automaton`, which walks all ways at once.
"""

from __future__ import annotations

import functools
import itertools
import re
import warnings
from collections.abc import Callable, Iterator
from re import _constants as codes  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

Search = Callable[[str], bool]

_POSIX = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "ascii": r"\x00-\x7F",
    "blank": r"\t ",
    "cntrl": r"\x00-\x1F\x7F",
    "digit": "0-9",
    "graph": "!-~",
    "lower": "a-z",
    "print": " -~",
    "punct": r"!-/:-@\[-`{-~",
    "space": r"\t\n\v\f\r ",
    "upper": "A-Z",
    "word": "0-9A-Za-z_",
}
_MAX_REPEAT = 1000
# Where characters of different categories stand, and those planes in which all are of one: unassigned, or private.
_ASSIGNED = (range(0x32400), range(0xE0000, 0xE0200))
_UNIFORM = (
    ("Cn", 0x32400, 0xDFFFF),
    ("Cn", 0xE0200, 0xEFFFF),
    ("Co", 0xF0000, 0xFFFFD),
    ("Cn", 0xFFFFE, 0xFFFFF),
    ("Co", 0x100000, 0x10FFFD),
    ("Cn", 0x10FFFE, 0x10FFFF),
)


class PatternError(ValueError):
    """Not a regular expression of Go's; the message is worded as Go words it."""


@functools.lru_cache(maxsize=1024)
def compiled(pattern: str) -> Search:
    """Whether a text has a match anywhere. Raises PatternError."""
    text = translated(pattern)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = parser.parse(text, re.ASCII.value)
            if _is_risky(tree):
                return Automaton(tree).search
            search = re.compile(text, re.ASCII).search
    except re.error as error:
        raise PatternError(f"error parsing regexp: {_worded(error, pattern)}") from None
    except (OverflowError, RecursionError):
        raise PatternError(f"error parsing regexp: expression nests too deeply: `{pattern}`") from None
    return lambda value: search(value) is not None


def _worded(error: re.error, pattern: str) -> str:
    """Go's words for what Python says is wrong."""
    if error.msg.startswith("missing )"):
        return f"missing closing ): `{pattern}`"
    if error.msg.startswith("unbalanced parenthesis"):
        return f"unexpected ): `{pattern}`"
    if error.msg.startswith("nothing to repeat"):
        return f"missing argument to repetition operator: `{pattern[error.pos or 0 :][:1]}`"
    if error.msg.startswith("multiple repeat"):
        return f"invalid nested repetition operator: `{pattern[max((error.pos or 0) - 1, 0) :][:2]}`"
    if error.msg.startswith("bad character range"):
        return f"invalid character class range: `{error.msg.removeprefix('bad character range ')}`"
    return error.msg


def translated(pattern: str) -> str:
    """The pattern in Python's words. Raises PatternError."""
    result: list[str] = []
    at, multiline = 0, False
    while at < len(pattern):
        char = pattern[at]
        if char == "\\":
            piece, at = _escape(pattern, at, in_class=False)
            result.append(piece)
        elif char == "[":
            piece, at = _class(pattern, at)
            result.append(piece)
        elif pattern.startswith("(?", at):
            piece, at, flags = _group(pattern, at)
            multiline = multiline or "m" in flags
            result.append(piece)
        elif char in "*+?}" and pattern[at + 1 : at + 2] == "+" and _is_quantifier(pattern, at):
            raise PatternError(f"error parsing regexp: invalid nested repetition operator: `{pattern[at : at + 2]}`")
        else:
            # Python's `$` also stands before a newline at the end.
            result.append(r"\Z" if char == "$" and not multiline else char)
            at += 1
    return "".join(result)


def _is_quantifier(pattern: str, at: int) -> bool:
    return pattern[at] != "}" or bool(re.search(r"\{\d+(?:,\d*)?\}$", pattern[: at + 1]))


def _escape(pattern: str, at: int, *, in_class: bool) -> tuple[str, int]:
    if at + 1 == len(pattern):
        raise PatternError("error parsing regexp: trailing backslash at end of expression: ``")
    char = pattern[at + 1]
    if char in "pP":
        return _unicode(pattern, at, in_class=in_class)
    if char == "z" and not in_class:
        return r"\Z", at + 2
    if char == "Q":
        end = pattern.find(r"\E", at + 2)
        end = len(pattern) if end < 0 else end
        return re.escape(pattern[at + 2 : end]), min(end + 2, len(pattern))
    if char == "x" and pattern[at + 2 : at + 3] == "{":
        end = pattern.find("}", at)
        try:
            return re.escape(chr(int(pattern[at + 3 : end], 16))), end + 1
        except ValueError:
            pass
    known = "dDsSwWbBAafnrtvx01234567" if not in_class else "dDsSwWafnrtvx01234567"
    if char.isalnum() and (char not in known or char in "1234567"):
        raise PatternError(f"error parsing regexp: invalid escape sequence: `\\{char}`")
    return pattern[at : at + 2], at + 2


def _unicode(pattern: str, at: int, *, in_class: bool) -> tuple[str, int]:
    negated = pattern[at + 1] == "P"
    if pattern[at + 2 : at + 3] == "{":
        end = pattern.find("}", at)
        name = pattern[at + 3 : end] if end > 0 else ""
        end += 1
    else:
        name, end = pattern[at + 2 : at + 3], at + 3
    if name.startswith("^"):
        negated, name = not negated, name[1:]
    ranges = _category(name)
    if ranges is None:
        raise PatternError(f"error parsing regexp: invalid character class range: `{pattern[at:end]}`")
    if in_class and negated:
        raise PatternError(f"error parsing regexp: invalid character class range: `{pattern[at:end]}`")
    return (ranges if in_class else f"[{'^' if negated else ''}{ranges}]"), end


@functools.lru_cache(maxsize=64)
def _category(name: str) -> str | None:
    """The characters of a general category, as ranges of a class."""
    import unicodedata

    spans: list[list[int]] = []
    for code in itertools.chain(*_ASSIGNED):
        if unicodedata.category(chr(code)).startswith(name):
            if spans and spans[-1][1] == code - 1:
                spans[-1][1] = code
            else:
                spans.append([code, code])
    spans += [[low, high] for kind, low, high in _UNIFORM if kind.startswith(name)]
    if not spans or not name:
        return None
    return "".join(f"\\U{low:08x}-\\U{high:08x}" for low, high in spans)


def _class(pattern: str, at: int) -> tuple[str, int]:
    start, result = at, ["["]
    at += 1
    if pattern[at : at + 1] == "^":
        result.append("^")
        at += 1
    first = True
    while at < len(pattern) and (first or pattern[at] != "]"):
        first = False
        posix = re.match(r"\[:(\^?)(\w+):\]", pattern[at:])
        if posix:
            if posix[2] not in _POSIX or posix[1]:
                raise PatternError(f"error parsing regexp: invalid character class range: `{posix[0]}`")
            result.append(_POSIX[posix[2]])
            at += posix.end()
        elif pattern[at] == "\\":
            piece, at = _escape(pattern, at, in_class=True)
            result.append(piece)
        else:
            result.append("\\" + pattern[at] if pattern[at] in "[]&~|" else pattern[at])
            at += 1
    if at >= len(pattern):
        raise PatternError(f"error parsing regexp: missing closing ]: `{pattern[start:]}`")
    return "".join([*result, "]"]), at + 1


def _group(pattern: str, at: int) -> tuple[str, int, str]:
    """The opening of a group that is no plain one, and the flags it sets."""
    named = re.match(r"\(\?P?<(\w+)>", pattern[at:])
    if named:
        return f"(?P<{named[1]}>", at + named.end(), ""
    flags = re.match(r"\(\?([imsU]*)(-[imsU]+)?([:)])", pattern[at:])
    if flags is None:
        raise PatternError(f"error parsing regexp: invalid or unsupported Perl syntax: `{pattern[at : at + 3]}`")
    on, off, end = flags[1].replace("U", ""), (flags[2] or "").replace("U", ""), flags[3]
    if end == ")":
        # Python has flags for a whole pattern at its start only.
        if at > 0:
            raise PatternError(f"error parsing regexp: invalid or unsupported Perl syntax: `{flags[0]}`")
        return (f"(?{on})" if on else ""), at + flags.end(), on
    return f"(?{on}{off if off != '-' else ''}:", at + flags.end(), on


def _is_risky(tree: Any, *, repeated: bool = False) -> bool:
    """Whether something repeats without end within a repetition, or alternatives stand within one."""
    for code, value in tree:
        if code in (codes.MAX_REPEAT, codes.MIN_REPEAT):
            low, high, inner = value
            endless = high == codes.MAXREPEAT or high - low > 16
            if repeated and endless:
                return True
            if _is_risky(inner, repeated=repeated or endless):
                return True
        elif code is codes.BRANCH:
            if repeated or any(_is_risky(branch, repeated=repeated) for branch in value[1]):
                return True
        elif code is codes.SUBPATTERN and _is_risky(value[3], repeated=repeated):
            return True
    return False


class Automaton:
    """A pattern as states that are all walked at once: the time is that of the text times that of the pattern."""

    def __init__(self, tree: Any) -> None:
        # (kind, argument, next states): "char" consumes, "assert" looks, "split" goes on, "end" has matched.
        self._states: list[tuple[str, Any, tuple[int, ...]]] = [("end", None, ())]
        self._flags = tree.state.flags
        self._start = self._sequence(tree, 0, self._flags)
        if len(self._states) > 20_000:
            raise PatternError("error parsing regexp: expression too large")

    def search(self, text: str) -> bool:
        current: set[int] = set()
        for at in range(len(text) + 1):
            current.add(self._start)
            current = self._closure(current, text, at)
            if 0 in current:
                return True
            if at == len(text):
                return False
            char = text[at]
            current = {
                after[0]
                for kind, matches, after in (self._states[state] for state in current)
                if kind == "char" and matches(char)
            }
        return False

    def _closure(self, states: set[int], text: str, at: int) -> set[int]:
        seen: set[int] = set()
        waiting = list(states)
        while waiting:
            state = waiting.pop()
            if state in seen:
                continue
            seen.add(state)
            kind, argument, after = self._states[state]
            if kind == "split" or (kind == "assert" and argument.match(text, at) is not None):
                waiting.extend(after)
        return seen

    def _add(self, kind: str, argument: Any, *after: int) -> int:
        self._states.append((kind, argument, after))
        return len(self._states) - 1

    def _sequence(self, nodes: Any, after: int, flags: int) -> int:
        for code, value in reversed(list(nodes)):
            after = self._node(code, value, after, flags)
        return after

    def _node(self, code: Any, value: Any, after: int, flags: int) -> int:
        if code in (codes.MAX_REPEAT, codes.MIN_REPEAT):
            low, high, inner = value
            return self._repeat(low, high, inner, after, flags)
        if code is codes.BRANCH:
            return self._add("split", None, *(self._sequence(branch, after, flags) for branch in value[1]))
        if code is codes.SUBPATTERN:
            _, on, off, inner = value
            return self._sequence(inner, after, (flags | on) & ~off)
        if code is codes.AT:
            return self._add("assert", re.compile(_source(code, value), flags & ~re.DEBUG), after)
        matches = re.compile(_source(code, value), flags & ~re.DEBUG).fullmatch
        return self._add("char", functools.lru_cache(maxsize=256)(lambda char: matches(char) is not None), after)

    def _repeat(self, low: int, high: Any, inner: Any, after: int, flags: int) -> int:
        if low > _MAX_REPEAT or (high != codes.MAXREPEAT and high > _MAX_REPEAT):
            raise PatternError("error parsing regexp: invalid repeat count")
        if high == codes.MAXREPEAT:
            loop = self._add("split", None)
            self._states[loop] = ("split", None, (self._sequence(inner, loop, flags), after))
            after = loop
        else:
            end = after
            for _ in range(high - low):
                after = self._add("split", None, self._sequence(inner, after, flags), end)
        for _ in range(low):
            after = self._sequence(inner, after, flags)
        return after


_PLACES = {
    codes.AT_BEGINNING: "^",
    codes.AT_BEGINNING_STRING: r"\A",
    codes.AT_END: "$",
    codes.AT_END_STRING: r"\Z",
    codes.AT_BOUNDARY: r"\b",
    codes.AT_NON_BOUNDARY: r"\B",
}
_CATEGORIES = {
    codes.CATEGORY_DIGIT: r"\d",
    codes.CATEGORY_NOT_DIGIT: r"\D",
    codes.CATEGORY_SPACE: r"\s",
    codes.CATEGORY_NOT_SPACE: r"\S",
    codes.CATEGORY_WORD: r"\w",
    codes.CATEGORY_NOT_WORD: r"\W",
}


def _source(code: Any, value: Any) -> str:
    """One node that consumes a character, or looks at a place, written as a pattern again."""
    if code is codes.AT:
        return _PLACES[value]
    if code is codes.ANY:
        return "."
    if code is codes.LITERAL:
        return re.escape(chr(value))
    if code is codes.NOT_LITERAL:
        return f"[^{re.escape(chr(value))}]"
    if code is codes.IN:
        return f"[{''.join(_members(value))}]"
    raise PatternError(f"error parsing regexp: invalid or unsupported Perl syntax: `{code}`")


def _members(value: Any) -> Iterator[str]:
    for code, inner in value:
        if code is codes.NEGATE:
            yield "^"
        elif code is codes.LITERAL:
            yield re.escape(chr(inner))
        elif code is codes.RANGE:
            yield f"{re.escape(chr(inner[0]))}-{re.escape(chr(inner[1]))}"
        else:
            yield _CATEGORIES[inner]
