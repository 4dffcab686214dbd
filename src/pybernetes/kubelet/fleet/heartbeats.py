"""The leases of simulated nodes, renewed in turn: one timer for all, one write per node and round."""

from __future__ import annotations

import asyncio
import itertools
import logging

from pybernetes.api import codecs, times
from pybernetes.api.errors import StatusError
from pybernetes.api.types import coordination_v1, core_v1
from pybernetes.client import Client
from pybernetes.kits import clock as clocks
from pybernetes.kubelet.fleet import nodes

log = logging.getLogger(__name__)

# A round. Nodes count as lost after 40 s or more without a sign, so that a round must not fail at once.
ROUND = 25.0
TRIES = 5
# A round's renewals are made in this many portions, so that many nodes do not come all at once.
PORTIONS = 25


class Heartbeats:
    """Run `run` as a task; nodes may come and go meanwhile."""

    def __init__(self, client: Client, *, clock: clocks.Clock) -> None:
        self._client, self._clock = client, clock
        self._portions: list[dict[str, core_v1.Node]] = [{} for _ in range(PORTIONS)]
        self._portion_of: dict[str, int] = {}
        self._leases: dict[str, coordination_v1.Lease] = {}

    async def add(self, node: core_v1.Node) -> None:
        """Renew this node's lease from now on."""
        name = node.metadata.name
        if name not in self._portion_of:
            # Few nodes share a portion: each portion that has any is a wake-up.
            self._portion_of[name] = len(self._portion_of) // 10 % PORTIONS
        self._portions[self._portion_of[name]][name] = node
        await self._renew(node)

    def remove(self, name: str) -> None:
        at = self._portion_of.pop(name, None)
        if at is not None:
            self._portions[at].pop(name, None)
        self._leases.pop(name, None)

    async def run(self) -> None:
        started = self._clock.monotonic()
        for turn in itertools.count():
            at = turn % PORTIONS
            if not self._portions[at] and turn % PORTIONS:
                continue
            wait = started + ROUND + turn * ROUND / PORTIONS - self._clock.monotonic()
            if wait > 0:
                await self._clock.sleep(wait)
            for node in list(self._portions[at].values()):
                await self._try_to_renew(node)
                await asyncio.sleep(0)

    async def _try_to_renew(self, node: core_v1.Node) -> None:
        for _ in range(TRIES):
            try:
                await self._renew(node)
                return
            except (StatusError, ConnectionError, TimeoutError) as error:
                self._leases.pop(node.metadata.name, None)
                log.info("lease of %s: %s", node.metadata.name, error)

    async def _renew(self, node: core_v1.Node) -> None:
        name = node.metadata.name
        now = times.to_micro_time(self._clock.time())
        known = self._leases.get(name)
        if known is None:
            try:
                known = await self._client.get(coordination_v1.Lease, name, nodes.LEASES)
            except StatusError as error:
                if error.reason != "NotFound":
                    raise
                self._leases[name] = await self._client.create(nodes.lease(node, now=now))
                return
        fresh = codecs.copy(known)
        fresh.spec.renewTime = now
        fresh.spec.holderIdentity = name
        self._leases[name] = await self._client.update(fresh)
