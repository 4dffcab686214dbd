"""PUT to `namespaces/finalize`: gives up the namespace's spec.finalizers, the last thing that holds it."""

from __future__ import annotations

from typing import Any

from pybernetes.api.types import core_v1
from pybernetes.apiserver import request as requests
from pybernetes.apiserver import results
from pybernetes.apiserver.endpoints import bodies, update
from pybernetes.apiserver.endpoints import scope as scopes
from pybernetes.apiserver.storage import item as items


async def finalize(scope: scopes.Scope, request: requests.Request) -> results.Result:
    """Only spec.finalizers is taken from the body."""
    wanted: core_v1.Namespace = bodies.decode(request, scope.kind.resource)

    def transform(item: items.Item) -> Any:
        namespace: core_v1.Namespace = item.fresh(core_v1.Namespace)
        namespace.spec.finalizers = wanted.spec.finalizers
        namespace.metadata.resourceVersion = wanted.metadata.resourceVersion
        return namespace

    return await update.write(scope, request, transform, "finalize")
