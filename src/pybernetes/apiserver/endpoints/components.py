"""componentstatuses: how the parts of the control plane are, asked at every read and never stored."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from pybernetes.api import codecs
from pybernetes.api.types import core_v1, meta_v1
from pybernetes.apiserver import request as requests
from pybernetes.apiserver import results
from pybernetes.apiserver.endpoints import scope as scopes
from pybernetes.apiserver.storage import item as items

DEPRECATION = "v1 ComponentStatus is deprecated in v1.19+"


class Condition(NamedTuple):
    healthy: bool
    message: str = ""
    error: str = ""


class Components:
    """`checks` tells by component name; parts may be added while the server runs."""

    def __init__(self, checks: Mapping[str, Callable[[], Condition]]) -> None:
        self._checks = checks

    async def list_(self, scope: scopes.Scope, request: requests.Request) -> results.Result:
        request.warnings.append(DEPRECATION)
        found = [_item(_status(name, check())) for name, check in sorted(self._checks.items(), reverse=True)]
        return results.Listed(scope.kind, found, scope.collection.revision)

    async def get(self, scope: scopes.Scope, request: requests.Request) -> results.Result:
        request.warnings.append(DEPRECATION)
        check = self._checks.get(request.attributes.name)
        if check is None:
            raise scope.not_found(request.attributes.name)
        return results.Made(_status(request.attributes.name, check()), 200, scope.kind)


def _status(name: str, condition: Condition) -> core_v1.ComponentStatus:
    return core_v1.ComponentStatus(
        metadata=meta_v1.ObjectMeta(name=name),
        conditions=[
            core_v1.ComponentCondition(
                type="Healthy",
                status="True" if condition.healthy else "False",
                message=condition.message,
                error=condition.error,
            )
        ],
    )


def _item(status: core_v1.ComponentStatus) -> items.Item:
    return items.Item(f"/{status.metadata.name}", codecs.encode(status), 0, status)
