"""Joining an applied configuration with the live object, and taking out what its applier no longer states."""

from __future__ import annotations

from typing import Any

from pybernetes.api import shape
from pybernetes.api.apply import fieldset, walk


def merged(live: Any, config: Any, of: shape.Shape) -> Any:
    """The live tree with the configuration laid over it; the configuration's order of list elements wins."""
    kind = of.kind
    if isinstance(live, dict) and isinstance(config, dict) and kind != shape.LEAF:
        result = dict(live)
        for name, value in config.items():
            inner = of.fields.get(name, shape.UNKNOWN) if kind == shape.STRUCT else _item(of)
            result[name] = merged(live[name], value, inner) if name in live else value
        return result
    if isinstance(live, list) and isinstance(config, list) and kind in (shape.KEYED, shape.SET):
        return _merged_list(live, config, of)
    return config


def _item(of: shape.Shape) -> shape.Shape:
    return of.item if of.kind == shape.MAP else shape.UNKNOWN


def _merged_list(live: list[Any], config: list[Any], of: shape.Shape) -> list[Any]:
    """Elements that only the live list has keep their place before the next one that both have."""
    keyed = of.kind == shape.KEYED

    def key(item: Any) -> str:
        return walk.key_of(item, of) if keyed else walk.value_of(item)

    mine = {key(item): item for item in config}
    theirs = {key(item): item for item in live}
    shared = iter([step for step in mine if step in theirs])
    awaited = next(shared, None)
    left, right = list(theirs), list(mine)
    at_left = at_right = 0
    result: list[Any] = []
    while at_left < len(left) or at_right < len(right):
        if at_left < len(left):
            step = left[at_left]
            if step not in mine:
                result.append(theirs[step])
                at_left += 1
                continue
            # Shared elements are taken from the configuration's side, in its order.
            if at_right >= len(right) or step != awaited:
                at_left += 1
                continue
        step = right[at_right]
        item = mine[step]
        result.append(merged(theirs[step], item, of.item) if keyed and step in theirs else item)
        at_right += 1
        if step == awaited:
            awaited = next(shared, None)
            at_left += at_left < len(left) and left[at_left] == step
    return result


def without(tree: Any, fields: fieldset.Set, of: shape.Shape) -> Any:
    """The tree without the fields of a set and all below them."""
    if not fields or of.kind == shape.LEAF:
        return tree
    if isinstance(tree, dict):
        result: dict[str, Any] = {}
        for name, value in tree.items():
            node = fields.get("f:" + name)
            if node is None:
                result[name] = value
            elif not fieldset.is_member(node):
                inner = of.fields.get(name, shape.UNKNOWN) if of.kind == shape.STRUCT else _item(of)
                result[name] = without(value, node, inner)
        return result
    if isinstance(tree, list) and of.kind in (shape.KEYED, shape.SET):
        kept: list[Any] = []
        for item in tree:
            step = walk.key_of(item, of) if of.kind == shape.KEYED else walk.value_of(item)
            node = fields.get(step)
            if node is None:
                kept.append(item)
            elif not fieldset.is_member(node):
                kept.append(without(item, node, of.item))
        return kept
    return tree


def named_fields(fields: fieldset.Set, of: shape.Shape) -> fieldset.Set:
    """The set with all struct fields on the way to its members made members themselves."""
    result: fieldset.Set = {}
    for step, node in fields.items():
        if step == ".":
            result[step] = node
            continue
        inner, named = _below(step, of)
        below = named_fields(node, inner)
        if named and below and "." not in below:
            below = {".": {}, **below}
        result[step] = below
    return result


def _below(step: str, of: shape.Shape) -> tuple[shape.Shape, bool]:
    if step.startswith("f:"):
        if of.kind == shape.STRUCT:
            inner = of.fields.get(step[2:])
            return (inner, True) if inner is not None else (shape.UNKNOWN, False)
        return _item(of), False
    return (of.item if of.kind == shape.KEYED else shape.UNKNOWN), False
