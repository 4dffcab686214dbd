"""Cluster IPs: an IPAddress object says whose each is, and only one can create it, whichever API server asks."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable

from pybernetes.api import cidrs, errors, fields, times
from pybernetes.api.types import core_v1, meta_v1, networking_v1
from pybernetes.apiserver.endpoints.allocation import ranges as ranges_
from pybernetes.apiserver.endpoints.allocation import spans
from pybernetes.apiserver.storage import changes, following, selection
from pybernetes.apiserver.storage import collection as collections
from pybernetes.apiserver.storage import item as items
from pybernetes.kits import chance as chances
from pybernetes.kits import clock as clocks

FAMILY, MANAGED_BY = "ipaddress.kubernetes.io/ip-family", "ipaddress.kubernetes.io/managed-by"
ALLOCATOR = "ipallocator.k8s.io"
_PATH = fields.Path("spec")["clusterIPs"]


class Addresses:
    """Call `start` when the collection is open. Addresses of other people's IPAddress objects are taken, too."""

    def __init__(
        self,
        collection: collections.Collection,
        ranges: ranges_.Ranges,
        *,
        clock: clocks.Clock,
        chance: chances.Chance,
    ) -> None:
        self._collection, self._ranges = collection, ranges
        self._clock, self._chance = clock, chance
        # By IP version, as integers.
        self._used = {4: spans.Used(), 6: spans.Used()}
        self._left: Callable[[str], None] = lambda address: None
        self._claiming: set[str] = set()

    def is_claiming(self, address: str) -> bool:
        """Whether it is being taken right now, so that who takes it gives it back where that is needed."""
        return address in self._claiming

    def on_left(self, handler: Callable[[str], None]) -> None:
        """Whom to tell of an address that could not be given back."""
        self._left = handler

    def start(self) -> None:
        known = [ipaddress.ip_address(item.name) for item in self._collection.select(selection.EVERYTHING).items]
        for version in self._used:
            self._used[version] = spans.Used(int(one) for one in known if one.version == version)
        following.follow(self._collection, self._changed)

    def _changed(self, event: str, item: items.Item) -> None:
        if event == changes.ADDED and item.name in self._claiming:
            # Known since it was chosen.
            return
        address = ipaddress.ip_address(item.name)
        if event == changes.DELETED:
            self._used[address.version].discard(int(address))
        else:
            self._used[address.version].add(int(address))

    async def take(self, service: core_v1.Service, family: str, asked: str, *, dry_run: bool) -> str:
        """The address asked for, or any. Raises StatusError: 422, or 500 where all are taken."""
        try:
            if asked:
                address = ipaddress.ip_address(asked)
                await (self._look_at(address) if dry_run else self._take_asked(address, service))
                return asked
            return self._any(family) if dry_run else await self._take_any(family, service)
        except _Full as full:
            words = f'failed to allocate a serviceIP for Service "{service.metadata.name}": {full}'
            raise errors.internal(words) from None
        except _Refused as why:
            what = f"IP {asked}" if asked else "IP"
            problem = fields.invalid(_PATH, service.spec.clusterIPs, f"failed to allocate {what}: {why}")
            raise errors.invalid("", "Service", service.metadata.name, [problem]) from None

    async def _take_asked(self, address: cidrs.Address, service: core_v1.Service) -> None:
        if not self._ranges.gives(address):
            raise _Refused("the provided network does not match the current range")
        if not await self.claim(address, service):
            raise _Refused("provided IP is already allocated")

    async def _take_any(self, family: str, service: core_v1.Service) -> str:
        version = int(family.removeprefix("IPv"))
        for one in self._ranges.of_family(version):
            if not one.is_ready:
                continue
            for number in spans.candidates(one.span, self._used[version], self._chance):
                address = ipaddress.IPv4Address(number) if version == 4 else ipaddress.IPv6Address(number)
                if await self.claim(address, service):
                    return str(address)
        raise _Full("range is full")

    async def _look_at(self, address: cidrs.Address) -> None:
        """Upstream's dry run: whether the address is free is not looked at."""
        known = self._ranges.of_family(address.version)
        if not any(one.is_ready for one in known):
            raise _Refused("allocator not ready")
        if not self._ranges.gives(address):
            valid = known[0].network
            raise _Refused(f"the provided IP ({address}) is not in the valid range. The range of valid IPs is {valid}")

    def _any(self, family: str) -> str:
        """Of a dry run: that of the network, which nobody has."""
        for one in self._ranges.of_family(int(family.removeprefix("IPv"))):
            if one.is_ready:
                return str(one.network.network_address)
        raise _Refused("allocator not ready")

    async def claim(self, address: cidrs.Address, service: core_v1.Service) -> bool:
        """Whether the address is now the service's; False where somebody has it."""
        obj = networking_v1.IPAddress(
            metadata=meta_v1.ObjectMeta(
                name=str(address),
                uid=self._chance.uuid(),
                creationTimestamp=times.to_time(self._clock.time()),
                labels={FAMILY: f"IPv{address.version}", MANAGED_BY: ALLOCATOR},
            ),
            spec=networking_v1.IPAddressSpec(
                parentRef=networking_v1.ParentReference(
                    resource="services", namespace=service.metadata.namespace, name=service.metadata.name
                )
            ),
        )
        used = self._used[address.version]
        # From now on, so that of those who look at the same time each gets another one at once.
        used.add(int(address))
        self._claiming.add(str(address))
        try:
            await self._collection.create("", str(address), obj)
        except collections.Exists:
            return False
        finally:
            self._claiming.discard(str(address))
            if self._collection.get("", str(address)) is None:
                used.discard(int(address))
        return True

    async def release(self, address: str) -> None:
        item = self._collection.get("", address)
        if item is not None:
            try:
                await self._collection.remove(item)
            except collections.Modified:
                # Somebody else has removed it.
                return
            except collections.Unwritable:
                self._left(address)


class _Refused(Exception):
    """With upstream's reason."""


class _Full(Exception):
    """No range of the family has a free address."""
