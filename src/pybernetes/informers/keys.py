"""How work items and caches name an object: `namespace/name`, or just `name` where there is no namespace."""

from __future__ import annotations

from typing import Any


def key_of(obj: Any) -> str:
    """The key of an object, a typed one or a tree."""
    if isinstance(obj, dict):
        meta = obj["metadata"]
        namespace, name = meta.get("namespace", ""), meta["name"]
    else:
        namespace, name = obj.metadata.namespace, obj.metadata.name
    return f"{namespace}/{name}" if namespace else str(name)


def join_key(namespace: str, name: str) -> str:
    return f"{namespace}/{name}" if namespace else name


def split_key(key: str) -> tuple[str, str]:
    """A key as (namespace, name)."""
    namespace, _, name = key.rpartition("/")
    return namespace, name
