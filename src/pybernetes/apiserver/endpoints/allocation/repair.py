"""Services, their addresses and their node ports are looked at whenever they change, and brought in line."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import Any

from pybernetes import informers
from pybernetes.api.types import core_v1, networking_v1
from pybernetes.apiserver.endpoints.allocation import address_repair, port_repair
from pybernetes.apiserver.endpoints.allocation import addresses as addresses_
from pybernetes.apiserver.endpoints.allocation import ports as ports_
from pybernetes.apiserver.endpoints.allocation import ranges as ranges_
from pybernetes.apiserver.storage import changes, following, selection
from pybernetes.apiserver.storage import collection as collections
from pybernetes.apiserver.storage import item as items
from pybernetes.kits import chance as chances
from pybernetes.kits import clock as clocks

NAME = "ipallocator-repair-controller"
PORTS = "portallocator-repair-controller"
# Until the next try where the store does not take writes.
AGAIN = 5.0

# A component, about whom it warns, the reason and the message.
Tell = Callable[[str, Any, str, str], None]


class Repair:
    """`begin` once what is stored has been read, then run `run` as a task. `is_alone`: no other API server gives out
    addresses. Work items are keys of the store: those of services and of addresses."""

    def __init__(
        self,
        *,
        services: collections.Collection,
        addresses: collections.Collection,
        ranges: ranges_.Ranges,
        allocating: addresses_.Addresses,
        ports: ports_.NodePorts,
        is_alone: bool,
        tell: Tell,
        clock: clocks.Clock,
        chance: chances.Chance,
    ) -> None:
        self._services, self._addresses, self._ranges = services, addresses, ranges
        self._allocating, self._ports, self._is_alone = allocating, ports, is_alone
        self._tell, self._clock = tell, clock
        self._queue = informers.Queue(NAME, clock=clock, chance=chance)

    async def begin(self) -> None:
        """What a crash has left, so that the services of this start find their addresses free."""
        if not self._is_alone:
            return
        for item in self._addresses.select(selection.EVERYTHING).items:
            # Nobody can be writing a service yet.
            found = address_repair.of_address(
                item.peek(networking_v1.IPAddress), self._service, self._clock.time() + 2 * address_repair.GRACE
            )
            if isinstance(found, address_repair.Finding):
                await self._act(found)

    async def run(self) -> None:
        self._look_at_all()
        for item in self._addresses.select(selection.EVERYTHING).items:
            self._queue.add(item.key)
        following.follow(self._services, self._service_changed)
        following.follow(self._addresses, self._address_changed)
        self._ranges.on_change(self._look_at_all)
        self._allocating.on_left(lambda address: self._queue.add(self._addresses.key("", address)))
        try:
            await informers.Loop(NAME, self._queue, self._reconcile, clock=self._clock).run()
        finally:
            self._queue.close()

    def _look_at_all(self) -> None:
        for item in self._services.select(selection.EVERYTHING).items:
            self._queue.add(item.key)

    def _service_changed(self, event: str, item: items.Item) -> None:
        self._queue.add(item.key)

    def _address_changed(self, event: str, item: items.Item) -> None:
        if event == changes.ADDED and self._allocating.is_claiming(item.name):
            return
        self._queue.add(item.key)
        parent = item.peek(networking_v1.IPAddress).spec.parentRef
        if event != changes.ADDED and parent is not None and parent.resource == "services":
            self._queue.add(self._services.key(parent.namespace, parent.name))

    async def _reconcile(self, key: str) -> float | None:
        try:
            return await (self._address(key) if key.startswith(self._addresses.prefix) else self._of_service(key))
        except (collections.Modified, collections.Unwritable):
            return AGAIN

    async def _of_service(self, key: str) -> None:
        item = self._services.at(key)
        if item is None:
            return
        service = item.peek(core_v1.Service)
        networks = self._ranges.networks()
        for finding in list(address_repair.of_service(service, self._service, self._known, networks)):
            await self._act(finding)
        first, last = self._ports.range
        for told in port_repair.of_service(service, lambda port: self._ports.is_before(port, key), first, last):
            self._tell(PORTS, service, told.reason, told.message)

    async def _address(self, key: str) -> float | None:
        item = self._addresses.at(key)
        if item is None:
            return None
        address = item.peek(networking_v1.IPAddress)
        found = address_repair.of_address(address, self._service, self._clock.time())
        if isinstance(found, address_repair.Finding):
            await self._act(found)
            return None
        return found

    async def _act(self, finding: address_repair.Finding) -> None:
        if finding.reason:
            self._tell(NAME, finding.about, finding.reason, finding.message)
        if finding.drop:
            await self._allocating.release(finding.address)
        if finding.claim_for is not None:
            await self._allocating.claim(ipaddress.ip_address(finding.address), finding.claim_for)

    def _service(self, namespace: str, name: str) -> core_v1.Service | None:
        item = self._services.get(namespace, name)
        return item.peek(core_v1.Service) if item is not None else None

    def _known(self, address: str) -> networking_v1.IPAddress | None:
        item = self._addresses.get("", address)
        return item.peek(networking_v1.IPAddress) if item is not None else None
