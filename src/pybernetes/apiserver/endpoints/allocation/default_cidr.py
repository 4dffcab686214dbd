"""The ServiceCIDR `kubernetes`: made of the ranges that the API server is told of at its start, and kept ready."""

from __future__ import annotations

from collections.abc import Sequence

from pybernetes import client as clients
from pybernetes import informers
from pybernetes.api import codecs, errors, times
from pybernetes.api.types import meta_v1, networking_v1
from pybernetes.apiserver.endpoints.allocation import repair as repairs
from pybernetes.apiserver.storage import collection as collections
from pybernetes.apiserver.storage import following
from pybernetes.apiserver.storage import item as items
from pybernetes.kits import chance as chances
from pybernetes.kits import clock as clocks

NAME = "kubernetes-service-cidr-controller"
OBJECT = "kubernetes"
READY = "Kubernetes default Service CIDR is ready"
_FAILED = "KubernetesDefaultServiceCIDRError"


class DefaultServiceCIDR:
    """`sync` makes it; `run`, as a task, looks again whenever it changes. `ranges` are in the order of the flag."""

    agent = NAME

    def __init__(
        self,
        collection: collections.Collection,
        ranges: Sequence[str],
        *,
        tell: repairs.Tell,
        clock: clocks.Clock,
        chance: chances.Chance,
    ) -> None:
        self._collection, self._ranges = collection, list(ranges)
        self._tell, self._clock = tell, clock
        self._queue = informers.Queue(NAME, clock=clock, chance=chance)
        # What people have to look at is told once.
        self._told: set[str] = set()

    async def run(self, client: clients.Client) -> None:
        async def reconcile(key: str) -> None:
            await self.sync(client)

        following.follow(self._collection, self._changed)
        self._queue.add(OBJECT)
        try:
            await informers.Loop(NAME, self._queue, reconcile, clock=self._clock).run()
        finally:
            self._queue.close()

    def _changed(self, event: str, item: items.Item) -> None:
        if item.name == OBJECT:
            self._queue.add(OBJECT)

    async def sync(self, client: clients.Client) -> None:
        """Raises StatusError where it cannot be made."""
        item = self._collection.get("", OBJECT)
        if item is None:
            cidr = networking_v1.ServiceCIDR(
                metadata=meta_v1.ObjectMeta(name=OBJECT), spec=networking_v1.ServiceCIDRSpec(cidrs=self._ranges)
            )
            try:
                cidr = await client.create(cidr)
            except errors.StatusError as error:
                if error.reason != "AlreadyExists":
                    self._tell(NAME, cidr, _FAILED, "The default ServiceCIDR can not be created")
                    raise
                return
        else:
            cidr = item.peek(networking_v1.ServiceCIDR)
        if len(cidr.spec.cidrs) == 1 and len(self._ranges) == 2 and cidr.spec.cidrs == self._ranges[:1]:
            await self._widen(client, cidr)
        elif cidr.metadata.deletionTimestamp is None:
            await self._look_at_status(client, cidr)

    async def _widen(self, client: clients.Client, cidr: networking_v1.ServiceCIDR) -> None:
        """The cluster has come to have a second IP family."""
        copy = codecs.copy(cidr)
        copy.spec.cidrs = self._ranges
        try:
            await client.update(copy)
        except errors.StatusError as error:
            words = f"can not be upgraded from {self._ranges[0]} to dual stack {_shown(self._ranges)} : {error}"
            self._tell(NAME, cidr, _FAILED, f"The default ServiceCIDR {words}")

    async def _look_at_status(self, client: clients.Client, cidr: networking_v1.ServiceCIDR) -> None:
        if cidr.spec.cidrs != self._ranges:
            words = f"{_shown(cidr.spec.cidrs)} does not match the controller flag configurations"
            self._tell_once(
                cidr,
                "KubernetesDefaultServiceCIDRInconsistent",
                f"The default ServiceCIDR {words} {_shown(self._ranges)}",
            )
            return
        ready = next((one for one in cidr.status.conditions if one.type == "Ready"), None)
        if ready is not None and ready.status == "False":
            # Whoever has set it is to say when it is over.
            self._tell_once(cidr, ready.reason, f"Configuration matches, but {ready.message}")
        elif ready is None or ready.status == "Unknown":
            now = times.to_time(self._clock.time())
            copy = codecs.copy(cidr)
            others = [one for one in copy.status.conditions if one.type != "Ready"]
            wanted = meta_v1.Condition(type="Ready", status="True", reason="", message=READY, lastTransitionTime=now)
            copy.status.conditions = [*others, wanted]
            try:
                await client.update_status(copy)
            except errors.StatusError as error:
                if error.reason not in ("Conflict", "NotFound"):
                    words = "The default ServiceCIDR Status can not be set to Ready=True"
                    self._tell(NAME, cidr, _FAILED, words)

    def _tell_once(self, cidr: networking_v1.ServiceCIDR, reason: str, message: str) -> None:
        if reason not in self._told:
            self._told.add(reason)
            self._tell(NAME, cidr, reason, message)


def _shown(ranges: Sequence[str]) -> str:
    """As Go shows a list."""
    return f"[{' '.join(ranges)}]"
