"""Leader election over a coordination/v1 Lease: at most one of several replicas acts.

A candidate takes the lease when nobody holds it, or when it has not seen it renewed for the holder's own
`leaseDurationSeconds`, measured on the candidate's clock, so that clocks need not agree.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from pybernetes.api import codecs, errors, times
from pybernetes.api.types import coordination_v1, meta_v1
from pybernetes.client import Client
from pybernetes.kits.chance import Chance
from pybernetes.kits.clock import Clock

log = logging.getLogger(__name__)


class Election:
    """Runs work only while it holds the lease. Durations in seconds; the defaults are upstream's."""

    def __init__(
        self,
        client: Client,
        *,
        name: str,
        namespace: str,
        identity: str,
        clock: Clock,
        chance: Chance,
        lease: float = 15.0,
        renew_deadline: float = 10.0,
        retry: float = 2.0,
    ) -> None:
        self._client, self._name, self._namespace, self.identity = client, name, namespace, identity
        self._clock, self._chance = clock, chance
        self._lease, self._renew_deadline, self._retry = lease, renew_deadline, retry
        self._seen = ("", 0.0)
        self._renewed = 0.0
        self.leading = False

    async def run(self, lead: Callable[[], Awaitable[None]]) -> None:
        """Wait to be elected, then run `lead`; returns when it ends, or when the lease is lost (`lead` is cancelled).

        The lease is given up on the way out, so that the next one need not wait for it to run out.
        """
        while not await self._try():
            await self._clock.sleep(self._chance.jitter(self._retry, 1.2))
        self._renewed = self._clock.monotonic()
        self.leading = True
        log.info("%s: %s became leader", self._name, self.identity)
        leading = asyncio.ensure_future(lead())
        renewing = asyncio.ensure_future(self._renew())
        try:
            await asyncio.wait((leading, renewing), return_when=asyncio.FIRST_COMPLETED)
        finally:
            self.leading = False
            for task in (leading, renewing):
                task.cancel()
            await asyncio.wait((leading, renewing))
            await self._release()
        if not leading.cancelled():
            leading.result()

    def problem(self, patience: float) -> str | None:
        """What is wrong with a leader that should long have ended: its lease ran out more than so many seconds ago."""
        late = self._clock.monotonic() - self._renewed - self._lease
        return (
            f"failed election to renew leadership on lease {self._name}" if self.leading and late > patience else None
        )

    async def _renew(self) -> None:
        """Returns when the lease could not be renewed in time."""
        while self._clock.monotonic() - self._renewed < self._renew_deadline:
            await self._clock.sleep(self._retry)
            if await self._try():
                self._renewed = self._clock.monotonic()
        log.error("%s: %s lost the lease", self._name, self.identity)

    async def _try(self) -> bool:
        """Take or renew the lease once."""
        try:
            async with self._clock.timeout(self._renew_deadline / 2):
                return await self._take()
        except errors.StatusError as error:
            log.debug("%s: lease not taken: %s", self._name, error)
        except (ConnectionError, TimeoutError) as error:
            log.info("%s: lease not taken: %s", self._name, error)
        return False

    async def _take(self) -> bool:
        now = times.to_micro_time(self._clock.time())
        try:
            found = await self._client.get(coordination_v1.Lease, self._name, self._namespace)
        except errors.StatusError as error:
            if error.reason != "NotFound":
                raise
            fresh = coordination_v1.Lease(
                metadata=meta_v1.ObjectMeta(name=self._name, namespace=self._namespace),
                spec=self._spec(now, acquired=now, transitions=0),
            )
            await self._client.create(fresh)
            return True
        if not self._may_take(found):
            return False
        ours = found.spec.holderIdentity == self.identity
        wanted = codecs.copy(found)
        wanted.spec = self._spec(
            now,
            acquired=(found.spec.acquireTime or now) if ours else now,
            transitions=(found.spec.leaseTransitions or 0) + (not ours),
        )
        await self._client.update(wanted)
        return True

    def _may_take(self, found: coordination_v1.Lease) -> bool:
        holder = found.spec.holderIdentity or ""
        if holder in ("", self.identity):
            return True
        now = self._clock.monotonic()
        if self._seen[0] != found.metadata.resourceVersion:
            self._seen = found.metadata.resourceVersion, now
        return now - self._seen[1] > (found.spec.leaseDurationSeconds or self._lease)

    def _spec(self, now: str, *, acquired: str, transitions: int) -> coordination_v1.LeaseSpec:
        return coordination_v1.LeaseSpec(
            holderIdentity=self.identity,
            leaseDurationSeconds=int(self._lease),
            acquireTime=acquired,
            renewTime=now,
            leaseTransitions=transitions,
        )

    async def _release(self) -> None:
        try:
            async with self._clock.timeout(self._renew_deadline / 2):
                found = await self._client.get(coordination_v1.Lease, self._name, self._namespace)
                if found.spec.holderIdentity != self.identity:
                    return
                wanted = codecs.copy(found)
                now = times.to_micro_time(self._clock.time())
                wanted.spec = self._spec(now, acquired=now, transitions=found.spec.leaseTransitions or 0)
                wanted.spec.holderIdentity = ""
                wanted.spec.leaseDurationSeconds = 1
                await self._client.update(wanted)
        except (errors.StatusError, ConnectionError, TimeoutError) as error:
            log.info("%s: lease not released: %s", self._name, error)
