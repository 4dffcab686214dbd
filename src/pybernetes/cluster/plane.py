"""The control plane of one process: API server, controllers and scheduler on one event loop, over loopback clients."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from pybernetes import store as stores
from pybernetes.apiserver import request as requests
from pybernetes.apiserver import results
from pybernetes.apiserver import server as apiservers
from pybernetes.apiserver import settings as apiserver_settings
from pybernetes.apiserver.endpoints import components
from pybernetes.cluster import keeping
from pybernetes.cluster import tools as toolboxes
from pybernetes.kits import chance as chances
from pybernetes.kits import clock as clocks
from pybernetes.kits import tasks

CONTROLLERS = requests.User("system:kube-controller-manager", groups=("system:masters", "system:authenticated"))
SCHEDULER = requests.User("system:kube-scheduler", groups=("system:masters", "system:authenticated"))


class ControlPlane:
    """`await start()` has the API server answer; `run_components` starts the others; `close` leaves the store open.

    `ca` and `ca_key` are PEM; without the key no CertificateSigningRequest is signed. `controllers` is what
    `--controllers` takes; without one, and without a scheduler, the API stands alone.
    """

    def __init__(
        self,
        store: stores.Store,
        settings: apiserver_settings.Settings,
        *,
        ca: bytes,
        ca_key: bytes = b"",
        cluster_cidr: str,
        legacy_tokens: bool = False,
        load_balancer_pool: tuple[str, ...] = (),
        controllers: str = "*",
        scheduler: bool = True,
        around: Callable[[results.Handler], results.Handler] = lambda handler: handler,
        clock: clocks.Clock,
        chance: chances.Chance,
    ) -> None:
        self.api = apiservers.ApiServer(settings, store, clock=clock, chance=chance, around=around)
        self._ca, self._ca_key = ca, ca_key
        self._cluster_cidr, self._legacy_tokens = cluster_cidr, legacy_tokens
        self._load_balancer_pool = load_balancer_pool
        self._controllers, self._scheduler = controllers, scheduler
        self._clock = clock
        self._chance = chance
        # Those that run, controllers and scheduler.
        self.kept: list[keeping.Kept] = []
        self._tasks = tasks.Tasks()
        self._scheduling = asyncio.Event()
        users = {"kube-controller-manager": CONTROLLERS, "kube-scheduler": SCHEDULER}
        self._lending = toolboxes.Lending(
            lambda component: self.api.client(users[component], agent=component), clock=clock, chance=chance
        )

    async def start(self) -> None:
        await self.api.start()

    def run_components(self) -> None:
        if self._controllers:
            self._keep("controller-manager", self._run_controllers)
        if self._scheduler:
            self._keep("scheduler", self._run_scheduler)

    async def wait_scheduling(self) -> None:
        """Return when the scheduler knows the nodes and pods that there are."""
        if self._scheduler:
            await self._scheduling.wait()

    async def stop_components(self) -> None:
        """All but the API; `run_components` starts them anew."""
        await self._tasks.close()
        self._tasks = tasks.Tasks()
        self.kept.clear()
        self._scheduling.clear()

    async def close(self) -> None:
        await self._tasks.close()
        await self._lending.close()
        await self.api.close()

    def _keep(self, name: str, start: Callable[[], Any]) -> None:
        kept = keeping.Kept(name, start, self._clock)
        self.api.components[name] = lambda: _condition(kept)
        self.kept.append(kept)
        self._tasks.spawn(kept.run(), name=name)

    async def _run_controllers(self) -> None:
        # Imported here, so that the API server answers before.
        from pybernetes import controllers

        client = self.api.client(CONTROLLERS, agent="kube-controller-manager")
        lent = self._lending.to("kube-controller-manager")
        async with toolboxes.tools(client, lent=lent, clock=self._clock, chance=self._chance) as tools:
            context = controllers.Context(
                client=client,
                informers=tools.informers,
                clock=self._clock,
                chance=self._chance,
                recorder=tools.recorder,
                settings=controllers.Settings(
                    ca=self._ca,
                    signing_certificate=self._ca,
                    signing_key=self._ca_key,
                    sign_token=lambda claims: self.api.signer.sign(dict(claims)),
                    legacy_tokens=self._legacy_tokens,
                    cluster_cidr=self._cluster_cidr,
                    load_balancer_pool=self._load_balancer_pool,
                ),
            )
            running = controllers.Controllers(context, only=self._controllers)
            self.api.more_metrics["kube-controller-manager"] = context.families
            try:
                await tools.informers.start()
                await running.run()
            finally:
                await running.close()

    async def _run_scheduler(self) -> None:
        from pybernetes import scheduler

        client = self.api.client(SCHEDULER, agent="kube-scheduler")
        lent = self._lending.to("kube-scheduler")
        async with toolboxes.tools(client, lent=lent, clock=self._clock, chance=self._chance) as tools:
            running = scheduler.Scheduler(
                client, tools.informers, clock=self._clock, chance=self._chance, recorder=tools.recorder
            )
            self.api.more_metrics["kube-scheduler"] = running.families
            ready = asyncio.ensure_future(running.ready.wait())
            ready.add_done_callback(lambda _: self._scheduling.set())
            try:
                await tools.informers.start()
                await running.run()
            finally:
                ready.cancel()
                await running.close()


def _condition(kept: keeping.Kept) -> components.Condition:
    if kept.problem is None:
        return components.Condition(True, "ok")
    return components.Condition(False, error=kept.problem)
