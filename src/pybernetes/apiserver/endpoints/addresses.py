"""Cluster IPs and node ports of services: taken for a write, kept if it succeeds, given back if it fails.

What is taken is derived from the stored services, plus what is reserved by writes still under way; so a crash leaks
nothing. Addresses are also published as IPAddress objects, as upstream does, so that other API servers over the same
store see them.
"""

from __future__ import annotations

import ipaddress
from typing import Any

from pybernetes.api import errors, fields, times
from pybernetes.api.types import core_v1, meta_v1, networking_v1
from pybernetes.apiserver.resources.core import service_validation
from pybernetes.apiserver.storage import claims as claims_
from pybernetes.apiserver.storage import collection as collections
from pybernetes.apiserver.storage import item as items
from pybernetes.apiserver.storage import selection
from pybernetes.kits import chance as chances
from pybernetes.kits import clock as clocks

ATTEMPTS = 1000
TAKEN = "provided port is already allocated"
HEALTH_REFUSED = "failed to allocate requested HealthCheck NodePort {}: {}"
WITH_PORTS = ("NodePort", "LoadBalancer")
MANAGED_BY = "ipallocator.k8s.io"


class Taken:
    """What one write has taken."""

    def __init__(self, allocator: ServiceAddresses) -> None:
        self._allocator = allocator
        self.addresses: list[str] = []
        self.ports: list[int] = []
        self.given_up: list[str] = []

    async def keep(self) -> None:
        """The stored service now says it."""
        await self._allocator.release_ports(self.ports)
        for address in self.given_up:
            await self._allocator.release_address(address)

    async def give_back(self) -> None:
        await self._allocator.release_ports(self.ports)
        for address in self.addresses:
            await self._allocator.release_address(address)


class ServiceAddresses:
    """`cidr` is the service range, e.g. 10.96.0.0/12; `ports` the node port range, first and last.

    Where other API servers give them out, too, `claims` has one of them get a port; an address is an object of the
    store anyway, which only one can create.
    """

    def __init__(
        self,
        *,
        services: collections.Collection,
        addresses: collections.Collection,
        cidr: str,
        ports: tuple[int, int],
        claims: claims_.Claims | None,
        clock: clocks.Clock,
        chance: chances.Chance,
    ) -> None:
        self._services = services
        self._addresses = addresses
        self._network = ipaddress.ip_network(cidr)
        self._first_port, self._last_port = ports
        self._claims = claims
        self._clock = clock
        self._chance = chance
        self.pending_ports: set[int] = set()

    async def reserve(self, new: core_v1.Service, old: core_v1.Service | None, dry_run: bool) -> Taken | None:
        """Fill in and take what the service needs beyond what the old one has. Raises StatusError 422."""
        taken = Taken(self)
        try:
            if new.spec.type == "ExternalName":
                if old is not None and not dry_run:
                    taken.given_up = [address for address in old.spec.clusterIPs if address != "None"]
                _clear(new)
                return taken
            await self._reserve_address(new, old, taken, dry_run)
            if self._claims is None:
                self._reserve_ports(new, old, taken)
                self._reserve_health_port(new, old, taken)
            else:
                await self._claim_ports(self._claims, new, old, taken)
        except BaseException:
            await taken.give_back()
            raise
        return taken

    async def release(self, service: core_v1.Service) -> None:
        """The service is gone."""
        for address in service.spec.clusterIPs:
            if address != "None":
                await self.release_address(address)

    async def release_address(self, address: str) -> None:
        item = self._addresses.get("", address)
        if item is not None:
            try:
                await self._addresses.remove(item)
            except (collections.Modified, collections.Unwritable):
                # Somebody else has removed it, or it is repaired when the store is back.
                return

    async def repair(self) -> None:
        """At start: drop IPAddress objects that no service has, add those that are missing."""
        wanted: dict[str, core_v1.Service] = {}
        for item in self._services.select(selection.EVERYTHING).items:
            service = item.peek(core_v1.Service)
            for address in service.spec.clusterIPs:
                if address != "None":
                    wanted[address] = service
        for item in self._addresses.select(selection.EVERYTHING).items:
            if item.name not in wanted and not self._is_under_way(item):
                await self.release_address(item.name)
        for address, service in wanted.items():
            if self._addresses.get("", address) is None:
                await self.claim(address, service)

    def _is_under_way(self, item: items.Item) -> bool:
        """Whether another API server may be making the service that the address is for."""
        if self._claims is None:
            return False
        created = item.peek(networking_v1.IPAddress).metadata.creationTimestamp
        return created is not None and self._clock.time() - times.parse(created) < claims_.GRACE_SECONDS

    async def _reserve_address(
        self, new: core_v1.Service, old: core_v1.Service | None, taken: Taken, dry_run: bool
    ) -> None:
        spec = new.spec
        kept = old.spec.clusterIP if old is not None and old.spec.type != "ExternalName" else ""
        if kept:
            if not spec.clusterIP:
                spec.clusterIP, spec.clusterIPs = kept, list(old.spec.clusterIPs if old else [])
            return _fill_families(new)
        if spec.clusterIP == "None":
            spec.clusterIPs = ["None"]
            return _fill_families(new)
        asked = spec.clusterIP or (spec.clusterIPs[0] if spec.clusterIPs else "")
        if dry_run:
            address = asked
        elif asked:
            address = await self._take_asked(new, asked)
            taken.addresses.append(address)
        else:
            address = await self._take_any(new)
            taken.addresses.append(address)
        spec.clusterIP = address
        spec.clusterIPs = [address] if address else []
        return _fill_families(new)

    async def _take_asked(self, service: core_v1.Service, address: str) -> str:
        path = fields.Path("spec")["clusterIPs"]
        try:
            inside = ipaddress.ip_address(address) in self._network
        except ValueError:
            inside = False
        if not inside:
            why = f"failed to allocate IP {address}: the provided network does not match the current range"
            raise _refused(service, fields.invalid(path, [address], why))
        if not await self.claim(address, service):
            why = f"failed to allocate IP {address}: provided IP is already allocated"
            raise _refused(service, fields.invalid(path, [address], why))
        return address

    async def _take_any(self, service: core_v1.Service) -> str:
        """At random from the upper part of the range: the lower is left to those who ask for addresses by name."""
        size = self._network.num_addresses
        lower = min(max(16, size // 16), 256) if size > 32 else 1
        for _ in range(ATTEMPTS):
            address = str(self._network[lower + self._chance.below(max(size - lower - 1, 1))])
            if self._addresses.get("", address) is None and await self.claim(address, service):
                return address
        for offset in range(1, min(size - 1, 1 << 16)):
            address = str(self._network[offset])
            if self._addresses.get("", address) is None and await self.claim(address, service):
                return address
        raise errors.internal("failed to allocate a serviceIP: range is full")

    async def claim(self, address: str, service: core_v1.Service) -> bool:
        """Whether the address is now the service's; False where somebody has it."""
        obj = networking_v1.IPAddress(
            metadata=meta_v1.ObjectMeta(
                name=address,
                uid=self._chance.uuid(),
                creationTimestamp=times.to_time(self._clock.time()),
                labels={
                    "ipaddress.kubernetes.io/ip-family": f"IPv{self._network.version}",
                    "ipaddress.kubernetes.io/managed-by": MANAGED_BY,
                },
            ),
            spec=networking_v1.IPAddressSpec(
                parentRef=networking_v1.ParentReference(
                    resource="services", namespace=service.metadata.namespace, name=service.metadata.name
                )
            ),
        )
        try:
            await self._addresses.create("", address, obj)
        except collections.Exists:
            return False
        return True

    async def release_ports(self, ports: list[int]) -> None:
        if self._claims is not None:
            for port in ports:
                await self._claims.release(str(port))
        self.pending_ports.difference_update(ports)

    async def _claim_ports(
        self, claims: claims_.Claims, new: core_v1.Service, old: core_v1.Service | None, taken: Taken
    ) -> None:
        """Choose, claim, and then look whether a service has come to have it before the claim."""
        asked = set(_ports_of(new))
        for _ in range(ATTEMPTS):
            self._reserve_ports(new, old, taken)
            self._reserve_health_port(new, old, taken)
            lost = {port for port in taken.ports if not await claims.take(str(port))}
            if taken.ports and not lost:
                await self._services.current()
                lost = self._stored_ports(new).intersection(taken.ports)
            if not lost:
                return
            for index, port in enumerate(new.spec.ports):
                if port.nodePort in lost & asked:
                    path = fields.Path("spec")["ports"][index]["nodePort"]
                    raise _refused(new, fields.invalid(path, port.nodePort, TAKEN))
            await self.release_ports(taken.ports)
            taken.ports.clear()
            for port in new.spec.ports:
                port.nodePort = 0 if port.nodePort in lost else port.nodePort
            if new.spec.healthCheckNodePort in lost:
                if new.spec.healthCheckNodePort in asked:
                    raise errors.internal(HEALTH_REFUSED.format(new.spec.healthCheckNodePort, TAKEN))
                new.spec.healthCheckNodePort = 0
        raise errors.internal("failed to allocate a nodePort: range is full")

    def _reserve_ports(self, new: core_v1.Service, old: core_v1.Service | None, taken: Taken) -> None:
        wanted = new.spec.type == "NodePort" or (
            new.spec.type == "LoadBalancer" and new.spec.allocateLoadBalancerNodePorts is not False
        )
        if new.spec.type not in WITH_PORTS:
            # A client that turns the service into a ClusterIP one and leaves the old ports in means to give them up.
            for port in new.spec.ports:
                if old is not None and any(port.nodePort == was.nodePort for was in old.spec.ports):
                    port.nodePort = 0
            return
        held = _ports_of(old) if old is not None else {}
        used = self._used_ports(new)
        chosen: dict[int, str] = {}
        for index, port in enumerate(new.spec.ports):
            number = port.nodePort
            path = fields.Path("spec")["ports"][index]["nodePort"]
            if not number and wanted:
                number = _same_port(port, old) or _shared(chosen, new, port)
                if not number:
                    number = self._free_port(used | set(chosen), new)
                    self._take_port(number, taken)
            elif number and number not in held and chosen.get(number, port.protocol) == port.protocol:
                if not self._first_port <= number <= self._last_port:
                    raise _refused(new, fields.invalid(path, number, self._range_text()))
                if number in used or number in self.pending_ports:
                    raise _refused(new, fields.invalid(path, number, TAKEN))
                self._take_port(number, taken)
            port.nodePort = number
            if number:
                chosen[number] = port.protocol

    def _reserve_health_port(self, new: core_v1.Service, old: core_v1.Service | None, taken: Taken) -> None:
        """The port that load balancers ask which nodes have pods of a service with the policy Local."""
        if not service_validation.needs_health_check(new.spec):
            return
        had = old.spec.healthCheckNodePort if old is not None else 0
        number = new.spec.healthCheckNodePort
        if number and number == had:
            return
        used = self._used_ports(new) | set(_ports_of(new, health=False))
        if not number:
            number = self._free_port(used, new)
        elif not self._first_port <= number <= self._last_port or number in used:
            raise errors.internal(HEALTH_REFUSED.format(number, TAKEN if number in used else self._range_text()))
        self._take_port(number, taken)
        new.spec.healthCheckNodePort = number

    def _range_text(self) -> str:
        valid = f"{self._first_port}-{self._last_port}"
        return f"provided port is not in the valid range. The range of valid ports is {valid}"

    def _take_port(self, number: int, taken: Taken) -> None:
        self.pending_ports.add(number)
        taken.ports.append(number)

    def _used_ports(self, but: core_v1.Service) -> set[int]:
        return self.pending_ports | self._stored_ports(but)

    def _stored_ports(self, but: core_v1.Service) -> set[int]:
        used: set[int] = set()
        for item in self._services.select(selection.EVERYTHING).items:
            service = item.peek(core_v1.Service)
            if service.metadata.uid != but.metadata.uid:
                used.update(_ports_of(service))
        return used

    def _free_port(self, used: set[int], service: core_v1.Service) -> int:
        free = [port for port in range(self._first_port, self._last_port + 1) if port not in used]
        if not free:
            raise errors.internal("failed to allocate a nodePort: range is full")
        return self._chance.choice(free)


def _fill_families(service: core_v1.Service) -> None:
    spec = service.spec
    if not spec.ipFamilies:
        version = 6 if ":" in spec.clusterIP else 4
        spec.ipFamilies = [f"IPv{version}"]
    if spec.ipFamilyPolicy is None:
        spec.ipFamilyPolicy = "SingleStack"


def _clear(service: core_v1.Service) -> None:
    spec = service.spec
    spec.clusterIP = ""
    spec.clusterIPs = []
    spec.ipFamilies = []
    spec.ipFamilyPolicy = None
    for port in spec.ports:
        port.nodePort = 0


def _ports_of(service: core_v1.Service, *, health: bool = True) -> dict[int, str]:
    ports = {port.nodePort: port.protocol for port in service.spec.ports if port.nodePort}
    if health and service.spec.healthCheckNodePort:
        ports[service.spec.healthCheckNodePort] = "TCP"
    return ports


def _same_port(port: core_v1.ServicePort, old: core_v1.Service | None) -> int:
    """The node port that the same port had before."""
    if old is None:
        return 0
    for was in old.spec.ports:
        if (was.name, was.protocol, was.port) == (port.name, port.protocol, port.port):
            return was.nodePort
    return 0


def _shared(chosen: dict[int, str], service: core_v1.Service, port: core_v1.ServicePort) -> int:
    """Two ports of one number and different protocols share a node port."""
    for other in service.spec.ports:
        if other.nodePort in chosen and other.port == port.port and other.protocol != port.protocol:
            return other.nodePort
    return 0


def _refused(service: core_v1.Service, problem: Any) -> errors.StatusError:
    return errors.invalid("", "Service", service.metadata.name, [problem])
