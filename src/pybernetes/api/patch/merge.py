"""JSON merge patch (RFC 7386): objects merge, null removes, everything else replaces."""

from __future__ import annotations

from typing import Any

from pybernetes.api import errors


def apply(tree: Any, patch: Any) -> Any:
    """The patched tree. Raises StatusError 400 where the patch is no object."""
    if not isinstance(patch, dict):
        raise errors.bad_request("Invalid JSON Patch")
    return _merged(tree, patch)


def _merged(tree: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return patch
    result = dict(tree) if isinstance(tree, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = _merged(result.get(key), value)
    return result


def diff(old: Any, new: Any) -> Any:
    """The smallest patch that makes `new` of `old`. A null inside `new` cannot be expressed and is taken for absent."""
    if not isinstance(old, dict) or not isinstance(new, dict):
        return new
    patch: dict[str, Any] = {key: None for key in old if key not in new}
    for key, value in new.items():
        if key not in old:
            patch[key] = value
        elif isinstance(value, dict) and isinstance(old[key], dict):
            if inner := diff(old[key], value):
                patch[key] = inner
        elif type(value) is not type(old[key]) or value != old[key]:
            patch[key] = value
    return patch
