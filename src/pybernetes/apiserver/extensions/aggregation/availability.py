"""Whether the server of an APIService is there, and what it has: decided step by step, in upstream's words."""

from __future__ import annotations

import asyncio
from typing import Any, NamedTuple

from pybernetes.api import codecs, errors
from pybernetes.apiserver import request as requests
from pybernetes.apiserver.extensions.aggregation import passing, remotes
from pybernetes.apiserver.forwarding import backend as backends
from pybernetes.apiserver.forwarding import locations, services
from pybernetes.kits import clock as clocks

AGGREGATOR = requests.User("system:kube-aggregator", groups=("system:masters",))
ATTEMPTS = 5
CHECK_SECONDS = 5.0
LARGEST_DOCUMENT = 16 * 1024 * 1024


class Verdict(NamedTuple):
    """The Available condition; with it, what the server says it has."""

    status: str
    reason: str
    message: str
    resources: list[dict[str, Any]] | None = None
    openapi: str = ""

    @property
    def is_available(self) -> bool:
        return self.status == "True"


PASSED = ("True", "Passed", "all checks passed")


class Checks:
    """`await check(remote)` asks the server."""

    def __init__(
        self, backend: backends.Backend, found: services.Services, way: passing.Passing, clock: clocks.Clock
    ) -> None:
        self._backend, self._services, self._way, self._clock = backend, found, way, clock

    async def check(self, remote: remotes.Remote) -> Verdict:
        missing = self._missing(remote)
        if missing is not None:
            return missing
        problem = ""
        for _ in range(ATTEMPTS):
            try:
                async with self._clock.timeout(CHECK_SECONDS):
                    document = await self._get(remote, f"/apis/{remote.group_version}")
                    openapi = await self._openapi(remote)
                return Verdict(*PASSED, _resources(document), openapi)
            except TimeoutError:
                problem = self._failed(remote, "context deadline exceeded")
            except (OSError, ValueError) as error:
                problem = str(error)
            except errors.StatusError as error:
                problem = self._failed(remote, str(error))
        return Verdict("False", "FailedDiscoveryCheck", problem)

    def _missing(self, remote: remotes.Remote) -> Verdict | None:
        service = self._services.find(remote.namespace, remote.service)
        at = f'service/{remote.service} in "{remote.namespace}"'
        if service is None:
            return Verdict("False", "ServiceNotFound", f"{at} is not present")
        if service.spec.type == "ExternalName":
            return None
        offered = next((one for one in service.spec.ports if one.port == remote.port), None)
        if offered is None:
            return Verdict("False", "ServicePortError", f"{at} is not listening on port {remote.port}")
        if not self._services.slices(service):
            return Verdict("False", "EndpointsNotFound", f"cannot find endpointslices for {at}")
        if not self._services.ready(service, offered.name):
            words = f'endpointslices for {at} have no addresses with port name "{offered.name}"'
            return Verdict("False", "MissingEndpoints", words)
        return None

    async def _openapi(self, remote: remotes.Remote) -> str:
        """Where its document is, relative to it; servers need have none."""
        try:
            root = await self._get(remote, "/openapi/v3")
        except (OSError, ValueError, errors.StatusError):
            return ""
        paths = root.get("paths")
        entry = paths.get(f"apis/{remote.group_version}") if isinstance(paths, dict) else None
        found = entry.get("serverRelativeURL") if isinstance(entry, dict) else None
        return found if isinstance(found, str) else ""

    async def _get(self, remote: remotes.Remote, path: str) -> dict[str, Any]:
        """A document. Raises OSError, ValueError, StatusError."""
        location = self._way.location(remote)
        pairs = [("Accept", "application/json"), *passing.identity(AGGREGATOR)]
        answer = await self._backend.ask("GET", location, path, pairs=pairs, body=None)
        try:
            if not 200 <= answer.code < 300:
                raise OSError(f"bad status from {_shown(location, path)}: {answer.code}")
            body = b""
            async for part in answer.chunks(65536):
                body += part
                if len(body) > LARGEST_DOCUMENT:
                    raise ValueError(f"{path} is too large")
        finally:
            answer.close()
        try:
            tree = await asyncio.to_thread(codecs.decode_tree, body) if len(body) > 65536 else codecs.decode_tree(body)
        except codecs.DecodeError as error:
            raise ValueError(f"{path}: {error}") from None
        if not isinstance(tree, dict):
            raise ValueError(f"{path} is not an object")
        return tree

    def _failed(self, remote: remotes.Remote, why: str) -> str:
        shown = _shown(self._way.location(remote), f"/apis/{remote.group_version}")
        return f"failing or missing response from {shown}: {why}"


def _shown(location: locations.Location, path: str) -> str:
    return f"https://{location.authority}{path}"


def _resources(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Those of an APIResourceList that have what every resource has."""
    listed = document.get("resources")
    return [
        one
        for one in (listed if isinstance(listed, list) else ())
        if isinstance(one, dict) and isinstance(one.get("name"), str) and isinstance(one.get("kind"), str)
    ]
