"""Server-side apply: an applier states the fields it cares for, and owns exactly those.

What it stated before and states no longer goes, unless somebody else owns it; what another manager owns with another
value is a conflict, unless forced.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from pybernetes.api import codecs, errors, shape
from pybernetes.api.apply import fieldset, managed, merge, walk
from pybernetes.api.types import meta_v1

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_ANNOTATIONS_LIMIT = 256 * 1024
_BEFORE = "before-first-apply"

Conflict = tuple[managed.Manager, tuple[str, ...]]


def applied(
    live: dict[str, Any] | None,
    config: dict[str, Any],
    kind: Any,
    *,
    manager: str,
    api_version: str,
    time: str,
    force: bool = False,
    subresource: str = "",
    ignore: Collection[str] = (),
) -> dict[str, Any]:
    """The object after an apply, `metadata.managedFields` included; `live` is None where there is none yet.

    `ignore` names top-level fields that this request cannot write (`status`, or all but it for the status
    subresource). An apply that changes nothing returns a tree equal to the live one, times included. Raises
    StatusError: 400 for a configuration that carries managedFields, 409 with a cause per conflict.
    """
    if (config.get("metadata") or {}).get("managedFields") is not None:
        raise errors.bad_request("metadata.managedFields must be nil")
    of = shape.of(kind)
    base = live if live is not None else {**walk.empty(kind), **_identity(config)}
    books = _books(base, kind, api_version, exists=live is not None)
    config = {key: value for key, value in config.items() if key not in ignore}
    applier = managed.Manager(manager or "unknown", "Apply", api_version, subresource)
    stated = fieldset.ordered(managed.without_metadata_itself(walk.field_set(config, kind)))

    result = merge.merged(base, config, of)
    previous = books.get(applier.identity)
    others = [owned for identity, owned in books.items() if identity != applier.identity]
    if previous is not None and previous.fields:
        result = _pruned(result, kind, of, previous.fields, stated, others)

    changed, removed = walk.changes(base, result, kind)
    changed, removed = managed.without_metadata_itself(changed), managed.without_metadata_itself(removed)
    if not force:
        conflicts = _conflicts(others, changed)
        if conflicts and applier.name == "kubectl" and not subresource:
            conflicts = _not_last_applied(conflicts, base, kind)
        if conflicts:
            raise conflict(conflicts)
    after = managed.moved(books, changed, removed, keep=(applier.identity,))
    after.pop(applier.identity, None)
    if stated:
        after[applier.identity] = managed.Owned(applier, stated, time)
    if applier.name == "kubectl" and not subresource:
        _update_last_applied(result, base, config)
    return _with_books(result, base, books, after)


def _identity(config: dict[str, Any]) -> dict[str, Any]:
    return {key: config[key] for key in ("apiVersion", "kind") if key in config}


def _books(base: dict[str, Any], kind: Any, api_version: str, *, exists: bool) -> managed.Books:
    try:
        books = managed.read(base.get("metadata", {}).get("managedFields"))
    except ValueError as error:
        raise errors.internal(f"failed to decode managed fields: {error}") from None
    if not books and exists:
        fields, _ = walk.changes(walk.empty(kind), base, kind)
        if fields := managed.without_metadata_itself(fields):
            past = managed.Manager(_BEFORE, "Update", api_version, "")
            books[past.identity] = managed.Owned(past, fields, None)
    return books


def _pruned(
    result: dict[str, Any],
    kind: Any,
    of: shape.Shape,
    previous: fieldset.Set,
    stated: fieldset.Set,
    others: Iterable[managed.Owned],
) -> dict[str, Any]:
    """Take out what was stated before, is not stated now, and nobody else owns."""
    owned = stated
    for other in others:
        owned = fieldset.union(owned, other.fields)
    present = merge.named_fields(walk.field_set(result, kind), of)
    going = fieldset.intersection(merge.named_fields(previous, of), present)
    going = fieldset.difference(going, merge.named_fields(owned, of))
    # With the last of its metadata that it had stated, an applier does not take the name away.
    pruned: dict[str, Any] = merge.without(result, managed.without_metadata_itself(going), of)
    return pruned


def _conflicts(others: Iterable[managed.Owned], changed: fieldset.Set) -> list[Conflict]:
    return [
        (owned.manager, path)
        for owned in sorted(others, key=lambda o: o.manager)
        for path in fieldset.paths(fieldset.intersection(owned.fields, changed))
    ]


def _not_last_applied(conflicts: list[Conflict], base: dict[str, Any], kind: Any) -> list[Conflict]:
    """kubectl may take over what its client-side apply wrote, which the annotation tells."""
    text = _annotations(base).get(LAST_APPLIED)
    if not text:
        return conflicts
    try:
        last = codecs.decode_tree(text.encode())
    except codecs.DecodeError:
        return conflicts
    if not isinstance(last, dict):
        return conflicts
    mine = walk.field_set(last, kind)
    return [(manager, path) for manager, path in conflicts if not fieldset.has(mine, *path)]


def conflict(conflicts: list[Conflict]) -> errors.StatusError:
    """409 with upstream's wording."""
    causes = [
        meta_v1.StatusCause(
            reason="FieldManagerConflict", message=f"conflict with {manager}", field=fieldset.path_text(path)
        )
        for manager, path in conflicts
    ]
    if len(conflicts) == 1:
        manager, path = conflicts[0]
        message = f"Apply failed with 1 conflict: conflict with {manager}: {fieldset.path_text(path)}"
    else:
        lines: list[str] = []
        for manager in dict.fromkeys(manager for manager, _ in conflicts):
            lines.append(f"conflicts with {manager}:")
            lines += [f"- {fieldset.path_text(path)}" for owner, path in conflicts if owner == manager]
        message = f"Apply failed with {len(conflicts)} conflicts: " + "\n".join(lines)
    return errors.error(409, "Conflict", message, causes=causes)


def _annotations(tree: dict[str, Any]) -> dict[str, str]:
    annotations = (tree.get("metadata") or {}).get("annotations")
    return annotations if isinstance(annotations, dict) else {}


def _update_last_applied(result: dict[str, Any], base: dict[str, Any], config: dict[str, Any]) -> None:
    """Keep the annotation true where there is one, so that client-side apply can be gone back to."""
    if LAST_APPLIED not in _annotations(base):
        return
    meta = dict(config.get("metadata") or {})
    if LAST_APPLIED in (meta.get("annotations") or {}):
        meta["annotations"] = {key: text for key, text in meta["annotations"].items() if key != LAST_APPLIED}
    text = codecs.encode({**config, "metadata": meta}).decode() + "\n"
    annotations = {**_annotations(result), LAST_APPLIED: text}
    if sum(len(key.encode()) + len(value.encode()) for key, value in annotations.items()) > _ANNOTATIONS_LIMIT:
        del annotations[LAST_APPLIED]
    result["metadata"] = {**result["metadata"], "annotations": annotations}


def _with_books(
    result: dict[str, Any], base: dict[str, Any], before: managed.Books, after: managed.Books
) -> dict[str, Any]:
    entries = managed.write(after)
    same_owners = before.keys() == after.keys() and all(
        before[identity].fields == owned.fields and before[identity].manager == owned.manager
        for identity, owned in after.items()
    )
    if same_owners and _unmanaged(result) == _unmanaged(base):
        entries = managed.write(before)
    meta = {**result.get("metadata", {}), "managedFields": entries}
    if not entries:
        del meta["managedFields"]
    return {**result, "metadata": meta}


def _unmanaged(tree: dict[str, Any]) -> dict[str, Any]:
    meta = {key: value for key, value in tree.get("metadata", {}).items() if key != "managedFields"}
    return {**tree, "metadata": meta}
