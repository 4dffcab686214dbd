"""Flags of every component that works through an API server: which one, as whom, and who leads."""

from __future__ import annotations

import asyncio
import logging
import pathlib
import socket
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any

from pybernetes import client as clients
from pybernetes.client import kubeconfig
from pybernetes.cluster import keeping, processes
from pybernetes.cluster.hyperkube import features, logging_flags, ports, values
from pybernetes.cluster.hyperkube import flags as flags_
from pybernetes.informers import Election
from pybernetes.kits import chance as chances
from pybernetes.kits import clock as clocks
from pybernetes.kits import tasks

log = logging.getLogger(__name__)

Answered = Counter[tuple[str, str, str]]

MISC, GENERIC, ELECTION, GENERAL = "Misc flags", "Generic flags", "Leader election flags", "General flags"
# How long a leader may be late with its end before it is not healthy, in seconds.
PATIENCE = 20.0
# What a retry may be longer than it is told, at random.
JITTER = 1.2
LOCKS = ("leases",)

TABLE = (
    flags_.Flag("kubeconfig", values.STRING, "", "File that says where the API server is and who we are to it.", MISC),
    flags_.Flag("master", values.STRING, "", "URL of the API server, instead of the one in --kubeconfig.", MISC),
    flags_.Flag(
        "kube-api-qps", values.FLOAT, None, "Accepted: the API server says how much it takes, not its clients.", GENERIC
    ),
    flags_.Flag("kube-api-burst", values.INT, None, "Accepted, as --kube-api-qps.", GENERIC),
    flags_.Flag("kube-api-content-type", values.STRING, None, "Accepted: JSON is what is spoken.", GENERIC),
    flags_.Flag("profiling", values.BOOL, True, "Serve /debug/pprof and /debug/flags/v.", GENERIC),
    flags_.Flag("contention-profiling", values.BOOL, None, "Accepted: there are no locks to wait for.", GENERIC),
    *features.TABLE,
    flags_.Flag(
        "leader-elect", values.BOOL, True, "Of several replicas only the one that holds a lease works.", ELECTION
    ),
    flags_.Flag("leader-elect-lease-duration", values.DURATION, 15.0, "How long others wait for a leader.", ELECTION),
    flags_.Flag(
        "leader-elect-renew-deadline", values.DURATION, 10.0, "When a leader that cannot renew ends.", ELECTION
    ),
    flags_.Flag("leader-elect-retry-period", values.DURATION, 2.0, "Between tries to take or renew.", ELECTION),
    flags_.Flag("leader-elect-resource-lock", values.STRING, "leases", "What is held: leases.", ELECTION),
    flags_.Flag("leader-elect-resource-name", values.STRING, None, "Name of the lease (the component's).", ELECTION),
    flags_.Flag("leader-elect-resource-namespace", values.STRING, "kube-system", "Namespace of the lease.", ELECTION),
    flags_.Flag("version", values.BOOL, False, "Say which version this is, and end.", GENERAL),
    *logging_flags.TABLE,
)


def problems(given: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with the flags of TABLE, or does not go together."""
    yield from features.problems(given["feature-gates"])
    yield from logging_flags.problems(given)
    if not given["leader-elect"]:
        return
    lease, deadline, retry = (
        given[f"leader-elect-{name}"] for name in ("lease-duration", "renew-deadline", "retry-period")
    )
    if given["leader-elect-resource-lock"] not in LOCKS:
        yield f'--leader-elect-resource-lock: "{given["leader-elect-resource-lock"]}" is not supported, only leases is'
    if min(lease, deadline, retry) <= 0:
        yield "--leader-elect-lease-duration, -renew-deadline and -retry-period must be greater than zero"
    elif lease <= deadline:
        yield "--leader-elect-lease-duration must be greater than --leader-elect-renew-deadline"
    elif deadline <= retry * JITTER:
        yield f"--leader-elect-renew-deadline must be greater than --leader-elect-retry-period*{JITTER}"


def election_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """The flags of the election, as configurations have them."""
    return {
        "leaderElect": given["leader-elect"],
        "leaseDuration": flags_.duration(given["leader-elect-lease-duration"]),
        "renewDeadline": flags_.duration(given["leader-elect-renew-deadline"]),
        "retryPeriod": flags_.duration(given["leader-elect-retry-period"]),
        "resourceLock": given["leader-elect-resource-lock"],
        "resourceName": given["leader-elect-resource-name"] or "",
        "resourceNamespace": given["leader-elect-resource-namespace"],
    }


def client_of(given: Mapping[str, Any], answered: Answered | None, name: str) -> clients.Client:
    """Raises CannotStart where the flags do not lead to a server. `answered` counts what comes back."""
    path, master = given["kubeconfig"], given["master"]
    if not path:
        if not master:
            raise processes.CannotStart("--kubeconfig or --master says where the API server is")
        from pybernetes.client import https

        return clients.Client(https.HttpsTransport(master, user_agent=name, answered=answered), manager=name)
    if not pathlib.Path(path).is_file():
        raise processes.CannotStart(f"--kubeconfig: there is no file {path}")
    try:
        return kubeconfig.client(pathlib.Path(path), user_agent=name, server=master, answered=answered)
    except kubeconfig.KubeconfigError as error:
        raise processes.CannotStart(str(error)) from error


class Process:
    """A component as a program of its own: `work(client)` runs it, while this replica leads; what is `shown` of it is
    served all the time."""

    def __init__(
        self,
        shown: ports.Shown,
        given: Mapping[str, Any],
        work: Callable[[clients.Client], Awaitable[None]],
        *,
        clock: clocks.Clock,
        chance: chances.Chance,
    ) -> None:
        self._name, self._shown, self._given, self._work = shown.name, shown, given, work
        self._clock, self._chance = clock, chance
        self._tasks = tasks.Tasks()
        self._client: clients.Client | None = None
        self._election: Election | None = None
        self._port = ports.Port(shown, given, clock)
        if given["leader-elect"]:
            for path in ("/healthz", "/readyz"):
                if path in shown.checks:
                    shown.checks[path]["leaderElection"] = self._late

    async def start(self) -> None:
        """Returns at once: an API server that does not answer yet is waited for."""
        self._client = self._connect()
        await self._port.start()
        self._tasks.spawn(keeping.Kept(self._name, self._run, self._clock).run(), name=self._name)

    async def close(self) -> None:
        await self._tasks.close()
        await self._port.close()
        if self._client is not None:
            await self._client.close()

    def _connect(self) -> clients.Client:
        return client_of(self._given, self._shown.answered, self._name)

    async def _run(self) -> None:
        given = self._given
        if not given["leader-elect"]:
            await self._lead()
            return
        client = self._connect()
        self._election = Election(
            client,
            name=given["leader-elect-resource-name"] or self._name,
            namespace=given["leader-elect-resource-namespace"],
            identity=f"{socket.gethostname()}_{self._chance.uuid()}",
            clock=self._clock,
            chance=self._chance,
            lease=given["leader-elect-lease-duration"],
            renew_deadline=given["leader-elect-renew-deadline"],
            retry=given["leader-elect-retry-period"],
        )
        try:
            await self._election.run(self._lead)
        finally:
            await asyncio.shield(client.close())

    def _late(self) -> str | None:
        return None if self._election is None else self._election.problem(PATIENCE)

    async def _lead(self) -> None:
        log.info("%s works", self._name)
        client = self._connect()
        self._shown.leads = True
        try:
            await self._work(client)
        finally:
            self._shown.leads = False
            await asyncio.shield(client.close())
