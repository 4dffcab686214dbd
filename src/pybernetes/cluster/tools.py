"""What every component is given to work with, and what is closed behind it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from pybernetes import client as clients
from pybernetes import informers
from pybernetes.kits import chance as chances
from pybernetes.kits import clock as clocks


class Tools:
    """Informers for a component, and event recorders. `lent` informers outlive it: its successor has them again."""

    def __init__(
        self,
        client: clients.Client,
        *,
        lent: informers.Informers | None = None,
        clock: clocks.Clock,
        chance: chances.Chance,
    ) -> None:
        self.client = client
        self._lent = lent is not None
        self.informers = lent if lent is not None else informers.Informers(client, clock=clock, chance=chance)
        self._clock = clock
        self._chance = chance
        self._recorders: list[informers.Recorder] = []

    def recorder(self, component: str) -> informers.Recorder:
        made = informers.Recorder(self.client, component, clock=self._clock, chance=self._chance)
        self._recorders.append(made)
        return made

    async def close(self) -> None:
        if self._lent:
            await self.informers.forget_readers()
        else:
            await self.informers.close()
        for made in self._recorders:
            await made.close()
        await self.client.close()


@asynccontextmanager
async def tools(
    client: clients.Client,
    *,
    lent: informers.Informers | None = None,
    clock: clocks.Clock,
    chance: chances.Chance,
) -> AsyncIterator[Tools]:
    """Closes the informers, unless they are lent, the recorders and the client at the end."""
    made = Tools(client, lent=lent, clock=clock, chance=chance)
    try:
        yield made
    finally:
        await made.close()


class Lending:
    """Informers by component, that go on while components stop and start: what exists is known to the next at once.

    `client_of(component)` makes the client that they read with.
    """

    def __init__(
        self, client_of: Callable[[str], clients.Client], *, clock: clocks.Clock, chance: chances.Chance
    ) -> None:
        self._client_of, self._clock, self._chance = client_of, clock, chance
        self._made: dict[str, tuple[informers.Informers, clients.Client]] = {}

    def to(self, component: str) -> informers.Informers:
        if component not in self._made:
            client = self._client_of(component)
            self._made[component] = informers.Informers(client, clock=self._clock, chance=self._chance), client
        return self._made[component][0]

    async def close(self) -> None:
        for lent, client in self._made.values():
            await lent.close()
            await client.close()
