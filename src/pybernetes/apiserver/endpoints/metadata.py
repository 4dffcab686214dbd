"""The part of metadata that the server writes: identity at creation, what carries over at an update."""

from __future__ import annotations

from typing import Any

import msgspec

from pybernetes.api import codecs, custom, errors, times
from pybernetes.apiserver import request as requests
from pybernetes.apiserver.endpoints import scope as scopes
from pybernetes.apiserver.resources import checks

MAX_GENERATED_BASE = 58


def note_written(request: requests.Request, obj: Any) -> None:
    """What has just been read from the body is what the audit tells of it."""
    meta = obj.metadata
    request.written = requests.Written(meta.namespace, meta.name, meta.uid, meta.resourceVersion)


def fill_new(scope: scopes.Scope, obj: Any, namespace: str) -> None:
    """Identity of an object about to be created; what a client says of it is not believed."""
    meta = obj.metadata
    meta.uid = scope.chance.uuid()
    meta.creationTimestamp = times.to_time(scope.clock.time())
    meta.deletionTimestamp = None
    meta.deletionGracePeriodSeconds = None
    meta.selfLink = ""
    meta.generation = 1 if scope.kind.spec_of is not None else 0
    if scope.kind.resource.namespaced:
        meta.namespace = namespace
    if meta.generateName and not meta.name:
        meta.name = meta.generateName[:MAX_GENERATED_BASE] + scope.chance.suffix(5)


def check_namespace(scope: scopes.Scope, obj: Any, namespace: str) -> None:
    """The object's namespace, where it names one, is the URL's."""
    stated = obj.metadata.namespace
    if not scope.kind.resource.namespaced:
        if stated:
            obj.metadata.namespace = ""
        return
    if stated and stated != namespace:
        raise errors.bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
    obj.metadata.namespace = namespace


def carry_over(new: Any, old: Any) -> None:
    """What an update can not change silently comes from the stored object."""
    meta, was = new.metadata, old.metadata
    meta.creationTimestamp = was.creationTimestamp
    meta.deletionTimestamp = was.deletionTimestamp
    meta.deletionGracePeriodSeconds = was.deletionGracePeriodSeconds
    meta.generation = was.generation
    meta.selfLink = ""
    meta.generateName = was.generateName
    if not meta.uid:
        meta.uid = was.uid


def check_preconditions(scope: scopes.Scope, new: Any, old: Any, name: str) -> None:
    """The writer's uid and resourceVersion, where stated, are the stored ones."""
    resource = scope.kind.resource
    uid, revision = new.metadata.uid, new.metadata.resourceVersion
    if uid and uid != old.metadata.uid:
        why = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {old.metadata.uid}"
        raise errors.conflict(resource.group, resource.name, name, why)
    if revision and revision != old.metadata.resourceVersion:
        raise scope.modified(name)


def bump_generation(scope: scopes.Scope, new: Any, old: Any) -> None:
    spec_of = scope.kind.spec_of
    if spec_of is not None and not checks.same(spec_of(new), spec_of(old)):
        new.metadata.generation = old.metadata.generation + 1


def carry_fields(new: Any, old: Any, *, keep: tuple[str, ...]) -> None:
    """Every top-level field but those kept comes from the old object: for writes of one subresource."""
    if isinstance(new, custom.Object):
        new.carry(old, keep=keep)
        return
    for name in new.__struct_fields__:
        if name not in keep:
            setattr(new, name, getattr(old, name))


def same(left: Any, right: Any) -> bool:
    """Equal as stored."""
    if isinstance(left, custom.Object):
        return codecs.encode(left) == codecs.encode(right)
    return all(map(checks.same, msgspec.structs.astuple(left), msgspec.structs.astuple(right)))
