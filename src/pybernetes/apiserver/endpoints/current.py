"""Requests where others write to the store, too: the cache may be behind what clients have seen elsewhere.

A read that names no resourceVersion must see every write that has returned to anybody: it waits for that. A write
computed from what is in the cache is safe, because the store compares revisions; but when it is refused for what it
found there (not found, conflict, a quota), it is computed once more from a cache that has caught up, as upstream does.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from pybernetes.api import errors
from pybernetes.apiserver import request as requests
from pybernetes.apiserver import results
from pybernetes.apiserver.endpoints import scope as scopes

Endpoint = Callable[[scopes.Scope, requests.Request], Awaitable[results.Result]]

READS = ("get", "list", "watch", "deletecollection")
# Refusals that another state of the cluster may turn. That a name is taken, the store itself has said.
DOUBTFUL = (403, 404, 409, 422)


async def call(endpoint: Endpoint, scope: scopes.Scope, request: requests.Request) -> results.Result:
    """The endpoint's answer, from a cache that is current enough for the request."""
    if request.attributes.verb in READS:
        query = request.query if request.raw_query else {}
        if not query.get("resourceVersion") or query.get("continue"):
            await scope.collection.current()
        return await endpoint(scope, request)
    before = scope.collection.revision
    warnings = len(request.warnings)
    try:
        return await endpoint(scope, request)
    except errors.StatusError as error:
        if error.code not in DOUBTFUL or error.reason == "AlreadyExists":
            raise
        await scope.collection.current()
        if scope.collection.revision == before:
            raise
    del request.warnings[warnings:]
    return await endpoint(scope, request)
