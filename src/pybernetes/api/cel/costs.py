"""How much work an expression can be at worst, from its tree and from how large its inputs may become.

The units and rules are upstream's: one for a step, a tenth of one for a character that is looked at, and what is done
for every element as often as there can be elements.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from pybernetes.api.cel import declarations, syntax

WORST = (1 << 64) - 1
_PER_CHARACTER = 0.1
_PER_PATTERN_CHARACTER = 0.25
_CREATE_LIST, _CREATE_MAP, _CREATE_MESSAGE = 10, 30, 40
_OVER_LISTS = frozenset(("isSorted", "sum", "max", "min", "indexOf", "lastIndexOf"))
_OVER_ARGUMENT = frozenset(
    (
        *("url", "isURL", "cidr", "isCIDR", "ip", "isIP", "quantity", "isQuantity", "semver", "isSemver"),
        "jsonpatch.escapeKey",
    )
)
_OVER_TARGET = frozenset(("lowerAscii", "upperAscii", "substring", "trim", "charAt", "reverse", "format"))
_TWICE_OVER_TARGET = frozenset(("replace", "split", "join"))
_COMPARING = frozenset(("_==_", "_!=_", "_<_", "_<=_", "_>_", "_>=_"))

_KEY = declarations.Declaration("string")

Path = tuple[str, ...]


class _Local(NamedTuple):
    path: Path
    size: int | None


def worst(checked: syntax.Checked, variables: Mapping[str, declarations.Declaration]) -> int:
    """The most that evaluating the expression once can cost."""
    return min(_Coster(checked, variables).cost(checked.root), WORST)


class _Coster:
    def __init__(self, checked: syntax.Checked, variables: Mapping[str, declarations.Declaration]) -> None:
        self._checked = checked
        self._variables = variables
        self._locals: dict[str, list[_Local]] = {}
        self._paths: dict[int, Path] = {}
        self._sizes: dict[int, int] = {}

    def cost(self, node: syntax.Node) -> int:
        if node.kind == syntax.IDENT:
            known = self._locals.get(node.name)
            self._paths[node.id] = known[-1].path if known else (node.name,)
            return 1
        if node.kind == syntax.SELECT:
            return self._select(node)
        if node.kind == syntax.CALL:
            return self._call(node)
        if node.kind == syntax.LIST:
            return _CREATE_LIST + sum(map(self.cost, node.children))
        if node.kind == syntax.STRUCT:
            return (_CREATE_MAP if node.is_map else _CREATE_MESSAGE) + sum(map(self.cost, node.children))
        if node.kind == syntax.COMPREHENSION:
            return self._comprehension(node)
        return 0

    def _select(self, node: syntax.Node) -> int:
        operand = node.target
        if operand is None:
            return 0
        cost = self.cost(operand)
        self._paths[node.id] = (*self._paths.get(operand.id, ()), node.name)
        return cost if node.is_test else cost + 1

    def _comprehension(self, node: syntax.Node) -> int:
        over, first, condition, step, result = node.children
        cost = self.cost(over) + self.cost(first)
        path = self._paths.get(over.id, ())
        is_map = self._checked.kinds.get(over.id) == "map"
        bound = over.kind == syntax.LIST and not over.children and condition.is_true is False
        self._push(node.accumulator, (), self._size(first) if bound or first.kind == syntax.CONSTANT else None)
        if node.second:
            self._push(node.name, (*path, "@keys" if is_map else "@indices"), None if is_map else 1)
            self._push(node.second, (*path, "@values" if is_map else "@items"), None)
        else:
            self._push(node.name, (*path, "@keys" if is_map else "@items"), None)
        each = self.cost(condition) + self.cost(step)
        self._pop(node.name)
        if node.second:
            self._pop(node.second)
        cost += self.cost(result)
        self._pop(node.accumulator)
        count = self._size(over)
        if first.kind in (syntax.LIST, syntax.STRUCT):
            self._sizes[node.id] = count
        elif first.kind == syntax.CONSTANT:
            self._sizes[node.id] = first.size
        return cost if bound else cost + count * each

    def _push(self, name: str, path: Path, size: int | None) -> None:
        self._locals.setdefault(name, []).append(_Local(path, size))

    def _pop(self, name: str) -> None:
        self._locals[name].pop()

    def _call(self, node: syntax.Node) -> int:
        arguments = node.children
        costs = [self.cost(argument) for argument in arguments]
        total = sum(costs)
        if node.target is not None:
            total += self.cost(node.target)
        if node.name == "dyn" and arguments:
            self._same(node, arguments[0])
            return total + 1
        if node.name == "_?_:_" and len(arguments) == 3:
            self._sizes[node.id] = max(self._size(arguments[1]), self._size(arguments[2]))
            return costs[0] + max(costs[1], costs[2])
        if node.name in ("_&&_", "_||_"):
            return total
        if node.name == "_[_]" and arguments:
            is_map = self._checked.kinds.get(arguments[0].id) == "map"
            self._paths[node.id] = (*self._paths.get(arguments[0].id, ()), "@values" if is_map else "@items")
            return total + 1
        return total + self._function(node)

    def _function(self, node: syntax.Node) -> int:
        name, target, arguments = node.name, node.target, node.children
        if name in _COMPARING and len(arguments) == 2:
            return _part(min(self._size(arguments[0]), self._size(arguments[1])))
        if name == "_+_" and len(arguments) == 2:
            size = self._size(arguments[0]) + self._size(arguments[1])
            if self._checked.kinds.get(node.id) in ("string", "bytes"):
                self._sizes[node.id] = size
                return _part(size)
            if self._checked.kinds.get(node.id) == "list":
                self._sizes[node.id] = size
            return 1
        if name in ("startsWith", "endsWith") and arguments:
            return _part(self._size(arguments[0]))
        if name in ("in", "@in", "_in_") and len(arguments) == 2:
            return self._size(arguments[1])
        if name in ("matches", "find", "findAll") and target is not None and arguments:
            pattern = math.ceil(self._size(arguments[0]) * _PER_PATTERN_CHARACTER)
            return _part(self._size(target) + 1) * pattern
        if name == "contains" and target is not None and arguments:
            return _part(self._size(target)) * _part(self._size(arguments[0]))
        if target is not None and name in _OVER_LISTS:
            return self._over_list(target)
        if name in _OVER_ARGUMENT and arguments:
            self._same(node, arguments[0])
            return _part(self._size(arguments[0]))
        if target is not None and name in _OVER_TARGET:
            self._same(node, target)
            return _part(self._size(target))
        if target is not None and name in _TWICE_OVER_TARGET:
            self._same(node, target)
            return _part(2 * self._size(target))
        return 1

    def _over_list(self, target: syntax.Node) -> int:
        if self._checked.kinds.get(target.id) in ("string", "bytes"):
            return _part(self._size(target))
        each = 1
        declared = self._declared(self._paths.get(target.id, ()))
        if declared is not None and declared.element is not None and declared.element.kind in ("string", "bytes"):
            each += _part(declared.element.most)
        return self._size(target) * each

    def _same(self, node: syntax.Node, as_: syntax.Node) -> None:
        self._sizes[node.id] = self._size(as_)

    def _size(self, node: syntax.Node) -> int:
        """How many elements or characters there can be."""
        known = self._sizes.get(node.id)
        if known is not None:
            return known
        if node.kind == syntax.CONSTANT:
            return node.size
        if node.kind == syntax.LIST:
            return len(node.children)
        if node.kind == syntax.STRUCT and node.is_map:
            return len(node.children) // 2
        if node.id in self._checked.scalars:
            return 1
        declared = self._declared(self._paths.get(node.id, ()))
        if declared is not None:
            return declared.most
        local = self._locals.get(node.name) if node.kind == syntax.IDENT else None
        if local and local[-1].size is not None:
            return local[-1].size
        return WORST

    def _declared(self, path: Path) -> declarations.Declaration | None:
        if not path:
            return None
        found = self._variables.get(path[0])
        for step in path[1:]:
            if found is None:
                return None
            if step in ("@items", "@values"):
                found = found.element
            elif step in ("@keys", "@indices"):
                # How long keys can be is nothing that schemas say.
                return _KEY
            else:
                found = found.fields.get(step)
        return found


def _part(size: int) -> int:
    return math.ceil(min(size, WORST) * _PER_CHARACTER)
