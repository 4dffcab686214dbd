"""Keeps `metadata.managedFields` on every write: the bridge from typed objects to `api.apply`, which works on trees."""

from __future__ import annotations

from typing import Any

from pybernetes.api import apply, codecs, times
from pybernetes.api.types import meta_v1
from pybernetes.apiserver import request as requests
from pybernetes.apiserver.endpoints import options
from pybernetes.apiserver.endpoints import scope as scopes


def created(scope: scopes.Scope, request: requests.Request, obj: Any) -> None:
    """Record the creator of a new object, with its defaults. Of a status that it could not write it owns nothing."""
    resource = scope.kind.resource
    if obj.metadata.managedFields:
        obj.metadata.managedFields = []
    entries = apply.created(
        obj if codecs.is_struct(resource.type) else codecs.to_tree(obj),
        resource.type,
        manager=options.manager_of(request),
        api_version=resource.api_version,
        time=times.to_time(scope.clock.time()),
    )
    if scope.kind.has_status and not scope.kind.takes_status:
        for entry in entries:
            entry["fieldsV1"].pop("f:status", None)
    obj.metadata.managedFields = apply.typed(entry for entry in entries if entry["fieldsV1"])


def check_admitted(request: requests.Request, obj: Any, before: list[meta_v1.ManagedFieldsEntry]) -> None:
    """Webhooks that do not know the field may have spoilt it: then it is as it was before them."""
    after = obj.metadata.managedFields
    if codecs.encode(after) == codecs.encode(before):
        return
    try:
        apply.check(codecs.to_tree(after))
    except ValueError as error:
        obj.metadata.managedFields = before
        request.warnings.append(
            ".metadata.managedFields was in an invalid state after admission; this could be caused by an outdated "
            f"mutating admission controller; please fix your requests: {error}"
        )


def updated(scope: scopes.Scope, request: requests.Request, new: Any, old: Any, subresource: str) -> None:
    """Record who changed what."""
    resource = scope.kind.resource
    typed = codecs.is_struct(resource.type)
    entries = apply.updated(
        old if typed else codecs.to_tree(old),
        new if typed else codecs.to_tree(new),
        resource.type,
        manager=options.manager_of(request),
        api_version=resource.api_version,
        time=times.to_time(scope.clock.time()),
        subresource=subresource,
    )
    new.metadata.managedFields = apply.typed(entries)
