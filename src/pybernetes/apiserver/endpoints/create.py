"""POST to a collection."""

from __future__ import annotations

import functools
from typing import Any

from pybernetes.api import errors, times
from pybernetes.apiserver import request as requests
from pybernetes.apiserver import results
from pybernetes.apiserver.admission import plugin
from pybernetes.apiserver.endpoints import bodies, managed, metadata, options
from pybernetes.apiserver.endpoints import scope as scopes
from pybernetes.apiserver.resources import kind as kinds
from pybernetes.apiserver.resources import metadata as object_metadata
from pybernetes.apiserver.storage import collection as collections

GENERATE_ATTEMPTS = 8


async def create(scope: scopes.Scope, request: requests.Request) -> results.Result:
    """Answers 201 with the object as stored. Raises StatusError."""
    options.check(request, "CreateOptions")
    obj = bodies.decode(request, scope.kind.resource)
    metadata.note_written(request, obj)
    return await create_object(scope, request, obj, request.attributes.namespace)


async def create_object(
    scope: scopes.Scope, request: requests.Request, obj: Any, namespace: str, *, applied: bool = False
) -> results.Stored | results.Made:
    """Create a decoded object, one's own to change; with `applied`, its managed fields are already right."""
    resource = scope.kind.resource
    dry_run = options.is_dry_run(request)
    metadata.check_namespace(scope, obj, namespace)
    generated = not obj.metadata.name and bool(obj.metadata.generateName)
    metadata.fill_new(scope, obj, namespace)
    attributes = plugin.Attributes(
        operation=plugin.CREATE,
        kind=scope.kind,
        namespace=namespace,
        name=obj.metadata.name,
        user=request.user,
        obj=obj,
        dry_run=dry_run,
        options=functools.partial(options.tree, request, "PatchOptions" if applied else "CreateOptions"),
        warnings=request.warnings,
        annotations=request.annotations,
        kept=request.keep,
    )
    _default(scope, obj)
    if not applied:
        # First of all: what strategies and plugins add is nobody's, so that no client comes to own it.
        managed.created(scope, request, obj)
    _prepare(scope, request, obj)
    books = obj.metadata.managedFields
    await scope.admission.admit(attributes)
    if attributes.again:
        # Webhooks and policies may say no more than clients may.
        obj = attributes.obj
        managed.check_admitted(request, obj, books)
        metadata.check_namespace(scope, obj, namespace)
        _default(scope, obj)
        _prepare(scope, request, obj)
    scope.kind.default(obj)
    if scope.guard is not None:
        await scope.guard(request, obj, None)
    reservation = await scope.reserve(obj, None, dry_run) if scope.reserve is not None else None
    try:
        problems = object_metadata.validate_create(obj.metadata, resource, scope.kind.check_name)
        problems += scope.kind.validate(obj)
        if problems:
            raise scope.invalid(obj.metadata.name, problems)
        request.warnings.extend(scope.kind.warnings(obj))
        await scope.admission.validate(attributes)
        if dry_run:
            existing = scope.collection.get(namespace, obj.metadata.name)
            if existing is not None:
                raise errors.already_exists(resource.group, resource.name, obj.metadata.name)
            if reservation is not None:
                await reservation.give_back()
            return results.Made(obj, 201, scope.kind)
        if obj.metadata.resourceVersion:
            # Refused only where it would be stored, so that admission says first what it has against the object.
            raise errors.bad_request("resourceVersion should not be set on objects to be created")
        item = await _store(scope, obj, namespace, generated=generated)
    except BaseException:
        if reservation is not None:
            await reservation.give_back()
        raise
    if reservation is not None:
        await reservation.keep()
    return results.Stored(scope.kind, item, 201)


def _default(scope: scopes.Scope, obj: Any) -> None:
    if scope.kind.has_status and not scope.kind.takes_status:
        obj.status = type(obj)().status
    scope.kind.default(obj)


def _prepare(scope: scopes.Scope, request: requests.Request, obj: Any) -> None:
    scope.kind.prepare_create(obj)
    if scope.kind.stamp is not None:
        scope.kind.stamp(obj, None, "", kinds.Writing(request.user, times.to_time(scope.clock.time())))


async def _store(scope: scopes.Scope, obj: Any, namespace: str, *, generated: bool) -> Any:
    resource = scope.kind.resource
    for _ in range(GENERATE_ATTEMPTS):
        try:
            return await scope.collection.create(namespace, obj.metadata.name, obj)
        except collections.Exists:
            if not generated:
                break
            base = obj.metadata.generateName[: metadata.MAX_GENERATED_BASE]
            obj.metadata.name = base + scope.chance.suffix(5)
    raise errors.already_exists(resource.group, resource.name, obj.metadata.name)
