"""Fields that a type does not have: for `fieldValidation`."""

from __future__ import annotations

from typing import Any

from pybernetes.api import codecs


def unknown_fields(kind: Any, tree: Any, path: str = "") -> list[str]:
    """Paths of unknown fields, in document order: `spec.containers[0].imagePolicy`."""
    holder, held = codecs.element_type(kind)
    found: list[str] = []
    if holder is list and isinstance(tree, list):
        for index, item in enumerate(tree):
            found += unknown_fields(held, item, f"{path}[{index}]")
    elif holder is dict and isinstance(tree, dict):
        if codecs.is_struct(held):
            for key, value in tree.items():
                found += unknown_fields(held, value, f"{path}.{key}")
    elif codecs.is_struct(holder) and isinstance(tree, dict):
        known = codecs.field_types(holder)
        for key, value in tree.items():
            step = f"{path}.{key}" if path else key
            if key not in known:
                found.append(step)
            else:
                found += unknown_fields(known[key], value, step)
    return found
