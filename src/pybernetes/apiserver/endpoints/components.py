"""componentstatuses: how the parts of the control plane are, asked at every read and never stored."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

from pybernetes.api import codecs
from pybernetes.api.types import core_v1, meta_v1
from pybernetes.apiserver import request as requests
from pybernetes.apiserver import results
from pybernetes.apiserver.endpoints import scope as scopes
from pybernetes.apiserver.storage import item as items

DEPRECATION = "v1 ComponentStatus is deprecated in v1.19+"


class Condition(NamedTuple):
    """`healthy` is None where that cannot be found out."""

    healthy: bool | None
    message: str = ""
    error: str = ""


Check = Callable[[], Condition | Awaitable[Condition]]


class Components:
    """`checks` tells by component name; parts may be added while the server runs."""

    def __init__(self, checks: Mapping[str, Check]) -> None:
        self._checks = checks

    async def list_(self, scope: scopes.Scope, request: requests.Request) -> results.Result:
        request.warnings.append(DEPRECATION)
        names = sorted(self._checks, reverse=True)
        told = await asyncio.gather(*(_ask(self._checks[name]) for name in names))
        found = [_item(_status(name, condition)) for name, condition in zip(names, told, strict=True)]
        return results.Listed(scope.kind, found, scope.collection.revision)

    async def get(self, scope: scopes.Scope, request: requests.Request) -> results.Result:
        request.warnings.append(DEPRECATION)
        check = self._checks.get(request.attributes.name)
        if check is None:
            raise scope.not_found(request.attributes.name)
        return results.Made(_status(request.attributes.name, await _ask(check)), 200, scope.kind)


async def _ask(check: Check) -> Condition:
    told = check()
    return await told if inspect.isawaitable(told) else told


def _status(name: str, condition: Condition) -> core_v1.ComponentStatus:
    return core_v1.ComponentStatus(
        metadata=meta_v1.ObjectMeta(name=name),
        conditions=[
            core_v1.ComponentCondition(
                type="Healthy",
                status="Unknown" if condition.healthy is None else str(condition.healthy),
                message=condition.message,
                error=condition.error,
            )
        ],
    )


def _item(status: core_v1.ComponentStatus) -> items.Item:
    return items.Item(f"/{status.metadata.name}", codecs.encode(status), 0, status)
