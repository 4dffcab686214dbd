"""Label and field selectors: parsed once from text or objects, then matched against plain dictionaries.

A watch asks `matches` for every event of its resource, so a selector is compiled to the cheapest test that decides it:
equality terms become one set of pairs, and only the rest is looked at term by term.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from pybernetes.api import fields, names, wording
from pybernetes.api.types import meta_v1

IN = "in"
NOT_IN = "notin"
EQUALS = "="
DOUBLE_EQUALS = "=="
NOT_EQUALS = "!="
EXISTS = "exists"
DOES_NOT_EXIST = "!"
GREATER = "gt"
LESS = "lt"

_OPERATORS = (DOES_NOT_EXIST, EQUALS, DOUBLE_EQUALS, IN, NOT_EQUALS, NOT_IN, EXISTS, GREATER, LESS)
_TEXT_OPERATORS = {
    "in": IN,
    "notin": NOT_IN,
    "=": EQUALS,
    "==": DOUBLE_EQUALS,
    "!=": NOT_EQUALS,
    ">": GREATER,
    "<": LESS,
}
_OBJECT_OPERATORS = {"In": IN, "NotIn": NOT_IN, "Exists": EXISTS, "DoesNotExist": DOES_NOT_EXIST}
_INTEGER = re.compile(r"[+-]?[0-9]+").fullmatch
_SPECIAL = "=!(),><"


class SelectorError(ValueError):
    """A selector that cannot be read; the message is upstream's."""


class Requirement(NamedTuple):
    """One term. `values` are sorted and distinct."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        operator = self.operator
        value = labels.get(self.key)
        if operator in (IN, EQUALS, DOUBLE_EQUALS):
            return value is not None and value in self.values
        if operator in (NOT_IN, NOT_EQUALS):
            return value is None or value not in self.values
        if operator == EXISTS:
            return value is not None
        if operator == DOES_NOT_EXIST:
            return value is None
        if value is None:
            return False
        number = _int64(value)
        if number is None:
            return False
        bound = int(self.values[0])
        return number > bound if operator == GREATER else number < bound

    def __str__(self) -> str:
        operator, values = self.operator, ",".join(self.values)
        if operator == EXISTS:
            return self.key
        if operator == DOES_NOT_EXIST:
            return f"!{self.key}"
        if operator in (IN, NOT_IN):
            return f"{self.key} {operator} ({values})"
        sign = {GREATER: ">", LESS: "<"}.get(operator, operator)
        return f"{self.key}{sign}{values}"


class LabelSelector:
    """All terms must hold; no terms match everything. `str()` gives the canonical text."""

    __slots__ = ("_pairs", "_rest", "nothing", "requirements")

    def __init__(self, requirements: Iterable[Requirement] = (), *, nothing: bool = False) -> None:
        self.requirements = tuple(sorted(requirements, key=lambda term: term.key))
        self.nothing = nothing
        exact = [t for t in self.requirements if t.operator in (EQUALS, DOUBLE_EQUALS, IN) and len(t.values) == 1]
        self._pairs = tuple((term.key, term.values[0]) for term in exact)
        self._rest = tuple(term for term in self.requirements if term not in exact)

    @property
    def empty(self) -> bool:
        """True where it matches everything."""
        return not self.requirements and not self.nothing

    def matches(self, labels: Mapping[str, str]) -> bool:
        if self.nothing:
            return False
        for key, value in self._pairs:
            if labels.get(key) != value:
                return False
        return not self._rest or all(term.matches(labels) for term in self._rest)

    def exact(self, key: str) -> str | None:
        """The one value that it asks of that label, if it asks for exactly one."""
        for term in self.requirements:
            if term.key == key:
                single = term.operator in (EQUALS, DOUBLE_EQUALS, IN) and len(term.values) == 1
                return term.values[0] if single else None
        return None

    def excludes(self, other: LabelSelector) -> bool:
        """Whether it shows, without looking at any labels, that none match both: they ask different values of one."""
        return any(other.exact(key) not in (None, value) for key, value in self._pairs)

    def __str__(self) -> str:
        return ",".join(map(str, self.requirements))

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, LabelSelector)
            and self.requirements == other.requirements
            and self.nothing == other.nothing
        )

    def __hash__(self) -> int:
        return hash((self.requirements, self.nothing))

    def __repr__(self) -> str:
        return f"LabelSelector({str(self) if not self.nothing else '<nothing>'!r})"


EVERYTHING = LabelSelector()
NOTHING = LabelSelector(nothing=True)


def _int64(text: str) -> int | None:
    if not _INTEGER(text):
        return None
    number = int(text)
    return number if -(2**63) <= number < 2**63 else None


def requirement(key: str, operator: str, values: Sequence[str], path: fields.Path | None = None) -> Requirement:
    """A checked term. Raises SelectorError with the field errors' texts."""
    path = path or fields.Path()
    problems: list[fields.FieldError] = []
    if wrong := names.label_key(key):
        problems.append(fields.invalid(path["key"], key, "; ".join(wrong)))
    where = path["values"]
    if operator in (IN, NOT_IN):
        if not values:
            problems.append(
                fields.invalid(where, list(values), "for 'in', 'notin' operators, values set can't be empty")
            )
    elif operator in (EQUALS, DOUBLE_EQUALS, NOT_EQUALS):
        if len(values) != 1:
            problems.append(fields.invalid(where, list(values), "exact-match compatibility requires one single value"))
    elif operator in (EXISTS, DOES_NOT_EXIST):
        if values:
            problems.append(
                fields.invalid(where, list(values), "values set must be empty for exists and does not exist")
            )
    elif operator in (GREATER, LESS):
        if len(values) != 1:
            words = "for 'Gt', 'Lt' operators, exactly one value is required"
            problems.append(fields.invalid(where, list(values), words))
        for index, value in enumerate(values):
            if _int64(value) is None:
                words = "for 'Gt', 'Lt' operators, the value must be an integer"
                problems.append(fields.invalid(where[index], value, words))
    else:
        problems.append(fields.not_supported(path["operator"], operator, _OPERATORS))
    for index, value in enumerate(values):
        if wrong := names.label_value(value):
            problems.append(fields.invalid(where[index].key(key), value, "; ".join(wrong)))
    if problems:
        raise SelectorError(wording.aggregate(map(str, problems)))
    return Requirement(key, operator, tuple(sorted(set(values))))


def from_set(labels: Mapping[str, str]) -> LabelSelector:
    """Exactly these labels, unchecked; none match everything, as upstream's SelectorFromSet."""
    return LabelSelector(Requirement(key, EQUALS, (value,)) for key, value in labels.items())


def from_object(selector: meta_v1.LabelSelector | None) -> LabelSelector:
    """From the API's object: None matches nothing, an empty one everything. Raises SelectorError."""
    if selector is None:
        return NOTHING
    if not selector.matchLabels and not selector.matchExpressions:
        return EVERYTHING
    if not selector.matchExpressions:
        return _of_labels(tuple(selector.matchLabels.items()))
    terms = [requirement(key, EQUALS, [value]) for key, value in selector.matchLabels.items()]
    for expression in selector.matchExpressions:
        operator = _OBJECT_OPERATORS.get(expression.operator)
        if operator is None:
            raise SelectorError(f'"{expression.operator}" is not a valid label selector operator')
        terms.append(requirement(expression.key, operator, expression.values))
    return LabelSelector(terms)


@functools.lru_cache(maxsize=1024)
def _of_labels(labels: tuple[tuple[str, str], ...]) -> LabelSelector:
    """Controllers read the same few selectors again and again. Raises SelectorError."""
    return LabelSelector(requirement(key, EQUALS, [value]) for key, value in labels)


def _tokens(text: str) -> list[tuple[str, str]]:
    """(kind, literal) pairs; kinds are the operators and brackets themselves, `word`, `error` and `end`."""
    tokens: list[tuple[str, str]] = []
    position, size = 0, len(text)
    while True:
        while position < size and text[position] in " \t\r\n":
            position += 1
        if position >= size:
            tokens.append(("end", ""))
            return tokens
        start = position
        if text[position] in _SPECIAL:
            pair = text[position : position + 2]
            literal = pair if pair in ("==", "!=") else text[position]
            position += len(literal)
            tokens.append((literal, literal))
            continue
        while position < size and text[position] not in _SPECIAL and text[position] not in " \t\r\n":
            position += 1
        word = text[start:position]
        tokens.append((word if word in ("in", "notin") else "word", word))


class _Parser:
    def __init__(self, text: str) -> None:
        self.tokens = _tokens(text)
        self.position = 0

    def look(self) -> tuple[str, str]:
        """The next token where keys and values stand: `in` and `notin` are words there."""
        kind, literal = self.tokens[min(self.position, len(self.tokens) - 1)]
        return ("word" if kind in ("in", "notin") else kind), literal

    def take(self) -> tuple[str, str]:
        token = self.look()
        self.position += 1
        return token

    def parse(self) -> list[Requirement]:
        terms: list[Requirement] = []
        while True:
            kind, literal = self.look()
            if kind == "end":
                return terms
            if kind not in ("word", "!"):
                raise SelectorError(f"found '{literal}', expected: !, identifier, or 'end of string'")
            try:
                terms.append(self.term())
            except SelectorError as error:
                raise SelectorError(f"unable to parse requirement: {error}") from None
            kind, literal = self.take()
            if kind == "end":
                return terms
            if kind != ",":
                raise SelectorError(f"found '{literal}', expected: ',' or 'end of string'")
            kind, literal = self.look()
            if kind not in ("word", "!"):
                raise SelectorError(f"found '{literal}', expected: identifier after ','")

    def term(self) -> Requirement:
        kind, key = self.take()
        negated = kind == "!"
        if negated:
            kind, key = self.take()
        if kind != "word":
            raise SelectorError(f"found '{key}', expected: identifier")
        if wrong := names.label_key(key):
            raise SelectorError(str(fields.invalid(fields.Path("<nil>"), key, "; ".join(wrong))))
        if negated:
            return requirement(key, DOES_NOT_EXIST, [])
        if self.look()[0] in ("end", ","):
            return requirement(key, EXISTS, [])
        kind, literal = self.tokens[self.position]
        self.position += 1
        operator = _TEXT_OPERATORS.get(kind)
        if operator is None:
            raise SelectorError(f"found '{literal}', expected: in, notin, =, ==, !=, gt, lt")
        values = self.values() if operator in (IN, NOT_IN) else [self.value()]
        return requirement(key, operator, sorted(set(values)))

    def value(self) -> str:
        if self.look()[0] in ("end", ","):
            return ""
        kind, literal = self.take()
        if kind != "word":
            raise SelectorError(f"found '{literal}', expected: identifier")
        return literal

    def values(self) -> list[str]:
        kind, literal = self.take()
        if kind != "(":
            raise SelectorError(f"found '{literal}' expected: '('")
        kind, literal = self.look()
        if kind == ")":
            self.take()
            return [""]
        if kind not in ("word", ","):
            raise SelectorError(f"found '{literal}', expected: ',', ')' or identifier")
        values = self.listed()
        if self.take()[0] != ")":
            raise SelectorError(f"found '{literal}', expected: ')'")
        return values

    def listed(self) -> list[str]:
        values: list[str] = []
        while True:
            kind, literal = self.take()
            following, next_literal = self.look()
            if kind == "word":
                values.append(literal)
                if following == ")":
                    return values
                if following != ",":
                    raise SelectorError(f"found '{next_literal}', expected: ',' or ')'")
            elif kind == ",":
                if not values:
                    values.append("")
                if following == ")":
                    return [*values, ""]
                if following == ",":
                    values.append("")
            else:
                raise SelectorError(f"found '{literal}', expected: ',', or identifier")


@functools.lru_cache(maxsize=1024)
def parse(text: str) -> LabelSelector:
    """`app=web,tier in (a, b),!canary` -> selector. Raises SelectorError."""
    terms = _Parser(text).parse()
    return LabelSelector(terms) if terms else EVERYTHING


class FieldTerm(NamedTuple):
    """One term of a field selector."""

    field: str
    value: str
    equal: bool

    def __str__(self) -> str:
        return f"{self.field}{'=' if self.equal else '!='}{escape(self.value)}"


class FieldSelector:
    """All terms must hold against the dictionary of an object's selectable fields; a missing field counts as empty."""

    __slots__ = ("terms",)

    def __init__(self, terms: Iterable[FieldTerm] = ()) -> None:
        self.terms = tuple(terms)

    @property
    def empty(self) -> bool:
        return not self.terms

    def matches(self, values: Mapping[str, str]) -> bool:
        return all((values.get(field, "") == value) is equal for field, value, equal in self.terms)

    def exact(self, field: str) -> str | None:
        """The value that it asks of that field, if it does."""
        for term in self.terms:
            if term.equal and term.field == field:
                return term.value
        return None

    def __str__(self) -> str:
        return ",".join(map(str, self.terms))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FieldSelector) and self.terms == other.terms

    def __hash__(self) -> int:
        return hash(self.terms)

    def __repr__(self) -> str:
        return f"FieldSelector({str(self)!r})"


ALL_FIELDS = FieldSelector()


def escape(value: str) -> str:
    """A literal value as a field selector writes it."""
    return value.replace("\\", "\\\\").replace(",", "\\,").replace("=", "\\=")


def unescape(text: str) -> str:
    """The reverse of `escape`. Raises SelectorError."""
    literal: list[str] = []
    characters = iter(text)
    for char in characters:
        if char == "\\":
            following = next(characters, "")
            if following not in ("\\", ",", "="):
                raise SelectorError(f"invalid field selector: invalid escape sequence: \\{following}")
            literal.append(following)
        elif char in ",=":
            raise SelectorError(f"invalid field selector: unescaped character in value: {ord(char)}")
        else:
            literal.append(char)
    return "".join(literal)


_TERMS = re.compile(r"(?:\\.|[^,\\]|\\$)*", re.DOTALL)
_TERM = re.compile(r"(.*?)(!=|==|=)(.*)", re.DOTALL)


def _split(text: str) -> list[str]:
    terms: list[str] = []
    position = 0
    while position <= len(text):
        match = _TERMS.match(text, position)
        end = match.end() if match else position
        terms.append(text[position:end])
        position = end + 1
    return terms


@functools.lru_cache(maxsize=1024)
def parse_fields(text: str) -> FieldSelector:
    """`spec.nodeName=n1,status.phase!=Running` -> selector. Raises SelectorError."""
    terms: list[FieldTerm] = []
    for part in sorted(filter(None, _split(text))):
        match = _TERM.fullmatch(part)
        if match is None:
            raise SelectorError(f"invalid selector: '{text}'; can't understand '{part}'")
        field, operator, value = match.groups()
        terms.append(FieldTerm(field, unescape(value), operator != "!="))
    return FieldSelector(terms) if terms else ALL_FIELDS
