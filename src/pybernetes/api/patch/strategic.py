"""Strategic merge patch: a merge patch that knows which lists merge by key, with directives for the rest.

Directives: `$patch: replace|delete|merge` in an object, `$retainKeys` beside its fields, `$deleteFromPrimitiveList/x`
and `$setElementOrder/x` beside the list `x`. Which lists merge, and by which key, are the schema's facts (`api/shape`).
What makes no sense is the client's fault: where upstream's words come with a 500, they come with a 400 here.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable
from typing import Any

import orjson

from pybernetes.api import errors, shape

_DIRECTIVE = "$patch"
_RETAIN = "$retainKeys"
_DELETE_FROM = "$deleteFromPrimitiveList/"
_ORDER = "$setElementOrder/"

_BAD_PRIMITIVE = "invalid patch format of primitive list"
_BAD_RETAIN = "invalid patch format of retainKeys"
_BAD_ORDER = "invalid patch format of setElementOrder list"
_UNSUPPORTED = "strategic merge patch format is not supported"

_NOTHING: frozenset[str] = frozenset()


def apply(tree: dict[str, Any], patch: Any, kind: Any) -> dict[str, Any]:
    """The patched tree of an object of that type. Raises StatusError 400 or 422 for patches that make no sense."""
    of = shape.of(kind)
    if of is shape.UNKNOWN:
        raise errors.bad_request(_UNSUPPORTED)
    if not isinstance(patch, dict):
        raise errors.bad_request("invalid JSON document")
    return _merge_object(tree, patch, of)


def _merge_object(original: dict[str, Any], patch: dict[str, Any], of: shape.Shape) -> dict[str, Any]:
    if _DIRECTIVE in patch:
        if patch[_DIRECTIVE] == "replace":
            return {key: value for key, value in patch.items() if key != _DIRECTIVE}
        if patch[_DIRECTIVE] == "delete":
            return {}
        raise _unknown_directive(patch)
    result = _retained(original, patch) if _RETAIN in patch else dict(original)
    directives = [key for key in patch if key[:1] == "$"]
    done = _put_in_order(result, patch, directives, of) if directives else _NOTHING
    for key, value in patch.items():
        if key in done:
            continue
        if key in directives and key.startswith(_DELETE_FROM):
            _delete_from(result, key.removeprefix(_DELETE_FROM), value)
        elif value is None:
            result.pop(key, None)
        elif isinstance(value, (dict, list)):
            _merge_member(result, key, value, of)
        else:
            result[key] = value
    return result


def _put_in_order(result: dict[str, Any], patch: dict[str, Any], directives: list[str], of: shape.Shape) -> set[str]:
    """Merge the lists whose order the patch states. The keys of the patch that are done with that."""
    done = {_RETAIN}
    for directive in directives:
        if directive.startswith(_ORDER):
            name = directive.removeprefix(_ORDER)
            done |= {directive, name}
            _reorder(result, patch, name, patch[directive], _shape_of(of, name))
    return done


def _shape_of(of: shape.Shape, name: str) -> shape.Shape:
    if of.kind == shape.MAP:
        return of.item
    return of.fields.get(name, shape.UNKNOWN)


def _merge_member(result: dict[str, Any], key: str, value: dict[str, Any] | list[Any], of: shape.Shape) -> None:
    current = result.get(key)
    if isinstance(value, dict) and isinstance(current, dict):
        inner = _shape_of(of, key)
        result[key] = value if "replace" in inner.strategy else _merge_object(current, value, inner)
        return
    if isinstance(value, list) and isinstance(current, list):
        inner = _shape_of(of, key)
        result[key] = _merge_list(current, value, inner) if "merge" in inner.strategy else value
        return
    if key not in result or type(current) is not type(value):
        value = _without_nulls(value)
    if _is_directive(value):
        result.pop(key, None)
    else:
        result[key] = _without_directives(value)


def _retained(original: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    keys = patch[_RETAIN]
    if not isinstance(keys, list):
        raise errors.bad_request(_BAD_RETAIN)
    for key, value in patch.items():
        if value is None or key == _RETAIN or key.startswith((_DELETE_FROM, _ORDER)):
            continue
        if key not in keys:
            raise errors.bad_request(_BAD_RETAIN)
    return {key: value for key, value in original.items() if key in keys}


def _delete_from(result: dict[str, Any], name: str, values: Any) -> None:
    if values is None:
        result.pop(name, None)
        return
    if name not in result:
        return
    current = result[name]
    if not isinstance(values, list) or not isinstance(current, list):
        raise errors.bad_request(_BAD_PRIMITIVE)
    result[name] = [value for value in current if value not in values]


def _reorder(result: dict[str, Any], patch: dict[str, Any], name: str, order: Any, of: shape.Shape) -> None:
    """Merge the list and put its elements in the order asked for; the server's own keep their places among them."""
    if not isinstance(order, list):
        raise _wrong_type("[]interface {}", order)
    original, changes = result.get(name), patch.get(name)
    if original is not None and not isinstance(original, list):
        raise _wrong_type("[]interface {}", original)
    if changes is not None and not isinstance(changes, list):
        raise _wrong_type("[]interface {}", changes)
    _check_order(changes or [], order, of.merge_key)
    if changes is not None and original is not None:
        merged = _merge_list(original, changes, of) if "merge" in of.strategy else changes
    elif changes is not None:
        merged = _without_directives(changes)
    elif original is not None:
        merged = original
    else:
        return
    result[name] = _ordered(merged, _places(order, of.merge_key), _places(original or [], of.merge_key), of.merge_key)


def _check_order(changes: list[Any], order: list[Any], merge_key: str) -> None:
    if not changes or not order:
        return
    places = iter(order)
    for item in changes:
        if _is_directive(item):
            continue
        key = _key(item, merge_key)
        if not any(_key(place, merge_key) == key for place in places):
            words = f"The order in patch list:\n{changes}\n doesn't match $setElementOrder list:\n{order}\n"
            raise errors.bad_request(words)


def _merge_list(original: list[Any], patch: list[Any], of: shape.Shape) -> list[Any]:
    if not original and not patch:
        return original
    kinds = set(map(type, original + patch))
    if list in kinds:
        raise errors.error(422, "Invalid", "the server rejected our request due to an error in our request")
    if dict not in kinds:
        merged = list(dict.fromkeys(original + patch))
        return _ordered(merged, _places(patch, ""), _places(original, ""), "")
    if len(kinds) > 1:
        raise errors.bad_request(f"list element types are not identical: {[original, patch]}")
    if not of.merge_key:
        raise errors.bad_request("cannot merge lists without merge key for struct")
    kept, changes = _special(original, patch, of.merge_key)
    merged = list(kept)
    live = _places(kept, of.merge_key)
    places = dict(live)
    for change in changes:
        key = _key(change, of.merge_key)
        if key in places:
            merged[places[key]] = _merge_object(merged[places[key]], change, of.item)
        else:
            places[key] = len(merged)
            merged.append(_without_directives(_without_nulls(change)))
    return _ordered(merged, _places(changes, of.merge_key), live, of.merge_key)


def _special(original: list[Any], patch: list[Any], merge_key: str) -> tuple[list[Any], list[Any]]:
    """(what stays of the original, what is merged into it), after the `$patch` elements have had their say."""
    changes: list[Any] = []
    deleted: list[Any] = []
    replace = False
    for item in patch:
        directive = item.get(_DIRECTIVE)
        if directive is None:
            changes.append(item)
        elif directive == "delete":
            deleted.append(_key(item, merge_key))
        elif directive == "replace":
            replace = True
        elif directive == "merge":
            raise errors.bad_request("merging lists cannot yet be specified in the patch")
        else:
            raise _unknown_directive(item)
    if replace:
        return changes, []
    if deleted:
        original = [item for item in original if _hashable(item.get(merge_key)) not in deleted]
    return original, changes


def _ordered(merged: list[Any], wanted: dict[Any, int], live: dict[Any, int], merge_key: str) -> list[Any]:
    """Patch items by the patch's order, the others by the server's, interleaved where the server's order allows."""
    mine: list[tuple[int, int | None, Any]] = []
    others: list[tuple[int, int | None, Any]] = []
    for item in merged:
        key = _key(item, merge_key)
        place = live.get(key)
        if key in wanted:
            mine.append((wanted[key], place, item))
        else:
            others.append((len(live) if place is None else place, place, item))
    mine.sort(key=_FIRST)
    others.sort(key=_FIRST)
    result: list[Any] = []
    queue = iter(mine)
    following = next(queue, None)
    for _, place, other in others:
        while following is not None:
            _, ahead, item = following
            if place is not None and ahead is not None and place < ahead:
                break
            result.append(item)
            following = next(queue, None)
        result.append(other)
    if following is not None:
        result.append(following[2])
    result.extend([item for _, _, item in queue])
    return result


_FIRST = operator.itemgetter(0)


def _places(items: Iterable[Any], merge_key: str) -> dict[Any, int]:
    places: dict[Any, int] = {}
    for index, item in enumerate(items):
        if not (isinstance(item, dict) and _DIRECTIVE in item):
            places.setdefault(_key(item, merge_key), index)
    return places


def _key(item: Any, merge_key: str) -> Any:
    """What tells elements apart, as something hashable."""
    if not merge_key:
        return _hashable(item)
    if not isinstance(item, dict):
        raise _wrong_type("map[string]interface {}", item)
    if merge_key not in item:
        raise errors.bad_request(f"map: {_go(item)} does not contain declared merge key: {merge_key}")
    value = item[merge_key]
    return value if type(value) is str else _hashable(value)


def _hashable(value: Any) -> Any:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS) if isinstance(value, (dict, list)) else value


def _is_directive(value: Any) -> bool:
    return isinstance(value, dict) and _DIRECTIVE in value


def _without_directives(value: Any) -> Any:
    """For values that the original has no counterpart of: there is nothing to retain, delete from or put in order."""
    return _pruned(value) if _holds(b'"$', value) else value


def _holds(mark: bytes, value: Any) -> bool:
    """Whether the mark can be in the value: few have any, and to write them out and look is quicker than to walk them.

    What is nested too deeply to be written is to be walked.
    """
    try:
        return mark in orjson.dumps(value)
    except orjson.JSONEncodeError:
        return True


def _pruned(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: _pruned(inner)
            for key, inner in value.items()
            if key != _RETAIN and not key.startswith((_DELETE_FROM, _ORDER)) and not _is_directive(inner)
        }
    if isinstance(value, list):
        return [_pruned(inner) for inner in value if not _is_directive(inner)]
    return value


def _without_nulls(value: Any) -> Any:
    return _stated(value) if _holds(b"null", value) else value


def _stated(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _stated(inner) for key, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [_stated(inner) for inner in value]
    return value


def _unknown_directive(item: dict[str, Any]) -> errors.StatusError:
    return errors.bad_request(f"unknown patch type: {item[_DIRECTIVE]} in map: {_go(item)}")


def _wrong_type(expected: str, value: Any) -> errors.StatusError:
    names = {dict: "map[string]interface {}", list: "[]interface {}", str: "string", bool: "bool", int: "int64"}
    return errors.bad_request(f"expected a {expected}, but received a {names.get(type(value), 'float64')}")


def _go(value: Any) -> str:
    """A tree as Go prints it in upstream's messages."""
    if isinstance(value, dict):
        return "map[" + " ".join(f"{key}:{_go(value[key])}" for key in sorted(value)) + "]"
    if isinstance(value, list):
        return "[" + " ".join(map(_go, value)) + "]"
    if value is None:
        return "<nil>"
    return str(value).lower() if isinstance(value, bool) else str(value)
