"""Flags of every component that works through an API server: which one, as whom, and who leads."""

from __future__ import annotations

import asyncio
import logging
import pathlib
import socket
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from pybernetes import client as clients
from pybernetes.client import kubeconfig
from pybernetes.cluster import keeping, processes
from pybernetes.cluster.hyperkube import flags as flags_
from pybernetes.cluster.hyperkube import logging_flags, values
from pybernetes.informers import Election
from pybernetes.kits import chance as chances
from pybernetes.kits import clock as clocks
from pybernetes.kits import tasks

log = logging.getLogger(__name__)

CONNECTION, ELECTION, GENERAL = "API server flags", "Leader election flags", "General flags"

TABLE = (
    flags_.Flag(
        "kubeconfig", values.STRING, "", "File that says where the API server is and who we are to it.", CONNECTION
    ),
    flags_.Flag(
        "master",
        values.STRING,
        "",
        "URL of the API server, instead of the one in --kubeconfig.",
        CONNECTION,
    ),
    flags_.Flag(
        "leader-elect", values.BOOL, True, "Of several replicas only the one that holds a lease works.", ELECTION
    ),
    flags_.Flag("leader-elect-lease-duration", values.DURATION, 15.0, "How long others wait for a leader.", ELECTION),
    flags_.Flag(
        "leader-elect-renew-deadline", values.DURATION, 10.0, "When a leader that cannot renew ends.", ELECTION
    ),
    flags_.Flag("leader-elect-retry-period", values.DURATION, 2.0, "Between tries to take or renew.", ELECTION),
    flags_.Flag("leader-elect-resource-name", values.STRING, None, "Name of the lease (the component's).", ELECTION),
    flags_.Flag("leader-elect-resource-namespace", values.STRING, "kube-system", "Namespace of the lease.", ELECTION),
    flags_.Flag("version", values.BOOL, False, "Say which version this is, and end.", GENERAL),
    *logging_flags.TABLE,
)


def client_of(given: Mapping[str, Any], name: str) -> clients.Client:
    """Raises CannotStart where the flags do not lead to a server."""
    path, master = given["kubeconfig"], given["master"]
    if not path:
        if not master:
            raise processes.CannotStart("--kubeconfig or --master says where the API server is")
        from pybernetes.client import https

        return clients.Client(https.HttpsTransport(master, user_agent=name), manager=name)
    try:
        return kubeconfig.client(pathlib.Path(path), user_agent=name, server=master)
    except kubeconfig.KubeconfigError as error:
        raise processes.CannotStart(str(error)) from error


class Process:
    """A component as a program of its own: `work(client)` runs it, while this replica leads."""

    def __init__(
        self,
        name: str,
        given: Mapping[str, Any],
        work: Callable[[clients.Client], Awaitable[None]],
        *,
        clock: clocks.Clock,
        chance: chances.Chance,
    ) -> None:
        self._name, self._given, self._work = name, given, work
        self._clock, self._chance = clock, chance
        self._tasks = tasks.Tasks()
        self._client: clients.Client | None = None

    async def start(self) -> None:
        """Returns at once: an API server that does not answer yet is waited for."""
        self._client = client_of(self._given, self._name)
        self._tasks.spawn(keeping.Kept(self._name, self._run, self._clock).run(), name=self._name)

    async def close(self) -> None:
        await self._tasks.close()
        if self._client is not None:
            await self._client.close()

    async def _run(self) -> None:
        given = self._given
        if not given["leader-elect"]:
            await self._lead()
            return
        await Election(
            client_of(given, self._name),
            name=given["leader-elect-resource-name"] or self._name,
            namespace=given["leader-elect-resource-namespace"],
            identity=f"{socket.gethostname()}_{self._chance.uuid()}",
            clock=self._clock,
            chance=self._chance,
            lease=given["leader-elect-lease-duration"],
            renew_deadline=given["leader-elect-renew-deadline"],
            retry=given["leader-elect-retry-period"],
        ).run(self._lead)

    async def _lead(self) -> None:
        log.info("%s works", self._name)
        client = client_of(self._given, self._name)
        try:
            await self._work(client)
        finally:
            await asyncio.shield(client.close())
