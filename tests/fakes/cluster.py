"""Controllers over the fake API, in virtual time, with a node agent that runs every pod at once."""

from __future__ import annotations

import asyncio
from typing import Any

from pybernetes.api import times
from pybernetes.api.types import core_v1
from pybernetes.controllers import Context, Controllers, Settings
from pybernetes.informers import Informers, Recorder
from pybernetes.kits import prometheus
from pybernetes.kits.chance import Chance
from pybernetes.kits.clock import VirtualClock, settle
from tests.fakes import scrape
from tests.fakes.api import FakeApi


class FakeCluster:
    """`async with FakeCluster(only="deployment-controller,...") as cluster`."""

    def __init__(self, *, only: str = "*", settings: Settings | None = None, kubelet: bool = True) -> None:
        self.clock = VirtualClock()
        self.api = FakeApi(clock=self.clock)
        self.client = self.api.client()
        self.informers = Informers(self.client, clock=self.clock, chance=Chance(2))
        self.recorders: list[Recorder] = []
        self.context = Context(
            client=self.client,
            informers=self.informers,
            clock=self.clock,
            chance=Chance(3),
            recorder=self._recorder,
            settings=settings or Settings(),
        )
        self.controllers = Controllers(self.context, only=only)
        # A pod is made to run unless the test says otherwise here.
        self.runs = lambda pod: True
        if kubelet:
            self.informers.of(core_v1.Pod).on_change(self._kubelet)

    def counted(self, name: str) -> dict[str, float]:
        """The samples of a metric, by the values of their labels in the order of their names."""
        found = scrape.parse(prometheus.text(self.context.families()))
        return {
            " ".join(value for label, value in labels if label != "le"): number
            for (sample, labels), number in found.items()
            if sample == name
        }

    def _recorder(self, component: str) -> Recorder:
        recorder = Recorder(self.client, component, clock=self.clock, chance=Chance(4))
        self.recorders.append(recorder)
        return recorder

    def _kubelet(self, old: core_v1.Pod | None, new: core_v1.Pod | None) -> None:
        if new is None or self.api.find(core_v1.Pod, new.metadata.name, new.metadata.namespace) is not new:
            return
        if new.metadata.deletionTimestamp is not None:
            if not new.metadata.finalizers:
                self.api.remove(new)
        elif new.status.phase in ("", "Pending") and self.runs(new):
            self.run_pod(new)

    def run_pod(self, pod: core_v1.Pod) -> None:
        ready = core_v1.PodCondition(type="Ready", status="True", lastTransitionTime=times.to_time(self.clock.time()))

        def edit(copy: Any) -> None:
            copy.spec.nodeName = copy.spec.nodeName or "n1"
            copy.status.phase, copy.status.conditions = "Running", [ready]
            copy.status.podIP = "10.0.0.1"

        self.api.change(pod, edit)

    def finish_pod(self, pod: core_v1.Pod, phase: str = "Succeeded") -> None:
        self.api.change(pod, lambda copy: (setattr(copy.status, "phase", phase), copy.status.conditions.clear()))

    async def settled(self) -> None:
        await settle()

    def events(self, reason: str = "") -> list[str]:
        return [e.message for e in self.api.all(core_v1.Event) if reason in ("", e.reason)]

    async def __aenter__(self) -> FakeCluster:
        await self.informers.start()
        self.running = asyncio.ensure_future(self.controllers.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self.running.cancel()
        await asyncio.wait([self.running])
        for recorder in self.recorders:
            await recorder.close()
        await self.informers.close()
