"""GET of one object."""

from __future__ import annotations

from pybernetes.apiserver import request as requests
from pybernetes.apiserver import results
from pybernetes.apiserver.endpoints import revisions
from pybernetes.apiserver.endpoints import scope as scopes


async def get(scope: scopes.Scope, request: requests.Request) -> results.Result:
    """The cache is never behind a write that returned, so any resourceVersion up to now is satisfied.

    Where others write to the store, `current` has seen to that before.
    """
    attributes = request.attributes
    if request.raw_query:
        wanted = revisions.parse(request.query.get("resourceVersion", ""))
        if wanted > scope.collection.revision:
            await revisions.reach(scope.collection, wanted, scope.clock)
    return results.Stored(scope.kind, scope.find(attributes.namespace, attributes.name))
