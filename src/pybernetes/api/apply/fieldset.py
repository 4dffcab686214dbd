"""The algebra of field sets, on the trie that `fieldsV1` is.

A node is a dictionary from path elements to nodes: `f:name` a field, `k:{...}` a list element by its keys, `v:...` a
list element by value, `i:0` one by place. An empty node is in the set; a node with children is in it if it holds `"."`.
The root itself is never in the set, so an empty root is the empty set. Functions never change their arguments.
What is made of `ordered` sets is ordered, as upstream writes them.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from typing import Any

Set = dict[str, Any]

_MEMBER: Set = {}


def is_member(node: Set) -> bool:
    return not node or "." in node


def union(left: Set, right: Set) -> Set:
    """In either."""
    if not left:
        return right
    if not right:
        return left
    result = dict(left)
    size = len(result)
    for step, node in right.items():
        mine = result.get(step)
        if mine is None:
            result[step] = node
        elif step != "." and mine is not node and mine != node:
            joined = union(mine, node)
            if "." not in joined and (is_member(mine) or is_member(node)):
                joined = {".": _MEMBER, **joined}
            result[step] = joined
    return {step: result[step] for step in _in_order(result)} if len(result) != size else result


def ordered(fields: Set) -> Set:
    """The same set, its steps in upstream's order: `.` first, fields by name, elements by key, value and place."""
    return {step: ordered(node) if (node := fields[step]) else node for step in _in_order(fields)}


def difference(left: Set, right: Set) -> Set:
    """In the left one only."""
    if not right or ("." not in left and left.keys().isdisjoint(right)):
        return left
    result: Set = {}
    for step, node in left.items():
        if step == ".":
            continue
        other = right.get(step)
        if other is None:
            result[step] = node
            continue
        stays = (not node or "." in node) and other and "." not in other
        kept = difference(node, other) if node and other else node
        if "." in kept:
            kept = dict(kept)
            del kept["."]
        if kept:
            result[step] = {".": _MEMBER, **kept} if stays else kept
        elif stays:
            result[step] = {}
    return result


def intersection(left: Set, right: Set) -> Set:
    """In both."""
    result: Set = {}
    for step, node in left.items():
        other = right.get(step)
        if step == "." or other is None:
            continue
        both = is_member(node) and is_member(other)
        below = intersection(node, other) if node and other else {}
        if below:
            result[step] = {".": _MEMBER, **below} if both else below
        elif both:
            result[step] = {}
    return result


def covers(left: Set, right: Set) -> bool:
    """Whether all of the right one is in the left one."""
    for step, node in right.items():
        if step == ".":
            continue
        mine = left.get(step)
        if mine is None or (is_member(node) and not is_member(mine)) or (node and not covers(mine, node)):
            return False
    return True


def meets(left: Set, right: Set) -> bool:
    """Whether they have anything in common."""
    for step, node in right.items():
        other = left.get(step)
        if step == "." or other is None:
            continue
        if (is_member(node) and is_member(other)) or (node and other and meets(other, node)):
            return True
    return False


def has(fields: Set, *steps: str) -> bool:
    """Whether that path is in the set."""
    for step in steps:
        if step not in fields:
            return False
        fields = fields[step]
    return is_member(fields)


def paths(fields: Set, prefix: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every path in the set, those of one level before those below them."""
    steps = [step for step in _in_order(fields) if step != "."]
    for step in steps:
        if is_member(fields[step]):
            yield (*prefix, step)
    for step in steps:
        yield from paths(fields[step], (*prefix, step))


def _in_order(fields: Set) -> list[str]:
    """The steps in upstream's order, which that of strings is where all are of one sort."""
    if len(fields) < 2:
        return list(fields)
    steps = sorted(fields)
    first = steps[1] if steps[0] == "." else steps[0]
    return steps if steps[-1][:1] == first[:1] else sorted(fields, key=_order)


def _order(step: str) -> tuple[int, str]:
    return "fkvi".find(step[:1]), step


def from_paths(listed: Iterator[tuple[str, ...]] | list[tuple[str, ...]]) -> Set:
    """The set of these paths."""
    result: Set = {}
    for path in listed:
        node: Set = {}
        for step in reversed(path):
            node = {step: node}
        result = union(result, node)
    return result


def path_text(path: tuple[str, ...]) -> str:
    """As messages show it: `.spec.containers[name="web"].image`."""
    return "".join(map(_step_text, path))


def _step_text(step: str) -> str:
    kind, _, rest = step.partition(":")
    if kind == "f":
        return f".{rest}"
    if kind == "k":
        keys = json.loads(rest)
        return "[" + ",".join(f"{name}={json.dumps(keys[name], ensure_ascii=False)}" for name in sorted(keys)) + "]"
    return f"[={rest}]" if kind == "v" else f"[{rest}]"


@functools.lru_cache(maxsize=4096)
def _checked(step: str) -> str | None:
    """Why a path element cannot be read; None where it can."""
    kind, colon, rest = step.partition(":")
    if not colon:
        return f"missing colon: {step}"
    try:
        if kind == "k" and not isinstance(json.loads(rest), dict):
            return f"not a key: {step}"
        if kind == "v":
            json.loads(rest)
        if kind == "i":
            int(rest)
    except ValueError as error:
        return str(error)
    return None


def check(fields: Any) -> None:
    """Raise ValueError where a client's `fieldsV1` is none."""
    if not isinstance(fields, dict):
        raise ValueError("parsing fieldsV1: expected an object")
    for step, node in fields.items():
        if step != "." and (problem := _checked(step)):
            raise ValueError(problem)
        check(node)
