"""The books of `metadata.managedFields`: who wrote which fields, when, and through which subresource.

Every write goes through `created` or `updated`; `server_side` keeps the same books for appliers.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec

from pybernetes.api import codecs
from pybernetes.api.apply import fieldset, walk
from pybernetes.api.types import meta_v1

MAX_UPDATERS = 10
_ANCIENT = "ancient-changes"

Entry = dict[str, Any]


class Manager(NamedTuple):
    """Who owns fields. For appliers the version is no part of who they are."""

    name: str
    operation: str
    version: str
    subresource: str

    @property
    def identity(self) -> tuple[str, str, str, str]:
        return (self.name, self.operation, "" if self.operation == "Apply" else self.version, self.subresource)

    def __str__(self) -> str:
        """As conflicts name it: `"kubectl" using apps/v1`."""
        text = f'"{self.name}"'
        if self.subresource:
            text += f' with subresource "{self.subresource}"'
        return f"{text} using {self.version}" if self.operation == "Update" else text


class Owned(NamedTuple):
    """What one manager owns since when."""

    manager: Manager
    fields: fieldset.Set
    time: str | None


Books = dict[tuple[str, str, str, str], Owned]


def read(entries: Iterable[Any] | None) -> Books:
    """The books behind a list of entries, as objects carry them or as trees. Raises ValueError for what is none."""
    books: Books = {}
    for index, entry in enumerate(entries or ()):
        name, operation, version, kind, fields, time, subresource = _members(entry)
        if operation not in ("Apply", "Update"):
            raise ValueError("operation must be `Apply` or `Update`")
        if not version:
            raise ValueError("apiVersion must not be empty")
        if not kind:
            raise ValueError(f"missing fieldsType in managed fields entry {index}")
        if kind != "FieldsV1":
            raise ValueError(f'invalid fieldsType "{kind}" in managed fields entry {index}')
        manager = Manager(name or "", operation, version, subresource or "")
        books[manager.identity] = Owned(manager, fields or {}, time)
    return books


_MEMBERS = ("manager", "operation", "apiVersion", "fieldsType", "fieldsV1", "time", "subresource")


def _members(entry: Any) -> tuple[Any, ...]:
    """In that order. Raises ValueError for fields that are no JSON."""
    if isinstance(entry, dict):
        return tuple(map(entry.get, _MEMBERS))
    return (
        entry.manager,
        entry.operation,
        entry.apiVersion,
        entry.fieldsType,
        _fields(bytes(entry.fieldsV1)),
        entry.time,
        entry.subresource,
    )


@functools.lru_cache(maxsize=1024)
def _fields(raw: bytes) -> Any:
    """Objects come in series, and are written again and again by the same managers. Raises ValueError."""
    return codecs.decode_tree(raw) if raw else None


def write(books: Books) -> list[Entry]:
    """The entries, appliers first, then by time and name."""
    ordered = sorted(books.values(), key=lambda o: (o.manager.operation, o.time or "", *o.manager))
    return [_entry(owned) for owned in ordered]


def _entry(owned: Owned) -> Entry:
    manager = owned.manager
    entry: Entry = {
        "manager": manager.name,
        "operation": manager.operation,
        "apiVersion": manager.version,
        "fieldsType": "FieldsV1",
        "fieldsV1": owned.fields,
    }
    if owned.time is not None:
        entry["time"] = owned.time
    if manager.subresource:
        entry["subresource"] = manager.subresource
    return entry


def _updater(manager: str, version: str, subresource: str) -> Manager:
    return Manager(manager or "unknown", "Update", version, subresource)


def created(obj: Any, kind: Any, *, manager: str, api_version: str, time: str, subresource: str = "") -> list[Entry]:
    """The entries of a new object (or tree): its creator owns what it wrote beyond the type's empty skeleton."""
    fields = without_metadata_itself(walk.added(obj, kind))
    if not fields:
        return []
    return [_entry(Owned(_updater(manager, api_version, subresource), fields, time))]


def updated(
    old: Any,
    new: Any,
    kind: Any,
    *,
    manager: str,
    api_version: str,
    time: str,
    subresource: str = "",
) -> list[Entry]:
    """The entries after a write that made `new` of `old` (objects, or trees): changed fields move to the writer,
    removed ones to nobody.

    The entries that `new` carries count as the ones before the write, so that a client can give fields away; without
    any, and for subresources, those of `old` do. An object that has none starts none, as nobody knows its past.
    """
    try:
        books = _books(old, new, subresource)
    except ValueError:
        books = {}
    if not books:
        return []
    changed, removed = walk.changes(old, new, kind)
    changed, removed = without_metadata_itself(changed), without_metadata_itself(removed)
    if not changed and not removed:
        return write(books)
    writer = _updater(manager, api_version, subresource)
    identity = writer.identity
    mine = books.get(identity, Owned(writer, {}, time))
    if not removed and _is_his(changed, mine, books):
        books[identity] = mine._replace(time=time)
        return write(books)
    books.pop(identity, None)
    books = moved(books, changed, removed)
    fields = fieldset.union(fieldset.difference(mine.fields, removed), fieldset.ordered(changed))
    if fields:
        books[identity] = Owned(writer, fields, time if changed else mine.time)
    return write(capped(books))


def _is_his(changed: fieldset.Set, mine: Owned, books: Books) -> bool:
    """Whether the writer alone owns all of it already, so that nothing changes hands: most writes are such."""
    return fieldset.covers(mine.fields, changed) and not any(
        fieldset.meets(owned.fields, changed) for owned in books.values() if owned is not mine
    )


def _books(old: Any, new: Any, subresource: str) -> Books:
    """The books before the write. Raises ValueError."""
    before, carried = _carried(old), _carried(new)
    if subresource or not carried or carried == before:
        return read(before)
    try:
        given = check(carried) if len(carried) > 1 or any(_members(carried[0])) else {}
    except ValueError:
        return read(before)
    return {who: owned._replace(fields=fieldset.ordered(owned.fields)) for who, owned in given.items()}


def _carried(obj: Any) -> list[Any]:
    """The entries of an object or a tree, as they are there."""
    if isinstance(obj, dict):
        return obj.get("metadata", {}).get("managedFields") or []
    found: list[Any] = obj.metadata.managedFields
    return found


def typed(entries: Iterable[Entry]) -> list[meta_v1.ManagedFieldsEntry]:
    """The entries as an object carries them."""
    return [
        meta_v1.ManagedFieldsEntry(**{**entry, "fieldsV1": msgspec.Raw(codecs.encode(entry["fieldsV1"]))})
        for entry in entries
    ]


def check(entries: list[Any] | None) -> Books:
    """As `read`, looking into the fields, too. Raises ValueError."""
    books = read(entries)
    for owned in books.values():
        fieldset.check(owned.fields)
    return books


def moved(books: Books, changed: fieldset.Set, removed: fieldset.Set, *, keep: Iterable[Any] = ()) -> Books:
    """The books after changed and removed fields have left all managers but those to keep."""
    gone = fieldset.union(changed, removed)
    kept = set(keep)
    result: Books = {}
    for identity, owned in books.items():
        fields = owned.fields if identity in kept else fieldset.difference(owned.fields, gone)
        if fields:
            result[identity] = owned if fields is owned.fields else owned._replace(fields=fields)
    return result


def without_metadata_itself(fields: fieldset.Set) -> fieldset.Set:
    """`metadata` as such belongs to nobody, only what is in it."""
    meta = fields.get("f:metadata")
    if meta is None or not fieldset.is_member(meta):
        return fields
    inner = {step: node for step, node in meta.items() if step != "."}
    rest = {step: node for step, node in fields.items() if step != "f:metadata"}
    return {"f:metadata": inner, **rest} if inner else rest


def capped(books: Books) -> Books:
    """At most `MAX_UPDATERS` updaters: the oldest of each version are put together."""
    updaters = [owned for owned in books.values() if owned.manager.operation == "Update"]
    surplus = len(updaters) - MAX_UPDATERS
    if surplus <= 0:
        return books
    updaters.sort(key=lambda owned: (owned.time or "", *owned.manager))
    result = dict(books)
    first: dict[str, Manager] = {}
    for owned in updaters:
        if surplus <= 0:
            break
        version = owned.manager.version
        if version not in first:
            first[version] = owned.manager
            continue
        bucket = Manager(_ANCIENT, "Update", version, "")
        if bucket.identity not in result:
            oldest = result.pop(first[version].identity)
            result[bucket.identity] = oldest._replace(manager=bucket)
        merged = fieldset.union(owned.fields, result[bucket.identity].fields)
        if owned.manager != bucket:
            result.pop(owned.manager.identity)
        result[bucket.identity] = Owned(bucket, merged, owned.time)
        surplus -= 1
    return result
