"""Request -> endpoint: the verbs every resource has, and the visible table of subresources."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Mapping

from pybernetes.api import errors
from pybernetes.apiserver import request as requests
from pybernetes.apiserver import results
from pybernetes.apiserver.endpoints import (
    binding,
    components,
    connect,
    create,
    current,
    delete,
    eviction,
    finalize,
    get,
    lists,
    patch,
    proxy,
    reviews,
    scale,
    token,
    update,
    watch,
)
from pybernetes.apiserver.endpoints import scope as scopes_

Endpoint = Callable[[scopes_.Scope, requests.Request], Awaitable[results.Result]]
# What of a request decides which endpoint answers it: names and namespaces only by whether there are any.
Shape = tuple[str, str, str, str, str, bool, bool]
Custom = Callable[[requests.Request], Awaitable[scopes_.Scope | None]]

VERBS: dict[str, Endpoint] = {
    "create": create.create,
    "get": get.get,
    "list": lists.list_,
    "watch": watch.watch,
    "update": update.update,
    "patch": patch.patch,
    "delete": delete.delete,
    "deletecollection": delete.delete_collection,
}
NAMED = ("update", "patch")
# OPTIONS has no verb of its own.
PROXIED = ("get", "create", "update", "patch", "delete", "")
PART: dict[str, Endpoint] = {"get": get.get, "update": update.update, "patch": patch.patch}
SCALE: dict[str, Endpoint] = {"get": scale.get, "update": scale.put, "patch": scale.patch_}


class Router:
    """`scopes` are the served resources by group, version and name; `custom` finds those that come and go.

    `shared`: others write to the store, too.
    """

    def __init__(
        self,
        scopes: Mapping[tuple[str, str, str], scopes_.Scope],
        *,
        connections: connect.Connect,
        proxies: proxy.Proxies,
        evictions: eviction.Evictions,
        tokens: token.Tokens,
        asked: reviews.Reviews,
        parts: components.Components,
        custom: Custom,
        shared: bool = False,
    ) -> None:
        self._scopes = scopes
        self._custom = custom
        self._known: dict[Shape, tuple[Endpoint, scopes_.Scope]] = {}
        self._shared = shared
        self._reviews = asked.handlers()
        self._components: dict[str, Endpoint] = {"get": parts.get, "list": parts.list_}
        self._subresources: dict[tuple[str, str], dict[str, Endpoint]] = {
            ("namespaces", "finalize"): {"update": finalize.finalize},
            ("nodes", "proxy"): dict.fromkeys(PROXIED, proxies.node),
            ("pods", "attach"): {"get": connections.attach, "create": connections.attach},
            ("pods", "binding"): {"create": binding.bind},
            ("pods", "eviction"): {"create": evictions.evict},
            ("pods", "exec"): {"get": connections.exec, "create": connections.exec},
            ("pods", "log"): {"get": connections.log},
            ("pods", "portforward"): {"get": connections.portforward, "create": connections.portforward},
            ("pods", "proxy"): dict.fromkeys(PROXIED, proxies.pod),
            ("serviceaccounts", "token"): {"create": tokens.create},
            ("services", "proxy"): dict.fromkeys(PROXIED, proxies.service),
        }

    def __call__(self, request: requests.Request) -> Awaitable[results.Result]:
        at = request.attributes
        shape = (at.group, at.version, at.resource, at.subresource, at.verb, at.namespace != "", at.name != "")
        known = self._known.get(shape)
        if known is None or at.rest:
            return self._find(request, shape)
        endpoint, scope = known
        return endpoint(scope, request)

    async def _find(self, request: requests.Request, shape: Shape) -> results.Result:
        at = request.attributes
        scope = self._scopes.get((at.group, at.version, at.resource)) or await self._custom(request)
        if scope is None or (at.rest and not requests.passes_through(request.method, request.path)):
            raise errors.path_not_found()
        if at.verb == "proxy":
            # The way that was before the subresource.
            raise errors.path_not_found()
        resource = scope.kind.resource
        if at.namespace and not resource.namespaced:
            if resource.name != "namespaces":
                raise errors.path_not_found()
            # A namespace counts as being in itself for authorization, but not for where it is stored.
            request.attributes = at._replace(namespace="")
        if resource.namespaced and not at.namespace and at.verb not in ("list", "watch") and not self._is_open(scope):
            raise errors.path_not_found() if at.name else errors.method_not_allowed()
        endpoint = self._endpoints(scope, at.subresource).get(at.verb)
        # Objects are created in a collection, and changed by name.
        misplaced = bool(at.name) if at.verb == "create" and not at.subresource else at.verb in NAMED and not at.name
        if endpoint is None or misplaced:
            raise errors.method_not_allowed()
        if self._shared:
            endpoint = functools.partial(current.call, endpoint)
        if request.attributes is at and (at.group, at.version, at.resource) in self._scopes:
            # Custom resources come and go; the others are asked for in few ways.
            self._known[shape] = (endpoint, scope)
        return await endpoint(scope, request)

    def _is_open(self, scope: scopes_.Scope) -> bool:
        """Reviews in all namespaces; those of one namespace check it themselves."""
        return scope.kind.resource.name in self._reviews

    def _endpoints(self, scope: scopes_.Scope, subresource: str) -> Mapping[str, Endpoint]:
        resource = scope.kind.resource
        if not subresource and resource.carrier is not None:
            # What discovery tells of a resource that is going is less than what it can still be asked.
            return VERBS
        if not subresource:
            if resource.name in self._reviews:
                return {"create": self._reviews[resource.name]}
            if resource.group_resource == "componentstatuses":
                return self._components
            if resource.group_resource == "bindings":
                return {"create": self._bind}
            return {verb: VERBS[verb] for verb in resource.verbs} if len(resource.verbs) < len(VERBS) else VERBS
        found = self._subresources.get((resource.group_resource, subresource))
        if found is not None:
            return found
        if subresource in scope.kind.parts or (subresource == "status" and scope.kind.has_status):
            return PART
        if subresource == "scale" and scope.kind.scale is not None:
            return SCALE
        raise errors.path_not_found()

    async def _bind(self, scope: scopes_.Scope, request: requests.Request) -> results.Result:
        """`bindings` is the old way to `pods/binding`."""
        return await binding.bind(self._scopes["", "v1", "pods"], request)
