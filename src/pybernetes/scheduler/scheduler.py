"""The scheduler as others see it: made at once, loaded when it runs.

numpy and all that is built on it take a tenth of a second to import; a thread does that while the API server starts.
"""

from __future__ import annotations

import asyncio
import importlib
import sys
from collections.abc import Callable, Iterable

from pybernetes.client import Client
from pybernetes.informers import Informers, Recorder
from pybernetes.kits import prometheus
from pybernetes.kits.chance import Chance
from pybernetes.kits.clock import Clock

ASSEMBLY = "pybernetes.scheduler.assembly"


class Scheduler:
    """Schedules the pods whose `schedulerName` is one of the profiles."""

    def __init__(
        self,
        client: Client,
        informers: Informers,
        *,
        clock: Clock,
        chance: Chance,
        recorder: Callable[[str], Recorder],
        config: bytes = b"",
    ) -> None:
        """`config` is a KubeSchedulerConfiguration in YAML or JSON; with none, upstream's defaults hold."""
        self._client, self._informers, self._clock, self._chance = client, informers, clock, chance
        self._recorder, self._config = recorder, config
        self.ready = asyncio.Event()
        self._families: Callable[[], Iterable[prometheus.Family]] = tuple

    async def run(self) -> None:
        """Work until cancelled; `ready` is set when the first pod can be scheduled.

        Raises ValueError, worded as upstream words it, where the configuration cannot be used.
        """
        # A thread takes its time; what was loaded before must be had at once, or no run is like another.
        if ASSEMBLY in sys.modules:
            assembly = importlib.import_module(ASSEMBLY)
        else:
            assembly = await asyncio.to_thread(importlib.import_module, ASSEMBLY)
        cluster, engine = assembly.assemble(
            self._client,
            self._informers,
            clock=self._clock,
            chance=self._chance,
            recorder=self._recorder,
            config=self._config,
        )
        self._families = engine.families
        await cluster.start(engine.queue)
        self.ready.set()
        await engine.run()

    def families(self) -> Iterable[prometheus.Family]:
        """For /metrics; nothing before it runs."""
        return self._families()

    async def close(self) -> None:
        """Nothing outlives `run`."""
