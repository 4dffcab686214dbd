"""The Lease that says that an API server is there, and the end of those whose servers are not."""

from __future__ import annotations

import base64
import hashlib
import logging
import struct
from collections.abc import Awaitable, Callable

from pybernetes import client as clients
from pybernetes.api import codecs, errors, times
from pybernetes.api.types import coordination_v1, meta_v1
from pybernetes.kits import chance as chances
from pybernetes.kits import clock as clocks
from pybernetes.kits import tasks

log = logging.getLogger(__name__)

COMPONENT = "kube-apiserver"
LABEL = "apiserver.kubernetes.io/identity"
HOSTNAME = "kubernetes.io/hostname"
NAMESPACE = "kube-system"
DURATION_SECONDS = 3600
RENEW_SECONDS, JITTER = 10.0, 0.04
COLLECT_SECONDS = 3600.0
# For what is asked of the store at the end, which may not answer any more.
LAST_SECONDS = 5.0

Lease = coordination_v1.Lease


def name_of(hostname: str) -> str:
    """Of the API server of a machine: 128 bits of a hash, as a name."""
    parts = (hostname.encode(), COMPONENT.encode())
    text = b"".join(struct.pack(">H", len(part)) + part for part in parts)
    return "apiserver-" + base64.b32encode(hashlib.sha256(text).digest()[:16]).decode().rstrip("=").lower()


def is_expired(lease: Lease, now: float) -> bool:
    """A lease that does not say for how long it holds is nobody's."""
    spec = lease.spec
    if spec.renewTime is None or spec.leaseDurationSeconds is None:
        return True
    return times.parse(spec.renewTime) + spec.leaseDurationSeconds < now


class Identity:
    """Keeps the lease of this server, and once an hour takes away those that have run out.

    `claim` it before the server is asked anything, `start` to keep it; `first` is done once it is there.
    """

    def __init__(self, client: clients.Client, hostname: str, *, clock: clocks.Clock, chance: chances.Chance) -> None:
        self.name = name_of(hostname)
        self._client = client
        self._hostname = hostname
        self._holder = f"{self.name}_{chance.uuid()}"
        self._clock = clock
        self._chance = chance
        self._lease: Lease | None = None
        self._tasks = tasks.Tasks()

    async def claim(self) -> None:
        """Take the place of an earlier server of this name; one that died has left its lease."""
        try:
            await self._delete(self.name)
            self._lease = await self._client.create(self._renewed(None))
        except errors.StatusError as error:
            log.info("identity lease %s: %s", self.name, error)

    def start(self, first: Callable[[], Awaitable[None]]) -> None:
        self._tasks.spawn(self._keep(first), name="identity lease")
        self._tasks.spawn(self._collect(), name="expired identity leases")

    async def close(self) -> None:
        """Let go of the lease."""
        await self._tasks.close()
        try:
            async with self._clock.timeout(LAST_SECONDS):
                await self._delete(self.name)
        except (errors.StatusError, TimeoutError) as error:
            log.info("identity lease %s: %s", self.name, error)

    # -- inside

    async def _keep(self, first: Callable[[], Awaitable[None]]) -> None:
        if self._lease is None:
            await self.renew()
        await first()
        while True:
            await self._clock.sleep(self._chance.jitter(RENEW_SECONDS, JITTER))
            await self.renew()

    async def renew(self) -> None:
        """As far as that can be done now: from what was written last, or else from what is there."""
        try:
            if self._lease is not None:
                self._lease = await self._client.update(self._renewed(self._lease))
                return
        except errors.StatusError as error:
            log.info("identity lease %s: %s", self.name, error)
            self._lease = None
        try:
            self._lease = await self._write(await self._find())
        except errors.StatusError as error:
            log.warning("identity lease %s is not renewed: %s", self.name, error)

    async def _find(self) -> Lease | None:
        try:
            return await self._client.get(Lease, self.name, NAMESPACE)
        except errors.StatusError as error:
            if error.reason != "NotFound":
                raise
            return None

    async def _write(self, found: Lease | None) -> Lease:
        renewed = self._renewed(found)
        return await (self._client.create(renewed) if found is None else self._client.update(renewed))

    def _renewed(self, lease: Lease | None) -> Lease:
        if lease is None:
            meta = meta_v1.ObjectMeta(name=self.name, namespace=NAMESPACE)
            fresh = Lease(metadata=meta, spec=coordination_v1.LeaseSpec(holderIdentity=self._holder))
        else:
            fresh = codecs.copy(lease)
        fresh.metadata.labels = fresh.metadata.labels | {LABEL: COMPONENT, HOSTNAME: self._hostname}
        fresh.spec.leaseDurationSeconds = DURATION_SECONDS
        fresh.spec.renewTime = times.to_micro_time(self._clock.time())
        return fresh

    async def _delete(self, name: str, *, revision: str | None = None) -> None:
        try:
            await self._client.delete(Lease, name, NAMESPACE, revision=revision)
        except errors.StatusError as error:
            if error.reason not in ("NotFound", "Conflict"):
                raise

    async def _collect(self) -> None:
        while True:
            try:
                await self.collect()
            except errors.StatusError as error:
                log.warning("expired identity leases: %s", error)
            await self._clock.sleep(COLLECT_SECONDS)

    async def collect(self) -> None:
        """One round."""
        listing = await self._client.list(Lease, NAMESPACE, labels=f"{LABEL}={COMPONENT}")
        now = self._clock.time()
        for lease in listing.items:
            if is_expired(lease, now):
                # Not one that has been renewed since.
                await self._delete(lease.metadata.name, revision=lease.metadata.resourceVersion)
