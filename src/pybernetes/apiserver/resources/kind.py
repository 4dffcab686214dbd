"""What a file under `resources/<group>/` says about its kind: all in which kinds differ, as data and pure functions.

Endpoints (one verb per file) ask a `Kind` and know nothing of Pods or Services. Upstream calls this the strategy.
All functions work in place on fresh objects; none does I/O. What a kind leaves out is the generic behaviour below.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, TypeVar

from pybernetes.api import fields, names, scheme

T = TypeVar("T")
Cell = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Column:
    """A column of `kubectl get`; priority 1 shows with `-o wide` only. `format="name"` marks the object's name."""

    name: str
    type: str = "string"
    format: str = ""
    description: str = ""
    priority: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How a kind maps to autoscaling/v1 Scale. Custom objects need not have `replicas`, which stand at `path`."""

    replicas: Callable[[Any], int | None]
    set_replicas: Callable[[Any, int], None]
    status_replicas: Callable[[Any], int]
    selector: Callable[[Any], str]
    path: str = ".spec.replicas"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StoredAs:
    """For a kind that is another view of a resource's objects: how they convert, and what its field labels become.

    `base` is the kind that is stored: another resource (events.k8s.io events are core events), or the same in its
    storage version (autoscaling/v2), which need not be served.
    """

    base: Kind[Any]
    to_stored: Callable[[Any], Any]
    from_stored: Callable[[Any], Any]
    labels: Mapping[str, str]


class Writing(NamedTuple):
    """Who writes, and when (RFC 3339)."""

    user: Any
    time: str


def _nothing(*_: Any) -> None:
    return None


def _no_errors(*_: Any) -> list[fields.FieldError]:
    return []


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Part:
    """A part of an object that is written through a subresource of its own (approval, resize).

    `prepare(new, old)` takes all but that part from the old object, `validate(new, old)` checks what came of it.
    """

    prepare: Callable[[Any, Any], None]
    validate: Callable[[Any, Any], list[fields.FieldError]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Kind(Generic[T]):
    """One served resource.

    - `default(obj)`: upstream's SetDefaults, run on what a client sends, and on what is read from an older store.
    - `prepare_create(obj)`, `prepare_update(new, old)`: drop or carry over what the writer may not set. `status` is
      cleared on create and kept from the old object on update by the endpoints, where `has_status`; a kind that
      `takes_status` can be created with one (nodes, which register themselves).
    - `prepare_status(new, old)`: for a write of the status subresource; the endpoints have already carried spec,
      metadata labels excepted, from the old object.
    - `validate(obj)`, `validate_update(new, old)`, `validate_status(new, old)`: field errors with upstream's words.
      Object metadata (name, namespace, labels, annotations, owner references, immutability) is checked by the
      endpoints with `check_name`; `validate_update` need not call `validate`: the endpoints call both.
      A kind that `ratchets` is not asked to `validate` an update: its `validate_update` knows what may stay wrong.
    - `prepare_delete(obj, time)`: what a first request to delete leaves on the object, as finalizers.
    - `stamp(new, old, subresource, writing)`: what the object records of its writer and of the time; after the
      preparation for a write, with `old` None on create.
    - `parts`: the subresources that are read and written like the object, beside `status` and `scale`.
    - `allow_unconditional_update`: whether a PUT may leave out the resourceVersion.
    - `spec_of(obj)`: what bumps `metadata.generation` when it changes; None: the kind has no generation.
    - `row(obj, now)`: the cells of `columns`, from epoch seconds `now`.
    - `selectable(obj)`: values of the field labels listed in `field_labels`, beside metadata.name and .namespace.
    - `warnings(obj)`: texts for `Warning` headers on create and update.
    - `schema`: for custom kinds, the openAPIV3Schema of their version as a tree, `{}` where it has none.
    - `stored_version`: for custom kinds, the version that they are stored in, empty where it is not served.
    """

    resource: scheme.Resource
    default: Callable[[T], None] = _nothing
    prepare_create: Callable[[T], None] = _nothing
    prepare_update: Callable[[T, T], None] = _nothing
    prepare_status: Callable[[T, T], None] = _nothing
    validate: Callable[[T], list[fields.FieldError]] = _no_errors
    validate_update: Callable[[T, T], list[fields.FieldError]] = _no_errors
    validate_status: Callable[[T, T], list[fields.FieldError]] = _no_errors
    ratchets: bool = False
    prepare_delete: Callable[[T, str], None] = _nothing
    stamp: Callable[[T, T | None, str, Writing], None] | None = None
    parts: Mapping[str, Part] = field(default_factory=dict)
    allow_unconditional_update: bool = True
    check_name: Callable[[str], Sequence[str]] = names.dns_subdomain
    has_status: bool = False
    takes_status: bool = False
    spec_of: Callable[[T], Any] | None = None
    create_on_update: bool = False
    columns: Sequence[Column] = field(default=())
    row: Callable[[T, float], Sequence[Cell]] | None = None
    field_labels: Sequence[str] = ()
    selectable: Callable[[T], Mapping[str, str]] | None = None
    warnings: Callable[[T], Sequence[str]] = lambda _: ()
    scale: Scale | None = None
    graceful: bool = False
    stored_as: StoredAs | None = None
    schema: Mapping[str, Any] | None = None
    stored_version: str = ""


NAME = Column("Name", format="name")
AGE = Column("Age")


def resource(group: str, version: str, name: str) -> scheme.Resource:
    """The built-in resource of that name. Raises KeyError."""
    found = scheme.by_name(group, version, name)
    if found is None:
        raise KeyError(f"{group}/{version}/{name}")
    return found
