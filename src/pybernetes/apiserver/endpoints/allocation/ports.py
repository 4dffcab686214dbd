"""Node ports: who has which is derived from the stored services, and from what writes under way have taken.

So a crash leaks none. Where several API servers give them out, `claims` has one of them get a port.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from pybernetes.api import errors, fields
from pybernetes.api.types import core_v1
from pybernetes.apiserver.endpoints.allocation import spans
from pybernetes.apiserver.resources.core import service_validation
from pybernetes.apiserver.storage import changes, following, selection
from pybernetes.apiserver.storage import claims as claims_
from pybernetes.apiserver.storage import collection as collections
from pybernetes.apiserver.storage import item as items
from pybernetes.kits import chance as chances

ATTEMPTS = 1000
TAKEN = "provided port is already allocated"
HEALTH_REFUSED = "failed to allocate requested HealthCheck NodePort {}: {}"
WITH_PORTS = ("NodePort", "LoadBalancer")
# The end of both fields that have some: services without either, which most are, need not be decoded.
_MENTIONED = b'odePort":'


class NodePorts:
    """Call `start` when the collection is open. `first` to `last` are given out."""

    def __init__(
        self,
        services: collections.Collection,
        *,
        first: int,
        last: int,
        claims: claims_.Claims | None,
        chance: chances.Chance,
    ) -> None:
        self._services, self._claims, self._chance = services, claims, chance
        self._span = spans.divided(first, last, size=last - first + 1, step=32, most=128)
        self._used = spans.Used()
        # The storage keys of the services that have a port, and the ports of each.
        self._holders: dict[int, set[str]] = {}
        self._held: dict[str, frozenset[int]] = {}
        self.pending: set[int] = set()

    def start(self) -> None:
        for item in self._services.select(selection.EVERYTHING).items:
            self._changed(changes.ADDED, item)
        following.follow(self._services, self._changed)

    @property
    def range(self) -> tuple[int, int]:
        """First and last."""
        return self._span.first, self._span.last

    def is_before(self, port: int, key: str) -> bool:
        """Whether a service has the port whose key in the store comes before this one."""
        return any(holder < key for holder in self._holders.get(port, ()))

    def _changed(self, event: str, item: items.Item) -> None:
        now: frozenset[int] = frozenset()
        if event != changes.DELETED and _MENTIONED in item.data:
            now = frozenset(of_service(item.peek(core_v1.Service)))
        before = self._held.pop(item.key, frozenset())
        if now:
            self._held[item.key] = now
        for port in now - before:
            self._holders.setdefault(port, set()).add(item.key)
            self._used.add(port)
        for port in before - now:
            self._holders[port].discard(item.key)
            if not self._holders[port]:
                del self._holders[port]
                self._forget(port)

    def _forget(self, port: int) -> None:
        if port not in self._holders and port not in self.pending:
            self._used.discard(port)

    async def reserve(self, new: core_v1.Service, old: core_v1.Service | None, taken: list[int]) -> None:
        """Fill in what the service needs, and note in `taken` what is beyond that of the old one.

        Raises StatusError: 422, or 500 where all are taken.
        """
        if self._claims is None:
            self._reserve(new, old, taken)
        else:
            await self._claim(self._claims, new, old, taken)

    async def release(self, ports: Iterable[int]) -> None:
        """What writes have taken: a service has it now, or nobody."""
        for port in ports:
            if self._claims is not None:
                await self._claims.release(str(port))
            self.pending.discard(port)
            self._forget(port)

    def _reserve(self, new: core_v1.Service, old: core_v1.Service | None, taken: list[int]) -> None:
        self._reserve_ports(new, old, taken)
        self._reserve_health_port(new, old, taken)

    async def _claim(
        self, claims: claims_.Claims, new: core_v1.Service, old: core_v1.Service | None, taken: list[int]
    ) -> None:
        """Choose, claim, and then look whether a service has come to have it before the claim."""
        asked = set(of_service(new))
        for _ in range(ATTEMPTS):
            self._reserve(new, old, taken)
            lost = {port for port in taken if not await claims.take(str(port))}
            if taken and not lost:
                await self._services.current()
                lost = {port for port in taken if self._is_stored(port, new)}
            if not lost:
                return
            for index, port in enumerate(new.spec.ports):
                if port.nodePort in lost & asked:
                    raise _refused(new, index, TAKEN)
            await self.release(taken)
            taken.clear()
            for port in new.spec.ports:
                port.nodePort = 0 if port.nodePort in lost else port.nodePort
            if new.spec.healthCheckNodePort in lost:
                if new.spec.healthCheckNodePort in asked:
                    raise errors.internal(HEALTH_REFUSED.format(new.spec.healthCheckNodePort, TAKEN))
                new.spec.healthCheckNodePort = 0
        raise errors.internal("failed to allocate a nodePort: range is full")

    def _reserve_ports(self, new: core_v1.Service, old: core_v1.Service | None, taken: list[int]) -> None:
        wanted = new.spec.type == "NodePort" or (
            new.spec.type == "LoadBalancer" and new.spec.allocateLoadBalancerNodePorts is not False
        )
        if new.spec.type not in WITH_PORTS:
            # A client that turns the service into a ClusterIP one and leaves the old ports in means to give them up.
            for port in new.spec.ports:
                if old is not None and any(port.nodePort == was.nodePort for was in old.spec.ports):
                    port.nodePort = 0
            return
        held = of_service(old) if old is not None else {}
        asked = of_service(new)
        chosen: dict[int, str] = {}
        for index, port in enumerate(new.spec.ports):
            number = port.nodePort
            if not number and wanted:
                number = _same_port(port, old) or _shared(chosen, new, port)
                if not number:
                    number = self._free_port(but=asked)
                    self._take(number, taken)
            elif number and number not in held and chosen.get(number, port.protocol) == port.protocol:
                if not self._span.first <= number <= self._span.last:
                    raise _refused(new, index, self._range_text())
                if number in self.pending or self._is_stored(number, new):
                    raise _refused(new, index, TAKEN)
                self._take(number, taken)
            port.nodePort = number
            if number:
                chosen[number] = port.protocol

    def _reserve_health_port(self, new: core_v1.Service, old: core_v1.Service | None, taken: list[int]) -> None:
        """The port that load balancers ask which nodes have pods of a service with the policy Local."""
        if not service_validation.needs_health_check(new.spec):
            return
        had = old.spec.healthCheckNodePort if old is not None else 0
        number = new.spec.healthCheckNodePort
        if number and number == had:
            return
        if not number:
            number = self._free_port(but=of_service(new))
        elif not self._span.first <= number <= self._span.last:
            raise errors.internal(HEALTH_REFUSED.format(number, self._range_text()))
        elif number in self.pending or self._is_stored(number, new) or number in of_service(new, health=False):
            raise errors.internal(HEALTH_REFUSED.format(number, TAKEN))
        self._take(number, taken)
        new.spec.healthCheckNodePort = number

    def _range_text(self) -> str:
        valid = f"{self._span.first}-{self._span.last}"
        return f"provided port is not in the valid range. The range of valid ports is {valid}"

    def _take(self, number: int, taken: list[int]) -> None:
        self.pending.add(number)
        self._used.add(number)
        taken.append(number)

    def _is_stored(self, port: int, but: core_v1.Service) -> bool:
        """Whether another service has it."""
        key = self._services.key(but.metadata.namespace, but.metadata.name)
        return any(holder != key for holder in self._holders.get(port, ()))

    def _free_port(self, *, but: Collection[int]) -> int:
        """None of those that the service asks for itself."""
        for number in spans.candidates(self._span, self._used, self._chance):
            if number not in but:
                return number
        raise errors.internal("failed to allocate a nodePort: range is full")


def of_service(service: core_v1.Service, *, health: bool = True) -> dict[int, str]:
    """Its node ports, with the protocol of the last port that has each."""
    ports = {port.nodePort: port.protocol for port in service.spec.ports if port.nodePort}
    if health and service.spec.healthCheckNodePort:
        ports[service.spec.healthCheckNodePort] = "TCP"
    return ports


def listed(service: core_v1.Service) -> list[int]:
    """Its node ports, each as often as it is taken: ports of different protocols share one."""
    found: list[int] = []
    protocols: dict[int, set[str]] = {}
    for port in service.spec.ports:
        if port.nodePort:
            seen = protocols.setdefault(port.nodePort, set())
            if not seen or port.protocol in seen:
                found.append(port.nodePort)
            seen.add(port.protocol)
    health = service.spec.healthCheckNodePort
    if health and "TCP" in protocols.get(health, {"TCP"}):
        found.append(health)
    return found


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


def _refused(service: core_v1.Service, index: int, why: str) -> errors.StatusError:
    path, port = fields.Path("spec")["ports"][index]["nodePort"], service.spec.ports[index].nodePort
    return errors.invalid("", "Service", service.metadata.name, [fields.invalid(path, port, why)])
