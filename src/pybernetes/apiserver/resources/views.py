"""Other versions of a kind: the same stored objects, converted, under the rules of the version that is stored."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from pybernetes.api import codecs, scheme
from pybernetes.apiserver.resources import kind

Convert = Callable[[Any], Any]


def alike(
    base: kind.Kind[Any],
    version: str,
    *,
    group: str | None = None,
    default: Callable[[Any], None] | None = None,
) -> kind.Kind[Any]:
    """A version whose objects differ from the stored ones in their apiVersion only.

    `group` is another one than the stored kind's, `default` what this version adds to the stored kind's defaults.
    """
    served = base.resource
    resource = kind.resource(served.group if group is None else group, version, served.name)

    def convert(obj: Any, to: scheme.Resource) -> Any:
        return codecs.from_tree(to.type, codecs.to_tree(obj) | {"apiVersion": to.api_version})

    view = _stored(base, lambda obj: convert(obj, served), lambda obj: convert(obj, resource), {})

    def default_both(obj: Any) -> None:
        if default is not None:
            default(obj)
        base.default(obj)

    # Both forms have the same attributes, so what is written for one works on the other.
    return dataclasses.replace(base, resource=resource, default=default_both, stored_as=view)


def converted(
    base: kind.Kind[Any],
    group: str,
    version: str,
    *,
    to_stored: Convert,
    from_stored: Convert,
    default: Callable[[Any], None] | None = None,
    labels: Mapping[str, str] | None = None,
) -> kind.Kind[Any]:
    """A version in a form of its own. `default` is that version's; without it, the stored version's applies.

    `labels` maps its field labels to the stored kind's where they differ. Rules are asked of the stored form: errors
    name its fields, as upstream's name those of the form that it keeps in memory.
    """

    def through(prepare: Callable[..., None], obj: Any, *others: Any) -> None:
        stored = to_stored(obj)
        prepare(stored, *others)
        _fill(obj, from_stored(stored))

    def prepare_update(new: Any, old: Any) -> None:
        stored, was = to_stored(new), to_stored(old)
        if base.has_status:
            stored.status = was.status
        base.prepare_update(stored, was)
        _fill(new, from_stored(stored))

    view = _stored(base, to_stored, from_stored, labels or {})
    stamp, spec_of, row, selectable = base.stamp, base.spec_of, base.row, base.selectable
    return dataclasses.replace(
        base,
        resource=kind.resource(group, version, base.resource.name),
        default=default if default is not None else lambda obj: through(base.default, obj),
        prepare_create=lambda obj: through(base.prepare_create, obj),
        prepare_update=prepare_update,
        prepare_status=lambda new, old: through(base.prepare_status, new, to_stored(old)),
        stamp=None if stamp is None else _stamped(stamp, to_stored, from_stored),
        validate=lambda obj: base.validate(to_stored(obj)),
        validate_update=lambda new, old: base.validate_update(to_stored(new), to_stored(old)),
        validate_status=lambda new, old: base.validate_status(to_stored(new), to_stored(old)),
        spec_of=None if spec_of is None else lambda obj: spec_of(to_stored(obj)),
        row=None if row is None else lambda obj, now: row(to_stored(obj), now),
        selectable=None if selectable is None else lambda obj: selectable(to_stored(obj)),
        warnings=lambda obj: base.warnings(to_stored(obj)),
        stored_as=view,
    )


def _stamped(stamp: Callable[..., None], to_stored: Convert, from_stored: Convert) -> Callable[..., None]:
    def stamp_view(new: Any, old: Any, subresource: str, writing: kind.Writing) -> None:
        stored = to_stored(new)
        stamp(stored, None if old is None else to_stored(old), subresource, writing)
        _fill(new, from_stored(stored))

    return stamp_view


def _fill(obj: Any, made: Any) -> None:
    for name in obj.__struct_fields__:
        setattr(obj, name, getattr(made, name))


def _stored(base: kind.Kind[Any], to_stored: Convert, from_stored: Convert, labels: Mapping[str, str]) -> kind.StoredAs:
    return kind.StoredAs(
        base=base,
        to_stored=to_stored,
        from_stored=from_stored,
        labels=labels,
    )
