"""What every component is given to work with, and what is closed behind it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pybernetes import client as clients
from pybernetes import informers
from pybernetes.kits import chance as chances
from pybernetes.kits import clock as clocks


class Tools:
    """Informers of their own for a component, and event recorders."""

    def __init__(self, client: clients.Client, *, clock: clocks.Clock, chance: chances.Chance) -> None:
        self.client = client
        self.informers = informers.Informers(client, clock=clock, chance=chance)
        self._clock = clock
        self._chance = chance
        self._recorders: list[informers.Recorder] = []

    def recorder(self, component: str) -> informers.Recorder:
        made = informers.Recorder(self.client, component, clock=self._clock, chance=self._chance)
        self._recorders.append(made)
        return made

    async def close(self) -> None:
        await self.informers.close()
        for made in self._recorders:
            await made.close()
        await self.client.close()


@asynccontextmanager
async def tools(client: clients.Client, *, clock: clocks.Clock, chance: chances.Chance) -> AsyncIterator[Tools]:
    """Closes the informers, the recorders and the client at the end."""
    made = Tools(client, clock=clock, chance=chance)
    try:
        yield made
    finally:
        await made.close()
