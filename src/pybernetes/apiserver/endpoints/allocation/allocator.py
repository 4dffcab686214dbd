"""Cluster IPs and node ports of services: taken for a write, kept if it succeeds, given back if it fails."""

from __future__ import annotations

from collections.abc import Sequence

from pybernetes.api.types import core_v1
from pybernetes.apiserver.endpoints.allocation import addresses as addresses_
from pybernetes.apiserver.endpoints.allocation import families
from pybernetes.apiserver.endpoints.allocation import ports as ports_


class Taken:
    """What one write has taken, and the addresses it gives up."""

    def __init__(self, addresses: addresses_.Addresses, ports: ports_.NodePorts) -> None:
        self._addresses, self._ports = addresses, ports
        self.addresses: list[str] = []
        self.ports: list[int] = []
        self.given_up: list[str] = []

    async def keep(self) -> None:
        """The stored service now says it."""
        await self._end(self.given_up)

    async def give_back(self) -> None:
        await self._end(self.addresses)

    async def _end(self, addresses: Sequence[str]) -> None:
        await self._ports.release(self.ports)
        for address in addresses:
            await self._addresses.release(address)


class Allocator:
    """`configured` are the IP families that the cluster has, the default one first."""

    def __init__(self, addresses: addresses_.Addresses, ports: ports_.NodePorts, *, configured: Sequence[str]) -> None:
        self._addresses, self._ports, self._configured = addresses, ports, configured

    async def reserve(self, new: core_v1.Service, old: core_v1.Service | None, dry_run: bool) -> Taken:
        """Fill in and take what the service needs beyond what the old one has.

        Raises StatusError: 422, or 500 where all are taken.
        """
        families.fill(new, old, self._configured)
        taken = Taken(self._addresses, self._ports)
        try:
            await self._reserve_addresses(new, old, taken, dry_run)
            await self._ports.reserve(new, old, taken.ports)
        except BaseException:
            await taken.give_back()
            raise
        return taken

    async def release(self, service: core_v1.Service) -> None:
        """The service is gone."""
        for address in assigned(service):
            await self._addresses.release(address)

    async def _reserve_addresses(
        self, new: core_v1.Service, old: core_v1.Service | None, taken: Taken, dry_run: bool
    ) -> None:
        spec = new.spec
        had = old.spec.clusterIPs if old is not None and old.spec.type != "ExternalName" else []
        if spec.type == "ExternalName":
            taken.given_up = [address for address in had if address != "None"]
            return
        if "None" in (*spec.clusterIPs, *had):
            return
        taken.given_up = list(had[len(spec.ipFamilies) :])
        for index in range(len(had), len(spec.ipFamilies)):
            asked = spec.clusterIPs[index] if index < len(spec.clusterIPs) else ""
            spec.clusterIPs = [*spec.clusterIPs[:index], asked, *spec.clusterIPs[index + 1 :]]
            address = await self._addresses.take(new, spec.ipFamilies[index], asked, dry_run=dry_run)
            if not dry_run:
                taken.addresses.append(address)
            spec.clusterIPs[index] = address
        spec.clusterIP = spec.clusterIPs[0] if spec.clusterIPs else ""


def assigned(service: core_v1.Service) -> list[str]:
    """The addresses that the service says it has."""
    if service.spec.type == "ExternalName":
        return []
    return [address for address in service.spec.clusterIPs if address and address != "None"]
