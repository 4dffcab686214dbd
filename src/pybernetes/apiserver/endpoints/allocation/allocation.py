"""The parts of the allocation put together."""

from __future__ import annotations

from pybernetes.apiserver.endpoints.allocation import addresses as addresses_
from pybernetes.apiserver.endpoints.allocation import allocator as allocators
from pybernetes.apiserver.endpoints.allocation import ports as ports_
from pybernetes.apiserver.endpoints.allocation import ranges as ranges_
from pybernetes.apiserver.endpoints.allocation import repair as repairs
from pybernetes.apiserver.storage import claims as claims_
from pybernetes.apiserver.storage import collection as collections
from pybernetes.kits import chance as chances
from pybernetes.kits import clock as clocks


class Allocation:
    """`configured` are the ranges of the start, which tell the cluster's IP families; addresses come from those of the
    ServiceCIDRs. `ports` are first and last; `claims` is None where no other API server gives out ports.

    Give `allocator` to who writes services; `start` when what is stored has been read, then run `repair`.
    """

    def __init__(
        self,
        *,
        services: collections.Collection,
        addresses: collections.Collection,
        service_cidrs: collections.Collection,
        configured: str,
        ports: tuple[int, int],
        claims: claims_.Claims | None,
        tell: repairs.Tell,
        clock: clocks.Clock,
        chance: chances.Chance,
    ) -> None:
        networks = ranges_.parse(configured)
        self._ranges = ranges_.Ranges(service_cidrs, networks)
        self.addresses = addresses_.Addresses(addresses, self._ranges, clock=clock, chance=chance)
        self.ports = ports_.NodePorts(services, first=ports[0], last=ports[1], claims=claims, chance=chance)
        families = [f"IPv{network.version}" for network in networks]
        self.allocator = allocators.Allocator(self.addresses, self.ports, configured=families)
        self.repair = repairs.Repair(
            services=services,
            addresses=addresses,
            ranges=self._ranges,
            allocating=self.addresses,
            ports=self.ports,
            is_alone=claims is None,
            tell=tell,
            clock=clock,
            chance=chance,
        )

    async def start(self) -> None:
        self._ranges.start()
        self.addresses.start()
        self.ports.start()
        await self.repair.begin()
