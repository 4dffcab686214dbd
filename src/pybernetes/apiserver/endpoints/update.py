"""PUT of an object or of one of its subresources, and the write that patches share with it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

from pybernetes.api import errors, fields, times
from pybernetes.apiserver import request as requests
from pybernetes.apiserver import results
from pybernetes.apiserver.admission import plugin
from pybernetes.apiserver.authz import authorizer as authorizers
from pybernetes.apiserver.endpoints import bodies, create, managed, metadata, options
from pybernetes.apiserver.endpoints import scope as scopes
from pybernetes.apiserver.resources import kind as kinds
from pybernetes.apiserver.resources import metadata as object_metadata
from pybernetes.apiserver.storage import collection as collections
from pybernetes.apiserver.storage import item as items

# How often a write that names no resourceVersion is computed anew when others write in between.
ATTEMPTS = 30
OPTIONS = {"PUT": "UpdateOptions", "PATCH": "PatchOptions"}

# The members that a write of the status may change.
OF_STATUS = ("apiVersion", "kind", "metadata", "status")

# From the stored item, makes the new object.
Transform = Callable[[items.Item], Any]


class View(NamedTuple):
    """What admission sees of a subresource that is not the object itself: `shown` of the object, which a plugin may
    have changed when it is `taken` back into it."""

    shown: Callable[[Any], Any]
    taken: Callable[[Any, Any], None]


async def update(scope: scopes.Scope, request: requests.Request) -> results.Result:
    """Replace the object by the body."""
    attributes = request.attributes
    options.check(request, "UpdateOptions")
    obj = _body(scope, request)
    if scope.collection.get(attributes.namespace, attributes.name) is None:
        if scope.kind.create_on_update and not attributes.subresource and not obj.metadata.resourceVersion:
            await authorizers.require(scope.authorizer, request.user, attributes._replace(verb="create"))
            return await create.create_object(scope, request, obj, attributes.namespace)
        raise scope.not_found(attributes.name)
    # An attempt changes what it is given, so each has its own; there is seldom more than one.
    first = [obj]

    def transform(item: items.Item) -> Any:
        return first.pop() if first else _body(scope, request)

    return await write(scope, request, transform, attributes.subresource)


def _body(scope: scopes.Scope, request: requests.Request) -> Any:
    attributes = request.attributes
    obj = bodies.decode(request, scope.kind.resource)
    metadata.note_written(request, obj)
    metadata.check_namespace(scope, obj, attributes.namespace)
    if obj.metadata.name and obj.metadata.name != attributes.name:
        raise errors.bad_request(
            f"the name of the object ({obj.metadata.name}) does not match the name on the URL ({attributes.name})"
        )
    obj.metadata.name = attributes.name
    return obj


async def write(
    scope: scopes.Scope,
    request: requests.Request,
    transform: Transform,
    subresource: str = "",
    *,
    applied: bool = False,
    view: View | None = None,
) -> results.Stored | results.Made:
    """Read, transform, check, write; again when another write came in between and the writer did not insist.

    Subresources that change what ordinary updates may not (resize, finalize) check that in their transform.

    With `applied`, the transform is a server-side apply, which has done the managed fields itself.
    """
    namespace, name = request.attributes.namespace, request.attributes.name
    for attempt in range(ATTEMPTS):
        item = scope.find(namespace, name)
        old = item.decoded(scope.kind.resource.type)
        new = transform(item)
        _check_conditional(scope, request, new, subresource)
        insists = bool(new.metadata.resourceVersion) and attempt == 0
        metadata.check_preconditions(scope, new, old, name)
        try:
            return await _write_once(scope, request, item, old, new, subresource, applied=applied, view=view)
        except collections.Modified:
            if insists and request.method == "PUT":
                raise scope.modified(name) from None
    raise scope.modified(name)


def _check_conditional(scope: scopes.Scope, request: requests.Request, new: Any, subresource: str) -> None:
    """Some kinds are replaced only by somebody who says what he has seen."""
    if scope.kind.allow_unconditional_update or request.method != "PUT" or subresource not in ("", "status"):
        return
    if not new.metadata.resourceVersion:
        path = fields.Path("metadata")["resourceVersion"]
        problem = fields.invalid(path, 0, "must be specified for an update")
        raise scope.invalid(request.attributes.name, [problem])


async def _write_once(
    scope: scopes.Scope,
    request: requests.Request,
    item: items.Item,
    old: Any,
    new: Any,
    subresource: str,
    *,
    applied: bool,
    view: View | None,
) -> results.Stored | results.Made:
    dry_run = options.is_dry_run(request)
    kind = scope.kind
    attributes = plugin.Attributes(
        operation=plugin.UPDATE,
        kind=kind,
        namespace=request.attributes.namespace,
        name=request.attributes.name,
        user=request.user,
        subresource=subresource,
        obj=new if view is None else view.shown(new),
        old=old if view is None else view.shown(old),
        dry_run=dry_run,
        options=functools.partial(options.tree, request, OPTIONS.get(request.method, "CreateOptions")),
        warnings=request.warnings,
        annotations=request.annotations,
        kept=request.keep,
    )
    _prepare(scope, request, new, old, subresource)
    if not applied:
        managed.updated(scope, request, new, old, subresource)
    _count(scope, new, old, subresource)
    books = new.metadata.managedFields
    await scope.admission.admit(attributes)
    if view is None:
        new = attributes.obj
    else:
        view.taken(new, attributes.obj)
    if attributes.again:
        # Webhooks and policies may say no more than clients may.
        managed.check_admitted(request, new, books)
        _prepare(scope, request, new, old, subresource)
        _count(scope, new, old, subresource)
    if scope.guard is not None:
        await scope.guard(request, new, old)
    reserving = scope.reserve is not None and not subresource
    reservation = await scope.reserve(new, old, dry_run) if reserving and scope.reserve is not None else None
    try:
        problems = object_metadata.validate_update(new.metadata, old.metadata)
        if subresource == "status":
            problems += kind.validate_status(new, old)
        elif subresource in kind.parts:
            problems += kind.parts[subresource].validate(new, old)
        elif subresource in ("", "scale"):
            problems += kind.validate_update(new, old)
            if not kind.ratchets:
                problems += kind.validate(new)
        if problems:
            raise scope.invalid(attributes.name, problems)
        request.warnings.extend(kind.warnings(new))
        await scope.admission.validate(attributes)
        if dry_run:
            if reservation is not None:
                await reservation.give_back()
            return results.Made(new, 200, kind)
        written = await _store(scope, item, new, old)
    except BaseException:
        if reservation is not None:
            await reservation.give_back()
        raise
    if reservation is not None:
        await reservation.keep()
    return results.Stored(kind, written)


def _prepare(scope: scopes.Scope, request: requests.Request, new: Any, old: Any, subresource: str) -> None:
    metadata.carry_over(new, old)
    _restrict(scope, new, old, subresource)
    if scope.kind.stamp is not None:
        writing = kinds.Writing(request.user, times.to_time(scope.clock.time()))
        scope.kind.stamp(new, old, subresource, writing)


def _count(scope: scopes.Scope, new: Any, old: Any, subresource: str) -> None:
    if subresource != "status":
        # Some kinds count annotations in, which controllers write along with the status.
        metadata.bump_generation(scope, new, old)


def _restrict(scope: scopes.Scope, new: Any, old: Any, subresource: str) -> None:
    """What a write of this kind cannot change, stays."""
    kind = scope.kind
    if subresource == "status":
        metadata.carry_fields(new, old, keep=OF_STATUS)
        kind.default(new)
        kind.prepare_status(new, old)
        return
    if subresource in kind.parts:
        kind.default(new)
        kind.parts[subresource].prepare(new, old)
        return
    if subresource == "finalize":
        # What this subresource is for is what `prepare_update` keeps from changing.
        return
    if kind.has_status and not subresource:
        new.status = old.status
    kind.default(new)
    kind.prepare_update(new, old)


async def _store(scope: scopes.Scope, item: items.Item, new: Any, old: Any) -> items.Item:
    revision = old.metadata.resourceVersion
    new.metadata.resourceVersion = revision
    if metadata.same(new, old) and not scope.collection.is_stale(item):
        # A write that changes nothing is no write: no revision, no event.
        await scope.collection.confirm(item)
        return item
    if ready_to_go(scope, new):
        removed = await scope.collection.remove(item)
        if scope.released is not None:
            await scope.released(new)
        return removed
    return await scope.collection.replace(item, new)


def ready_to_go(scope: scopes.Scope, obj: Any) -> bool:
    """Being deleted, and nothing holds it any more."""
    meta = obj.metadata
    if meta.deletionTimestamp is None or meta.finalizers:
        return False
    if scope.kind.resource.group_resource == "namespaces" and obj.spec.finalizers:
        return False
    return not (scope.kind.graceful and meta.deletionGracePeriodSeconds != 0)
