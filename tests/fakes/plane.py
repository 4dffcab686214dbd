"""A control plane in which only some controllers work, with versions of the API that are off by default, for tests
that look at what is stored."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from pybernetes import client as clients
from pybernetes import controllers
from pybernetes.apiserver import request as requests
from pybernetes.apiserver import settings
from pybernetes.cluster import plane as planes
from pybernetes.cluster import tools
from pybernetes.kits.chance import Chance
from pybernetes.kits.clock import VirtualClock, settle
from pybernetes.store.memory import MemoryStore
from tests.fakes import apiserver as fakes


class Plane:
    """`async with Plane("the-controller", {"group/version": True}) as running`; more are the server's settings."""

    def __init__(
        self,
        controllers: str,
        on: dict[str, bool],
        *,
        store: MemoryStore | None = None,
        scheduler: bool = False,
        **more: Any,
    ) -> None:
        self.clock = VirtualClock()
        self.store = store or MemoryStore()
        given = settings.Settings(
            service_account_key=fakes.signing_key(), runtime_config=on, compaction_interval=0, **more
        )
        self._plane = planes.ControlPlane(
            self.store,
            given,
            ca=b"",
            cluster_cidr="",
            controllers=controllers,
            scheduler=scheduler,
            around=lambda handler: self._around(handler),
            clock=self.clock,
            chance=Chance(5),
        )
        self.api = self._plane.api
        self.client = self.api.client(fakes.ADMIN, agent="test")
        # A coroutine function that is asked before every request; it may raise.
        self.before: Any = None

    def _around(self, handler: Any) -> Any:
        async def handle(request: Any) -> Any:
            if self.before is not None:
                await self.before(request)
            return await handler(request)

        return handle

    async def __aenter__(self) -> Plane:
        await self._plane.start()
        self._plane.run_components()
        await self._plane.wait_scheduling()
        await settle()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._plane.close()

    async def value(self, key: str) -> bytes:
        """What is stored, as it is."""
        entry = await self.store.get(key)
        assert entry is not None
        return entry.value

    @asynccontextmanager
    async def as_service_accounts(self, only: str) -> AsyncIterator[None]:
        """While the body runs, these controllers work with no more rights than upstream's have."""

        def client_of(account: str) -> clients.Client:
            user = f"system:serviceaccount:kube-system:{account}"
            groups = ("system:serviceaccounts", "system:serviceaccounts:kube-system", "system:authenticated")
            return self.api.client(requests.User(user, groups=groups), agent="kube-controller-manager")

        shared = self.api.client(planes.CONTROLLERS, agent="kube-controller-manager")
        async with tools.tools(shared, clock=self.clock, chance=Chance(6)) as given:
            context = controllers.Context(
                client=shared,
                informers=given.informers,
                clock=self.clock,
                chance=Chance(7),
                recorder=given.recorder,
            )
            running = controllers.Controllers(context, only=only, client_of=client_of)
            await given.informers.start()
            working = asyncio.ensure_future(running.run())
            try:
                yield
            finally:
                working.cancel()
                await asyncio.wait([working])
