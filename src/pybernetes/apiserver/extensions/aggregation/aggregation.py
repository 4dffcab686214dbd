"""Which groups and versions are others', kept up with the stored APIServices; and the loop that checks them."""

from __future__ import annotations

import asyncio
import logging

from pybernetes import client as clients
from pybernetes.api import codecs, errors, times
from pybernetes.api.types import apiregistration_v1
from pybernetes.apiserver import request as requests
from pybernetes.apiserver import results
from pybernetes.apiserver.extensions.aggregation import availability, passing, remotes
from pybernetes.apiserver.forwarding import backend as backends
from pybernetes.apiserver.forwarding import services as services_
from pybernetes.apiserver.storage import collection as collections
from pybernetes.apiserver.storage import following, selection
from pybernetes.apiserver.storage import item as items
from pybernetes.kits import backoff, tasks
from pybernetes.kits import clock as clocks

log = logging.getLogger(__name__)

# A server that was well is asked again after so many seconds, one that was not sooner.
WELL_SECONDS = 30.0
FIRST_SECONDS = 1.0
OPENAPI = "/openapi/v3/apis/"


class Aggregation:
    """`services` and `slices` are where those are stored; `client_certificate` the files of what we show others."""

    def __init__(
        self,
        stored: collections.Collection,
        *,
        services: collections.Collection,
        slices: collections.Collection,
        found: services_.Services,
        backend: backends.Backend,
        client_certificate: tuple[str, str] | None,
        clock: clocks.Clock,
    ) -> None:
        self._stored, self._clock = stored, clock
        self._certificate = client_certificate
        self._way = passing.Passing(backend, found)
        self._checks = availability.Checks(backend, found, self._way, clock)
        self._client: clients.Client | None = None
        self._tasks = tasks.Tasks()
        self._checking: dict[str, asyncio.Task[None]] = {}
        self._woken: dict[str, asyncio.Event] = {}
        self._specs: dict[str, bytes] = {}
        self.remotes: dict[remotes.Key, remotes.Remote] = {}
        # Changes with what discovery is to show.
        self.generation = 0
        following.follow(stored, self._service_changed)
        for watched in (services, slices):
            following.follow(watched, self._backend_changed)

    def start(self, client: clients.Client) -> None:
        """`client` writes statuses."""
        self._client = client
        for item in self._stored.select(selection.EVERYTHING).items:
            self._service_changed("ADDED", item)

    async def close(self) -> None:
        await self._tasks.close()

    # -- requests

    def find(self, request: requests.Request) -> remotes.Remote | None:
        """Whose request it is; None if it is ours."""
        if not self.remotes:
            return None
        at = request.attributes
        if at.resource:
            return self.remotes.get((at.group, at.version))
        path = request.path
        if path.startswith(OPENAPI):
            path = path.removeprefix("/openapi/v3")
        parts = path.strip("/").split("/")
        return self.remotes.get((parts[1], parts[2])) if len(parts) == 3 and parts[0] == "apis" else None

    async def pass_on(self, remote: remotes.Remote, request: requests.Request) -> results.Result:
        """Raises StatusError."""
        return await self._way.pass_on(remote, request)

    # -- what is stored

    def _service_changed(self, event: str, item: items.Item) -> None:
        service: apiregistration_v1.APIService = item.peek(apiregistration_v1.APIService)
        name, key = service.metadata.name, (service.spec.group, service.spec.version)
        if event == "DELETED" or service.spec.service is None:
            self._forget(name, key)
            return
        spec = codecs.encode(service.spec)
        if self._specs.get(name) == spec:
            known = self.remotes.get(key)
            if known is not None:
                self._set_available(known, service)
            return
        try:
            remote = remotes.of(service, self._certificate)
        except (ValueError, OSError) as error:
            log.warning("APIService %s: %s", name, error)
            self._forget(name, key)
            return
        before = self.remotes.get(key)
        if before is not None:
            remote.resources, remote.openapi = before.resources, before.openapi
        self._specs[name] = spec
        self.remotes[key] = remote
        self.generation += 1
        self._watch_over(name, key)

    def _set_available(self, known: remotes.Remote, service: apiregistration_v1.APIService) -> None:
        is_true = any(one.type == "Available" and one.status == "True" for one in service.status.conditions)
        if known.available != is_true:
            known.available = is_true
            self.generation += 1

    def _forget(self, name: str, key: remotes.Key) -> None:
        if self._specs.pop(name, None) is None:
            return
        self.remotes.pop(key, None)
        self.generation += 1
        checking = self._checking.pop(name, None)
        if checking is not None:
            checking.cancel()

    def _backend_changed(self, event: str, item: items.Item) -> None:
        if not self.remotes:
            return
        namespace, _, name = item.key.rpartition("/")
        service = item.labels().get(services_.SERVICE_LABEL, name)
        for remote in self.remotes.values():
            if remote.service == service and namespace.endswith(f"/{remote.namespace}"):
                self._woken[remote.name].set()

    # -- checks

    def _watch_over(self, name: str, key: remotes.Key) -> None:
        woken = self._woken.setdefault(name, asyncio.Event())
        woken.set()
        if name not in self._checking and self._client is not None:
            self._checking[name] = self._tasks.spawn(self._check(name, key, woken), name=f"APIService {name}")

    async def _check(self, name: str, key: remotes.Key, woken: asyncio.Event) -> None:
        pauses = backoff.Backoff(first=FIRST_SECONDS, cap=WELL_SECONDS)
        timer: clocks.Timer | None = None
        while True:
            await woken.wait()
            woken.clear()
            if timer is not None:
                timer.cancel()
            remote = self.remotes.get(key)
            if remote is None:
                return
            verdict = await self._checks.check(remote)
            if verdict.is_available:
                pauses.reset()
                if (remote.resources, remote.openapi) != (verdict.resources, verdict.openapi):
                    remote.resources, remote.openapi = verdict.resources, verdict.openapi
                    self.generation += 1
            try:
                await self._write(name, verdict)
            except errors.StatusError as error:
                log.info("APIService %s: %s", name, error)
                if error.reason == "Conflict":
                    woken.set()
                    continue
            timer = self._clock.call_later(WELL_SECONDS if verdict.is_available else pauses.next(), woken.set)

    async def _write(self, name: str, verdict: availability.Verdict) -> None:
        item = self._stored.get("", name)
        if item is None or self._client is None:
            return
        service: apiregistration_v1.APIService = item.fresh(apiregistration_v1.APIService)
        known = next((one for one in service.status.conditions if one.type == "Available"), None)
        told = (verdict.status, verdict.reason, verdict.message)
        if known is not None and (known.status, known.reason, known.message) == told:
            return
        now = times.to_time(self._clock.time())
        since = known.lastTransitionTime if known is not None and known.status == verdict.status else now
        fresh = apiregistration_v1.APIServiceCondition(
            type="Available",
            status=verdict.status,
            reason=verdict.reason,
            message=verdict.message,
            lastTransitionTime=since,
        )
        service.status.conditions = [one for one in service.status.conditions if one.type != "Available"] + [fresh]
        await self._client.update_status(service)
