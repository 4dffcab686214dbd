"""Every three minutes, as upstream does: services and the IPAddress objects of their cluster IPs brought in line.

They come apart where somebody changes or deletes IPAddresses, or a server died between its writes.
"""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from pybernetes.api import times
from pybernetes.api.types import core_v1, networking_v1
from pybernetes.apiserver.endpoints import addresses as allocators
from pybernetes.apiserver.storage import collection as collections
from pybernetes.apiserver.storage import selection
from pybernetes.kits import clock as clocks

log = logging.getLogger(__name__)

PERIOD = 180.0
# How long an address may wait for the write of its service, and for one that is made anew, in seconds.
GRACE, FRESH = 60.0, 5.0
FAMILY, MANAGED_BY = "ipaddress.kubernetes.io/ip-family", "ipaddress.kubernetes.io/managed-by"

# About whom, reason and message of a warning.
Tell = Callable[[Any, str, str], None]
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Finding(NamedTuple):
    """What is wrong with an address; `about` is who is told, `drop` and `claim_for` what is to be done."""

    address: str
    about: core_v1.Service | networking_v1.IPAddress
    reason: str
    message: str
    drop: bool = False
    claim_for: core_v1.Service | None = None


def key(namespace: str, name: str) -> str:
    return f"{namespace}/{name}"


def of_service(
    service: core_v1.Service,
    services: Mapping[str, core_v1.Service],
    known: Mapping[str, networking_v1.IPAddress],
    networks: Sequence[Network],
) -> Iterable[Finding]:
    """What is wrong with the addresses that a service says it has."""
    meta = service.metadata
    for text in service.spec.clusterIPs:
        if text == "None":
            continue
        try:
            ip = ipaddress.ip_address(text)
        except ValueError:
            words = f"Cluster IP {text} is not a valid IP; please recreate Service"
            yield Finding(text, service, "ClusterIPNotValid", words)
            continue
        at = f"[IPv{ip.version}]: {ip}"
        if not any(ip in network for network in networks):
            words = f"Cluster IP {at} is not within any configured Service CIDR; please recreate service"
            yield Finding(text, service, "ClusterIPOutOfRange", words)
            continue
        address = known.get(str(ip))
        if address is None:
            words = f"Cluster IP {at} is not allocated; repairing"
            yield Finding(str(ip), service, "ClusterIPNotAllocated", words, claim_for=service)
            continue
        parent = address.spec.parentRef
        other = services.get(key(parent.namespace, parent.name)) if parent is not None else None
        if parent is None or parent.group or parent.resource != "services" or (other is None):
            words = f"the ClusterIP {at} for Service {meta.namespace}/{meta.name} has a wrong reference; repairing"
            yield Finding(str(ip), service, "ClusterIPNotAllocated", words, drop=True, claim_for=service)
        elif other.metadata.uid != meta.uid and str(ip) in other.spec.clusterIPs:
            words = f"Cluster IP [IPv{ip.version}]:{ip} was assigned to multiple services; please recreate service"
            yield Finding(str(ip), service, "ClusterIPAlreadyAllocated", words)
        elif other.metadata.uid == meta.uid and not _is_labelled(address, ip.version):
            yield Finding(str(ip), service, "", "", drop=True, claim_for=service)


def of_address(address: networking_v1.IPAddress, services: Mapping[str, core_v1.Service], now: float) -> Finding | None:
    """What is wrong with an address that a service is said to have."""
    meta, parent = address.metadata, address.spec.parentRef
    if meta.labels.get(MANAGED_BY) != allocators.MANAGED_BY:
        return None
    if parent is None or parent.group or parent.resource != "services":
        words = f"IPAddress {meta.name} appears to have been modified, not referencing a Service: cleaning up"
        return Finding(meta.name, address, "IPAddressNotAllocated", words, drop=True)
    age = now - times.parse(meta.creationTimestamp) if meta.creationTimestamp else GRACE + FRESH
    service = services.get(key(parent.namespace, parent.name))
    where = f"IPAddress: {meta.name} for Service {parent.namespace}/{parent.name}"
    if service is None:
        words = f"{where} appears to have leaked: cleaning up"
        return Finding(meta.name, address, "IPAddressNotAllocated", words, drop=True) if age > GRACE else None
    grace = GRACE if service.spec.type == "ExternalName" else FRESH
    if meta.name in service.spec.clusterIPs or age < grace:
        return None
    words = f"{where} has a wrong reference; cleaning up"
    return Finding(meta.name, address, "IPAddressWrongReference", words, drop=True)


def _is_labelled(address: networking_v1.IPAddress, version: int) -> bool:
    labels = address.metadata.labels
    return labels.get(FAMILY) == f"IPv{version}" and labels.get(MANAGED_BY) == allocators.MANAGED_BY


class Repair:
    """Run `run` as a task. `allocator` takes and gives back; `tell` warns."""

    def __init__(
        self,
        *,
        services: collections.Collection,
        addresses: collections.Collection,
        ranges: collections.Collection,
        allocator: allocators.ServiceAddresses,
        tell: Tell,
        clock: clocks.Clock,
    ) -> None:
        self._services, self._addresses, self._ranges = services, addresses, ranges
        self._allocator, self._tell, self._clock = allocator, tell, clock

    async def run(self) -> None:
        while True:
            await self._clock.sleep(PERIOD)
            try:
                await self.sweep()
            except (collections.Modified, collections.Unwritable) as error:
                log.info("cluster IPs are repaired later: %r", error)

    async def sweep(self) -> None:
        """One round."""
        services = self._all_services()
        for service in services.values():
            for finding in list(of_service(service, services, self._known(), self._networks())):
                await self._act(finding)
        for address in self._known().values():
            # Services may have come meanwhile.
            found = of_address(address, self._all_services(), self._clock.time())
            if found is not None:
                await self._act(found)

    async def _act(self, finding: Finding) -> None:
        if finding.reason:
            self._tell(finding.about, finding.reason, finding.message)
        if finding.drop:
            await self._allocator.release_address(finding.address)
        if finding.claim_for is not None:
            await self._allocator.claim(finding.address, finding.claim_for)

    def _all_services(self) -> dict[str, core_v1.Service]:
        found = (item.peek(core_v1.Service) for item in self._services.select(selection.EVERYTHING).items)
        return {key(one.metadata.namespace, one.metadata.name): one for one in found}

    def _known(self) -> dict[str, networking_v1.IPAddress]:
        return {
            item.name: item.peek(networking_v1.IPAddress) for item in self._addresses.select(selection.EVERYTHING).items
        }

    def _networks(self) -> list[Network]:
        found = [item.peek(networking_v1.ServiceCIDR) for item in self._ranges.select(selection.EVERYTHING).items]
        return [ipaddress.ip_network(text) for one in found for text in one.spec.cidrs]
