"""The client that every component uses: typed verbs over a transport.

A target is a type (`core_v1.Pod`) or a `scheme.Resource` (custom resources, `metadata_only()` reads). What reads
return may be shared with others in the process: change a `codecs.copy` of it, never the object itself.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar

from pybernetes.api import scheme
from pybernetes.api.types import meta_v1
from pybernetes.client import transport as transports

T = TypeVar("T")
Target = type[T] | scheme.Resource


def resource_of(target: Any) -> scheme.Resource:
    return target if isinstance(target, scheme.Resource) else scheme.by_type(target)


class Client:
    """Verbs of the API. `manager` is the field manager that writes are recorded under."""

    def __init__(self, transport: transports.Transport, *, manager: str = "pybernetes") -> None:
        self.transport = transport
        self.manager = manager

    async def get(self, target: type[T], name: str, namespace: str = "") -> T:
        """Raises StatusError with reason NotFound."""
        resource = resource_of(target)
        call = transports.Call(method="GET", path=resource.path(namespace, name), resource=resource)
        found: T = await self.transport.send(call)
        return found

    async def list(
        self,
        target: Any,
        namespace: str = "",
        *,
        labels: str = "",
        fields: str = "",
        limit: int = 0,
        continue_token: str = "",
        revision: str | None = None,
    ) -> transports.Listing:
        """All of a resource, or one namespace's; `revision="0"` accepts what the server has cached."""
        resource = resource_of(target)
        query = _selectors(labels, fields)
        if limit:
            query["limit"] = str(limit)
        if continue_token:
            query["continue"] = continue_token
        if revision is not None:
            query["resourceVersion"] = revision
        call = transports.Call(method="GET", path=resource.path(namespace), query=query, resource=resource)
        return await self.transport.list(call)

    def watch(
        self,
        target: Any,
        namespace: str = "",
        *,
        revision: str = "",
        labels: str = "",
        fields: str = "",
        timeout: int = 0,
        initial_events: bool = False,
    ) -> AbstractAsyncContextManager[transports.WatchStream]:
        """Changes after the revision. With `initial_events`, what exists comes first, ended by a bookmark."""
        resource = resource_of(target)
        query = {"watch": "true", "allowWatchBookmarks": "true", **_selectors(labels, fields)}
        if revision:
            query["resourceVersion"] = revision
        if timeout:
            query["timeoutSeconds"] = str(timeout)
        if initial_events:
            query["sendInitialEvents"] = "true"
            query["resourceVersionMatch"] = "NotOlderThan"
        call = transports.Call(method="GET", path=resource.path(namespace), query=query, resource=resource)
        return self.transport.watch(call)

    async def create(self, obj: T, namespace: str | None = None, *, target: Any = None) -> T:
        """Create in the object's own namespace, or the given one."""
        resource = resource_of(target or type(obj))
        where = _namespace(obj) if namespace is None else namespace
        call = transports.Call(
            method="POST", path=resource.path(where), query=self._written_by(), body=obj, resource=resource
        )
        created: T = await self.transport.send(call)
        return created

    async def update(self, obj: T, *, subresource: str = "", target: Any = None) -> T:
        """Replace; the object's resourceVersion, where set, must be the current one (else Conflict)."""
        resource = resource_of(target or type(obj))
        name, namespace = _name(obj), _namespace(obj)
        call = transports.Call(
            method="PUT",
            path=resource.path(namespace, name, subresource),
            query=self._written_by(),
            body=obj,
            resource=resource,
        )
        updated: T = await self.transport.send(call)
        return updated

    async def update_status(self, obj: T) -> T:
        return await self.update(obj, subresource="status")

    async def patch(
        self,
        target: type[T],
        name: str,
        namespace: str,
        patch: Any,
        *,
        kind: str = transports.MERGE_PATCH,
        subresource: str = "",
        force: bool = False,
    ) -> T:
        """Patch by one of the `transport` patch types; `force` is for apply."""
        resource = resource_of(target)
        call = transports.Call(
            method="PATCH",
            path=resource.path(namespace, name, subresource),
            query=self._written_by() | ({"force": "true"} if force else {}),
            body=patch,
            content_type=kind,
            resource=resource,
        )
        patched: T = await self.transport.send(call)
        return patched

    async def delete(
        self,
        target: Any,
        name: str,
        namespace: str = "",
        *,
        grace: int | None = None,
        propagation: str | None = None,
        uid: str | None = None,
        revision: str | None = None,
    ) -> None:
        """Ask for deletion; `uid` and `revision` are preconditions (else Conflict)."""
        resource = resource_of(target)
        preconditions = None
        if uid is not None or revision is not None:
            preconditions = meta_v1.Preconditions(uid=uid, resourceVersion=revision)
        options = meta_v1.DeleteOptions(
            gracePeriodSeconds=grace, propagationPolicy=propagation, preconditions=preconditions
        )
        await self.transport.send(
            transports.Call(method="DELETE", path=resource.path(namespace, name), body=options, returns=dict)
        )

    async def delete_collection(
        self, target: Any, namespace: str = "", *, labels: str = "", fields: str = "", propagation: str | None = None
    ) -> None:
        resource = resource_of(target)
        options = None if propagation is None else meta_v1.DeleteOptions(propagationPolicy=propagation)
        await self.transport.send(
            transports.Call(
                method="DELETE",
                path=resource.path(namespace),
                query=_selectors(labels, fields),
                body=options,
                returns=dict,
            )
        )

    async def post(self, target: Any, name: str, namespace: str, subresource: str, body: T) -> T:
        """POST to a subresource that takes and answers one type: `pods/binding`, `serviceaccounts/token`."""
        resource = resource_of(target)
        call = transports.Call(
            method="POST",
            path=resource.path(namespace, name, subresource),
            query=self._written_by(),
            body=body,
            returns=type(body),
        )
        answered: T = await self.transport.send(call)
        return answered

    async def raw(
        self, path: str, *, method: str = "GET", query: dict[str, str] | None = None, body: Any = None
    ) -> Any:
        """Any path: discovery documents, `/healthz`; the answer as a tree, or text."""
        call = transports.Call(method=method, path=path, query=query or {}, body=body, returns=Any)
        return await self.transport.send(call)

    async def close(self) -> None:
        await self.transport.close()

    def _written_by(self) -> dict[str, str]:
        return {"fieldManager": self.manager}


def _selectors(labels: str, fields: str) -> dict[str, str]:
    query = {}
    if labels:
        query["labelSelector"] = labels
    if fields:
        query["fieldSelector"] = fields
    return query


def _name(obj: Any) -> str:
    return str(obj["metadata"]["name"] if isinstance(obj, dict) else obj.metadata.name)


def _namespace(obj: Any) -> str:
    if isinstance(obj, dict):
        return str(obj.get("metadata", {}).get("namespace", ""))
    return str(obj.metadata.namespace)
