"""JSON patch (RFC 6902): a list of operations, all of which apply or none."""

from __future__ import annotations

import copy
from typing import Any

from pybernetes.api import errors

MAX_OPERATIONS = 10000
_REJECTED = "the server rejected our request due to an error in our request"


class OperationError(ValueError):
    """Why an operation does not apply. Clients get upstream's generic 422; this is its `__cause__`."""


def apply(tree: Any, operations: Any) -> Any:
    """The patched tree. Raises StatusError: 400 for no patch, 413 for too many operations, 422 where one fails."""
    if not isinstance(operations, list) or not all(isinstance(step, dict) for step in operations):
        found = "array element" if isinstance(operations, list) else _json_kind(operations)
        raise errors.bad_request(f"json: cannot unmarshal {found} into Go value of type jsonpatch.Patch")
    if len(operations) > MAX_OPERATIONS:
        words = f"The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got {len(operations)}"
        raise errors.too_large(words)
    # One holder lets the empty pointer, the whole document, be read and replaced like any member.
    holder = {"": copy.deepcopy(tree)}
    try:
        for step in operations:
            _step(holder, step)
    except OperationError as error:
        raise errors.error(422, "Invalid", _REJECTED) from error
    return holder[""]


def _json_kind(value: Any) -> str:
    return {dict: "object", str: "string", bool: "bool", type(None): "null"}.get(type(value), "number")


def _step(holder: dict[str, Any], step: dict[str, Any]) -> None:
    operation, path = step.get("op"), step.get("path")
    if not isinstance(path, str):
        raise OperationError(f"{operation} operation does not apply: missing path")
    if operation == "add":
        _add(holder, path, _value(step))
    elif operation == "remove":
        _remove(holder, path, "remove")
    elif operation == "replace":
        value = _value(step)
        _get(holder, path, "replace")
        _put(holder, path, value)
    elif operation == "test":
        try:
            found = _get(holder, path, "test")
        except OperationError:
            if step.get("value") is not None:
                raise
            found = None
        if not same(found, step.get("value")):
            raise OperationError(f"testing value {path} failed: test failed")
    elif operation in ("move", "copy"):
        source = step.get("from")
        if not isinstance(source, str):
            raise OperationError(f"{operation} operation does not apply: missing from")
        if operation == "copy":
            _add(holder, path, copy.deepcopy(_get(holder, source, "copy")))
        else:
            if path.startswith(source + "/"):
                raise OperationError("move operation does not apply: a value cannot move into itself")
            _add(holder, path, _remove(holder, source, "move"))
    else:
        raise OperationError(f"Unexpected kind: {operation}")


def _value(step: dict[str, Any]) -> Any:
    if "value" not in step:
        raise OperationError(f"{step['op']} operation does not apply: missing value")
    return copy.deepcopy(step["value"])


def _steps(pointer: str) -> list[str]:
    if pointer and not pointer.startswith("/"):
        raise OperationError(f"doc is missing path: {pointer}: missing value")
    return [""] + [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]


def _index(text: str, size: int, *, extra: int = 0) -> int:
    if not text.removeprefix("-").isdecimal() or not text.isascii() or (len(text) > 1 and text.startswith("0")):
        raise OperationError(f"Unable to access invalid index: {text}: invalid index referenced")
    index = int(text)
    if index < 0:
        index += size + extra
    if not 0 <= index < size + extra:
        raise OperationError(f"Unable to access invalid index: {text}: invalid index referenced")
    return index


def _parent(holder: dict[str, Any], pointer: str, operation: str) -> tuple[Any, str]:
    *parents, last = _steps(pointer)
    at: Any = holder
    for part in parents:
        if isinstance(at, dict) and part in at:
            at = at[part]
        elif isinstance(at, list):
            at = at[_index(part, len(at))]
        else:
            raise OperationError(
                f'{operation} operation does not apply: doc is missing path: "{pointer}": missing value'
            )
    if not isinstance(at, (dict, list)):
        raise OperationError(f'{operation} operation does not apply: doc is missing path: "{pointer}": missing value')
    return at, last


def _get(holder: dict[str, Any], pointer: str, operation: str) -> Any:
    at, last = _parent(holder, pointer, operation)
    if isinstance(at, list):
        return at[_index(last, len(at))]
    if last not in at:
        raise OperationError(f"{operation} operation does not apply: doc is missing key: {pointer}: missing value")
    return at[last]


def _put(holder: dict[str, Any], pointer: str, value: Any) -> None:
    at, last = _parent(holder, pointer, "replace")
    if isinstance(at, list):
        at[_index(last, len(at))] = value
    else:
        at[last] = value


def _add(holder: dict[str, Any], pointer: str, value: Any) -> None:
    at, last = _parent(holder, pointer, "add")
    if not isinstance(at, list):
        at[last] = value
    elif last == "-":
        at.append(value)
    else:
        at.insert(_index(last, len(at), extra=1), value)


def _remove(holder: dict[str, Any], pointer: str, operation: str) -> Any:
    at, last = _parent(holder, pointer, operation)
    if isinstance(at, list):
        return at.pop(_index(last, len(at)))
    if last not in at:
        words = f"error in {operation} for path: '{pointer}': Unable to remove nonexistent key: {last}: missing value"
        raise OperationError(words)
    return at.pop(last)


def same(left: Any, right: Any) -> bool:
    """Equal as JSON: `1` is `1.0` but not `true`."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(value, right[key]) for key, value in left.items())
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    return bool(left == right)
