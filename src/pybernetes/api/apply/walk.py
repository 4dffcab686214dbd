"""From trees to field sets: which fields a tree has, and which a change adds, alters or takes away.

The rules are those of upstream's structured merge: scalars and atomic parts are leaves; whatever appears as a whole is
itself owned (`"."`) together with all below it; elements of keyed lists are told apart by their keys, not their places.
"""

from __future__ import annotations

import functools
import types
from typing import Any, NamedTuple

import msgspec
import orjson

from pybernetes.api import codecs, shape
from pybernetes.api.apply import fieldset
from pybernetes.api.types import meta_v1

Set = fieldset.Set

# Object metadata that the server keeps, and that therefore nobody owns.
_UNOWNED_META = frozenset(
    (
        "name",
        "namespace",
        "creationTimestamp",
        "selfLink",
        "uid",
        "clusterName",
        "generation",
        "managedFields",
        "resourceVersion",
    )
)

_NOTHING: dict[str, Any] = {}
_LEAF = shape.Shape(shape.LEAF)


def ownable(tree: dict[str, Any]) -> dict[str, Any]:
    """The tree without what nobody owns: apiVersion, kind, and the server's own metadata."""
    result = {key: value for key, value in tree.items() if key != "apiVersion" and key != "kind"}
    meta = result.get("metadata")
    if isinstance(meta, dict):
        result["metadata"] = {key: value for key, value in meta.items() if key not in _UNOWNED_META}
    return result


@functools.lru_cache(maxsize=4096)
def empty(kind: Any) -> dict[str, Any]:
    """What an object of the type holds before anybody has written to it: the skeleton that is always there."""
    if not codecs.is_struct(kind):
        return {}
    tree: dict[str, Any] = codecs.to_tree(kind())
    return ownable(tree)


def key_of(item: Any, of: shape.Shape) -> str:
    """The path element of a keyed list's element."""
    if not isinstance(item, dict):
        return value_of(item)
    keys = of.keys
    if len(keys) == 1:
        name = keys[0]
        value = item[name] if name in item else of.key_defaults.get(name)
        return f'k:{{"{name}":{orjson.dumps(value).decode()}}}'
    values = ",".join(f'"{name}":{_json(item.get(name, of.key_defaults.get(name)))}' for name in sorted(keys))
    return f"k:{{{values}}}"


def value_of(item: Any) -> str:
    """The path element of a set's element."""
    return "v:" + _json(item)


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


def field_set(tree: dict[str, Any], kind: Any) -> Set:
    """All fields that a tree of that type states: what an applier owns by stating them."""
    return _stated(ownable(tree), shape.of(kind))


def _stated(value: Any, of: shape.Shape) -> Set:
    """The fields below a value, without the value itself."""
    kind = of.kind
    result: Set = {}
    if kind == shape.LEAF:
        return result
    if isinstance(value, dict):
        if kind == shape.STRUCT:
            fields = of.fields
            for name, inner in value.items():
                inner_shape = fields.get(name)
                if inner_shape is None:
                    node = _stated(inner, shape.UNKNOWN)
                    result["f:" + name] = {".": {}, **node} if node else {}
                else:
                    _state_member(result, name, inner, inner_shape)
        else:
            item = of.item if kind == shape.MAP else shape.UNKNOWN
            for name, inner in value.items():
                _state_member(result, name, inner, item)
                if kind == shape.MAP and result.get("f:" + name):
                    result["f:" + name]["."] = {}
    elif isinstance(value, list):
        if kind == shape.KEYED:
            for element in value:
                node = _stated(element, of.item)
                key = key_of(element, of)
                whole = {".": {}, **node} if node else {}
                result[key] = fieldset.union(result[key], whole) if key in result else whole
        elif kind == shape.SET:
            for element in value:
                result[value_of(element)] = {}
    return result


def _state_member(result: Set, name: str, value: Any, of: shape.Shape) -> None:
    if value is None or of.kind == shape.LEAF or value == _NOTHING:
        result["f:" + name] = {}
        return
    node = _stated(value, of)
    if node or (of.kind == shape.ANY and not isinstance(value, dict)):
        result["f:" + name] = node


def _whole(value: Any, of: shape.Shape) -> Set:
    """The node of a value that appears or goes as a whole: itself and all below it."""
    kind = of.kind
    if not value or kind == shape.LEAF:
        return {}
    if isinstance(value, dict):
        node: Set = {".": {}}
        if kind == shape.STRUCT:
            fields = of.fields
            for name, inner in value.items():
                inner_shape = fields.get(name, shape.UNKNOWN)
                node["f:" + name] = {} if inner_shape.kind == shape.LEAF else _whole(inner, inner_shape)
        elif kind == shape.MAP or kind == shape.ANY:
            item = of.item if kind == shape.MAP else shape.UNKNOWN
            for name, inner in value.items():
                node["f:" + name] = _whole(inner, item)
        return node
    if isinstance(value, list):
        if kind == shape.KEYED:
            item = of.item
            node = {".": {}}
            for element in value:
                node[key_of(element, of)] = _whole(element, item)
            return node
        if kind == shape.SET:
            return {".": {}, **{value_of(element): {} for element in value}}
    return {}


def changes(old: Any, new: Any, kind: Any) -> tuple[Set, Set]:
    """(added or altered, taken away) between two objects, or two trees, of one type."""
    changed: Set = {}
    removed: Set = {}
    before, after = _differing(old, new, kind) if codecs.is_struct(type(new)) else (ownable(old), ownable(new))
    _compare(before, after, shape.of(kind), changed, removed)
    return changed, removed


def _differing(old: Any, new: Any, kind: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The trees of what can be owned of two objects, without what is equal in both: a write changes one member of an
    object, seldom more."""
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    olds, news = msgspec.structs.astuple(old), msgspec.structs.astuple(new)
    for member in _members(kind):
        was, now = olds[member.place], news[member.place]
        if member.name == "metadata":
            was, now = _owned(was), _owned(now)
        if was == now:
            continue
        for value, tree in ((was, before), (now, after)):
            raw = codecs.encode(value)
            if raw != member.encoded or member.always:
                tree[member.name] = codecs.decode_tree(raw)
    return before, after


def added(obj: Any, kind: Any) -> Set:
    """The fields that a new object, or its tree, has beyond the empty skeleton of its type, in order.

    Objects come in series (the pods of a set) that differ in what nobody owns, such as their names: what a member
    states is found once for equal bytes.
    """
    if not codecs.is_struct(type(obj)):
        return fieldset.ordered(changes(empty(kind), obj, kind)[0])
    result: Set = {}
    values = msgspec.structs.astuple(obj)
    for member in _members(kind):
        value = values[member.place]
        if member.name == "metadata":
            value = _owned(value)
        if value == member.untouched:
            continue
        if member.is_leaf and type(value) in _SCALARS:
            result[member.step] = {}
            continue
        raw = codecs.encode(value)
        if raw == member.encoded:
            continue
        if member.is_leaf:
            result[member.step] = {}
        else:
            find = _added if len(raw) <= _MAX_REMEMBERED else _added_now
            result.update(find(kind, member.name, raw))
    return result


_MAX_REMEMBERED = 4096
# What is never written alike where it differs.
_SCALARS = frozenset((str, int, bool))


class _Member(NamedTuple):
    """A member of a type's objects, and what it is in an empty one."""

    name: str
    step: str
    place: int
    is_leaf: bool
    untouched: Any
    encoded: bytes
    # Whether an empty object is written with it.
    always: bool


@functools.cache
def _members(kind: Any) -> list[_Member]:
    """Those that can be owned, in order; their attributes' names are, at the top, those in JSON."""
    skeleton = kind()
    values = msgspec.structs.astuple(skeleton)
    always, shapes = empty(kind), shape.of(kind).fields
    return [
        _Member(
            name,
            "f:" + name,
            place,
            shapes[name].kind == shape.LEAF,
            values[place],
            codecs.encode(values[place]),
            name in always,
        )
        for name, place in sorted((name, place) for place, name in enumerate(kind.__struct_fields__))
        if name not in ("apiVersion", "kind")
    ]


def _added_now(kind: Any, name: str, raw: bytes) -> Set:
    known = {key: value for key, value in empty(kind).items() if key == name}
    changed: Set = {}
    _compare(known, ownable({name: codecs.decode_tree(raw)}), shape.of(kind), changed, {})
    return fieldset.ordered(changed)


_added = functools.lru_cache(maxsize=512)(_added_now)


def _owned(meta: meta_v1.ObjectMeta) -> meta_v1.ObjectMeta:
    """Without what nobody owns."""
    return meta_v1.ObjectMeta(
        generateName=meta.generateName,
        labels=meta.labels,
        annotations=meta.annotations,
        ownerReferences=meta.ownerReferences,
        finalizers=meta.finalizers,
        deletionTimestamp=meta.deletionTimestamp,
        deletionGracePeriodSeconds=meta.deletionGracePeriodSeconds,
    )


# What values of a shape that are to be compared further look like; of others, leaves, nothing does.
_HOLDERS: dict[str, tuple[type, ...]] = {
    shape.LEAF: (),
    shape.KEYED: (list, types.NoneType),
    shape.SET: (list, types.NoneType),
    shape.STRUCT: (dict, types.NoneType),
    shape.MAP: (dict, types.NoneType),
    shape.ANY: (dict, types.NoneType),
}


def _compare(old: Any, new: Any, of: shape.Shape, changed: Set, removed: Set) -> None:
    """Fill in the changes below a value that both sides have, as what its shape holds or as nothing."""
    old, new = old or _NOTHING, new or _NOTHING
    kind, prefix = of.kind, "f:"
    fields: dict[str, shape.Shape] = _NOTHING
    others = shape.UNKNOWN
    if kind == shape.STRUCT:
        fields = of.fields
    elif kind == shape.MAP:
        others = of.item
    elif kind == shape.KEYED:
        others, prefix = of.item, ""
        old, new = {key_of(item, of): item for item in old}, {key_of(item, of): item for item in new}
    elif kind == shape.SET:
        others, prefix = _LEAF, ""
        old, new = {value_of(item): None for item in old}, {value_of(item): None for item in new}
    for name, value in new.items():
        if name not in old:
            changed[prefix + name] = _whole(value, fields.get(name, others))
            continue
        before = old[name]
        if before is value or before == value:
            continue
        inner = fields.get(name, others)
        holder = _HOLDERS[inner.kind]
        if isinstance(before, holder) and isinstance(value, holder):
            below: Set = {}
            gone: Set = {}
            _compare(before, value, inner, below, gone)
            if below:
                changed[prefix + name] = below
            if gone:
                removed[prefix + name] = gone
        else:
            changed[prefix + name] = _whole(value, inner)
    for name, value in old.items():
        if name not in new:
            removed[prefix + name] = _whole(value, fields.get(name, others))
