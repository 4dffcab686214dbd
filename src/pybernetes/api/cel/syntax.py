"""Checked expressions as trees, read from the form that the checker hands them out in (cel.expr.CheckedExpr).

Field numbers are those of the published `syntax.proto` and `checked.proto`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from pybernetes.api.protobuf import wire

CONSTANT, IDENT, SELECT, CALL, LIST, STRUCT, COMPREHENSION = 3, 4, 5, 6, 7, 8, 9
_NULL, _BOOL, _INT, _UINT, _DOUBLE, _STRING, _BYTES = 1, 2, 3, 4, 5, 6, 7
# Types whose values are all of one size: bool, int, uint, double; timestamp and duration.
_FIXED_PRIMITIVES = (1, 2, 3, 4)
_FIXED_KNOWN = (2, 3)
# Fields of cel.expr.Type.
_PRIMITIVE, _WRAPPER, _WELL_KNOWN, _LIST, _MAP, _MESSAGE, _TYPE = 3, 4, 5, 6, 7, 9, 11
_HOLDERS = {_LIST: "list", _MAP: "map", _MESSAGE: "message"}


@dataclass(slots=True)
class Node:
    """`kind` is one of the constants above. `name` is an identifier, a field or a function; `size` a constant's.

    Of comprehensions, `name`, `second` and `accumulator` are the variables, and the children are, in order: what is
    gone over, the first value, the condition, the step, the result.
    """

    id: int
    kind: int = 0
    name: str = ""
    size: int = 1
    is_test: bool = False
    target: Node | None = None
    children: list[Node] = field(default_factory=list)
    second: str = ""
    accumulator: str = ""
    is_map: bool = False
    is_true: bool | None = None

    def walk(self) -> Iterator[Node]:
        yield self
        for child in (self.target, *self.children):
            if child is not None:
                yield from child.walk()

    def idents(self) -> set[str]:
        """The names of all variables in it, those of its own included."""
        return {node.name for node in self.walk() if node.kind == IDENT}


@dataclass(slots=True)
class Checked:
    """The tree, the overloads of its calls, and what is known of its types, by node."""

    root: Node
    overloads: dict[int, list[str]]
    # Nodes whose values are of a fixed size.
    scalars: set[int]
    # "list", "map", "string", "bytes", "message" or "".
    kinds: dict[int, str]


def read(data: bytes) -> Checked:
    """From `cel.Expression.serialize()`, which wraps the message in an Any."""
    message = data
    for number, _, value in wire.fields(data):
        if number == 2 and isinstance(value, bytes) and data[:1] == b"\n":
            message = value
    root: Node | None = None
    overloads: dict[int, list[str]] = {}
    scalars: set[int] = set()
    kinds: dict[int, str] = {}
    for number, _, value in wire.fields(message):
        if not isinstance(value, bytes):
            continue
        if number == 2:
            at, reference = _entry(value)
            overloads[at] = [
                inner.decode() for n, _, inner in wire.fields(reference) if n == 3 and isinstance(inner, bytes)
            ]
        elif number == 3:
            at, kind = _entry(value)
            kinds[at] = _kind(kind)
            if _is_fixed(kind):
                scalars.add(at)
        elif number == 4:
            root = _node(value)
    if root is None:
        raise ValueError("not a checked expression")
    return Checked(root, overloads, scalars, kinds)


def _entry(data: bytes) -> tuple[int, bytes]:
    key, held = 0, b""
    for number, _, value in wire.fields(data):
        if number == 1 and isinstance(value, int):
            key = value
        elif number == 2 and isinstance(value, bytes):
            held = value
    return key, held


def _kind(data: bytes) -> str:
    for number, _, value in wire.fields(data):
        if number == _PRIMITIVE and isinstance(value, int):
            return {5: "string", 6: "bytes"}.get(value, "")
        if number in _HOLDERS:
            return _HOLDERS[number]
    return ""


def _is_fixed(data: bytes) -> bool:
    for number, _, value in wire.fields(data):
        if number in (_PRIMITIVE, _WRAPPER):
            return value in _FIXED_PRIMITIVES
        if number == _WELL_KNOWN:
            return value in _FIXED_KNOWN
        if number == _TYPE:
            return True
    return False


def _node(data: bytes) -> Node:
    node = Node(0)
    for number, _, value in wire.fields(data):
        if number == 2 and isinstance(value, int):
            node.id = value
        elif isinstance(value, bytes) and number in _READERS:
            node.kind = number
            _READERS[number](node, value)
    return node


def _constant(node: Node, data: bytes) -> None:
    for number, _, value in wire.fields(data):
        if number == _STRING and isinstance(value, bytes):
            node.size = len(value.decode())
        elif number == _BYTES and isinstance(value, bytes):
            node.size = len(value)
        elif number == _BOOL:
            node.is_true = bool(value)


def _ident(node: Node, data: bytes) -> None:
    for number, _, value in wire.fields(data):
        if number == 1 and isinstance(value, bytes):
            node.name = value.decode()


def _select(node: Node, data: bytes) -> None:
    for number, _, value in wire.fields(data):
        if number == 1 and isinstance(value, bytes):
            node.target = _node(value)
        elif number == 2 and isinstance(value, bytes):
            node.name = value.decode()
        elif number == 3:
            node.is_test = bool(value)


def _call(node: Node, data: bytes) -> None:
    for number, _, value in wire.fields(data):
        if not isinstance(value, bytes):
            continue
        if number == 1:
            node.target = _node(value)
        elif number == 2:
            node.name = value.decode()
        elif number == 3:
            node.children.append(_node(value))


def _list(node: Node, data: bytes) -> None:
    node.children = [_node(value) for number, _, value in wire.fields(data) if number == 1 and isinstance(value, bytes)]


def _struct(node: Node, data: bytes) -> None:
    node.is_map = True
    for number, _, value in wire.fields(data):
        if number == 1 and value:
            node.is_map = False
        elif number == 2 and isinstance(value, bytes):
            for inner, _, part in wire.fields(value):
                if inner in (3, 4) and isinstance(part, bytes):
                    node.children.append(_node(part))


def _comprehension(node: Node, data: bytes) -> None:
    parts: dict[int, Node] = {}
    for number, _, value in wire.fields(data):
        if not isinstance(value, bytes):
            continue
        if number == 1:
            node.name = value.decode()
        elif number == 3:
            node.accumulator = value.decode()
        elif number == 8:
            node.second = value.decode()
        else:
            parts[number] = _node(value)
    node.children = [parts.get(number, Node(0, CONSTANT)) for number in (2, 4, 5, 6, 7)]


_READERS = {
    CONSTANT: _constant,
    IDENT: _ident,
    SELECT: _select,
    CALL: _call,
    LIST: _list,
    STRUCT: _struct,
    COMPREHENSION: _comprehension,
}
