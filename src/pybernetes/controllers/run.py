"""Runs the controllers of a process, and starts again those that die."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections.abc import Callable

from pybernetes.client import Client
from pybernetes.controllers import accounts, named, table
from pybernetes.controllers.context import Context, Controller
from pybernetes.kits.backoff import Backoff
from pybernetes.kits.tasks import Tasks

log = logging.getLogger(__name__)


def chosen(only: str) -> list[str]:
    """The names that `--controllers` means: `*` all that are on by default, `foo` that one, `-foo` not that one.

    What comes first counts. Raises ValueError for a name that no controller has.
    """
    words = [word.strip() for word in only.split(",") if word.strip()]
    said: dict[str, bool] = {}
    unknown = []
    for word in words:
        bare = word.removeprefix("-")
        name = named.ALIASES.get(bare, bare)
        if word != "*" and name not in table.CONTROLLERS and name not in named.WITHOUT_EFFECT:
            unknown.append(word)
        said.setdefault(name, word == bare)
    if unknown:
        raise ValueError(f"{', '.join(map(repr, unknown))} is not in the list of known controllers")
    return [name for name in table.CONTROLLERS if said.get(name, "*" in said and name not in named.ONLY_BY_NAME)]


class Controllers:
    """The controllers that `only` names, over one context. The context's informers are started by its owner.

    `client_of` gives the client that writes as a service account of kube-system; without it all share the context's.
    """

    def __init__(self, context: Context, *, only: str = "*", client_of: Callable[[str], Client] | None = None) -> None:
        self._context = context
        self._tasks = Tasks()
        self._made: dict[str, Controller] = {}
        for name in chosen(only):
            own = context
            if client_of is not None and name not in accounts.PRIVILEGED:
                own = dataclasses.replace(context, client=client_of(accounts.account_of(name)))
            self._made[name] = table.CONTROLLERS[name](own)

    @property
    def names(self) -> list[str]:
        return list(self._made)

    async def run(self) -> None:
        """Work until cancelled, or closed."""
        for name, controller in self._made.items():
            self._tasks.spawn(self._keep(name, controller), name=name)
        try:
            await asyncio.Event().wait()
        finally:
            await self._tasks.close()

    async def close(self) -> None:
        await self._tasks.close()

    async def _keep(self, name: str, controller: Controller) -> None:
        backoff = Backoff(first=1.0, cap=60.0, jitter=0.5, chance=self._context.chance)
        while True:
            try:
                await controller.run()
            except Exception:
                log.exception("%s died; starting it again", name)
            await self._context.clock.sleep(backoff.next())
