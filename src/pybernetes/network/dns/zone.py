"""What the cluster's names stand for, as the specification of Kubernetes' DNS has it. Pure: caches in, records out."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from pybernetes import informers
from pybernetes.api.types import core_v1, discovery_v1
from pybernetes.network.dns import message

SERVICE_LABEL = "kubernetes.io/service-name"
# Of the specification that the names follow.
VERSION = "1.1.0"
# Seconds that askers may keep an answer.
TTL = 5
_BY_SERVICE = "dns-service"
_BY_ADDRESS = "dns-address"
_HEADLESS = "None"
_REVERSED = (".in-addr.arpa", ".ip6.arpa")


@dataclass(frozen=True, slots=True)
class Answer:
    """No records and `exists`: the name stands for something, but not of the type that was asked for."""

    exists: bool
    records: tuple[message.Record, ...] = ()
    additional: tuple[message.Record, ...] = ()


NOTHING = Answer(False)
EMPTY = Answer(True)


class _Place(NamedTuple):
    """An endpoint of a headless Service, under its own name there."""

    host: str
    ip: str
    ports: tuple[discovery_v1.EndpointPort, ...]


class Zone:
    """Answers from what the informers know at that moment."""

    def __init__(self, made: informers.Informers, domain: str) -> None:
        self.domain = domain
        self._services = made.of(core_v1.Service)
        self._slices = made.of(discovery_v1.EndpointSlice)
        self._services.add_index(_BY_ADDRESS, _addresses)
        self._slices.add_index(_BY_SERVICE, _service_of)
        self._slices.add_index(_BY_ADDRESS, _endpoint_addresses)

    async def wait_synced(self) -> None:
        await self._services.wait_synced()
        await self._slices.wait_synced()

    def answer(self, name: str, kind: int) -> Answer | None:
        """None for names that are not the cluster's. `name` is in lower case."""
        if name == self.domain:
            return EMPTY
        if name.endswith("." + self.domain):
            return self._within(name, name.removesuffix("." + self.domain).split("."), kind)
        if name.endswith(_REVERSED):
            return self._reverse(name, kind)
        return None

    def _within(self, name: str, labels: list[str], kind: int) -> Answer:
        match labels:
            case ["dns-version"]:
                return _of_type(kind, [message.text(name, VERSION, TTL)])
            case ["svc"] | ["pod"]:
                return EMPTY
            case [namespace, "svc" | "pod"]:
                return EMPTY if self._services.cache.list(namespace) else NOTHING
            case [address, _, "pod"]:
                return _pod(name, address, kind)
            case [service, namespace, "svc"]:
                return self._service(name, namespace, service, kind)
            case [host, service, namespace, "svc"]:
                return self._host(name, namespace, service, host, kind)
            case [port, protocol, service, namespace, "svc"] if port[:1] == protocol[:1] == "_":
                return self._ports(name, namespace, service, (port[1:], protocol[1:]), kind)
        return NOTHING

    def _service(self, name: str, namespace: str, service_name: str, kind: int) -> Answer:
        service = self._services.cache.get(service_name, namespace)
        if service is None:
            return NOTHING
        if service.spec.type == "ExternalName":
            return Answer(True, (message.alias(name, service.spec.externalName or "", TTL),))
        if service.spec.clusterIP == _HEADLESS:
            places = list(self._places(namespace, service_name))
            if not places:
                return NOTHING
            ips = dict.fromkeys(place.ip for place in places)
        else:
            ips = dict.fromkeys(_addresses(service))
        return _of_type(kind, [message.address(name, ip, TTL) for ip in ips])

    def _host(self, name: str, namespace: str, service_name: str, host: str, kind: int) -> Answer:
        if not self._is_headless(namespace, service_name):
            return NOTHING
        ips = dict.fromkeys(place.ip for place in self._places(namespace, service_name) if place.host == host)
        return _of_type(kind, [message.address(name, ip, TTL) for ip in ips]) if ips else NOTHING

    def _ports(self, name: str, namespace: str, service_name: str, wanted: tuple[str, str], kind: int) -> Answer:
        """`wanted` is the name of a port and its protocol, both in lower case."""
        service = self._services.cache.get(service_name, namespace)
        if service is None:
            return NOTHING
        owner = f"{service_name}.{namespace}.svc.{self.domain}"
        targets: list[tuple[str, str, int]] = []
        if self._is_headless(namespace, service_name):
            for place in self._places(namespace, service_name):
                targets += [
                    (f"{place.host}.{owner}", place.ip, port.port)
                    for port in place.ports
                    if (port.name or "", (port.protocol or "TCP").lower()) == wanted and port.port is not None
                ]
        else:
            for offered in service.spec.ports:
                if (offered.name, (offered.protocol or "TCP").lower()) == wanted:
                    targets += [(owner, ip, offered.port) for ip in _addresses(service)]
        if not targets:
            return NOTHING
        weight = max(1, 100 // len(targets))
        if kind != message.SRV:
            return EMPTY
        answers = tuple(
            message.service(name, weight=weight, port=port, target=target, ttl=TTL)
            for target, port in dict.fromkeys((target, port) for target, _, port in targets)
        )
        hosts = dict.fromkeys((target, ip) for target, ip, _ in targets)
        return Answer(True, answers, tuple(message.address(target, ip, TTL) for target, ip in hosts))

    def _reverse(self, name: str, kind: int) -> Answer | None:
        """None for addresses of which the cluster knows nothing."""
        ip = _reversed_address(name)
        targets = [
            f"{service.metadata.name}.{service.metadata.namespace}.svc.{self.domain}"
            for service in self._services.cache.index(_BY_ADDRESS, ip)
        ]
        for found in self._slices.cache.index(_BY_ADDRESS, ip):
            namespace, service_name = found.metadata.namespace, found.metadata.labels.get(SERVICE_LABEL, "")
            if self._is_headless(namespace, service_name):
                targets += [
                    f"{place.host}.{service_name}.{namespace}.svc.{self.domain}"
                    for place in _places(found)
                    if place.ip == ip
                ]
        if not targets:
            return None
        return _of_type(kind, [message.pointer(name, target, TTL) for target in dict.fromkeys(targets)])

    def _is_headless(self, namespace: str, service_name: str) -> bool:
        service = self._services.cache.get(service_name, namespace)
        return service is not None and service.spec.clusterIP == _HEADLESS

    def _places(self, namespace: str, service_name: str) -> Iterator[_Place]:
        for found in self._slices.cache.index(_BY_SERVICE, informers.join_key(namespace, service_name)):
            yield from _places(found)


def _places(found: discovery_v1.EndpointSlice) -> Iterator[_Place]:
    """The ready ones: those of a Service that publishes others as well are called ready, too."""
    if found.addressType == "FQDN":
        return
    for endpoint in found.endpoints:
        if endpoint.conditions.ready is not False:
            for ip in endpoint.addresses:
                yield _Place((endpoint.hostname or _dashed(ip)).lower(), ip, tuple(found.ports))


def _dashed(ip: str) -> str:
    return ip.replace(".", "-").replace(":", "-")


def _pod(name: str, dashed: str, kind: int) -> Answer:
    """10-244-0-7 stands for 10.244.0.7, whether there is such a pod or not."""
    for separator in ".:":
        try:
            ip = str(ipaddress.ip_address(dashed.replace("-", separator)))
        except ValueError:
            continue
        return _of_type(kind, [message.address(name, ip, TTL)])
    return NOTHING


def _of_type(kind: int, records: Sequence[message.Record]) -> Answer:
    return Answer(True, tuple(record for record in records if record.type == kind))


def _reversed_address(name: str) -> str:
    """The address that a name of the reversed zones is about; "" for a part of one."""
    labels = name.split(".")[:-2][::-1]
    if name.endswith(_REVERSED[0]):
        given = ".".join(labels)
    else:
        digits = "".join(labels)
        given = ":".join(digits[at : at + 4] for at in range(0, len(digits), 4))
    try:
        return str(ipaddress.ip_address(given))
    except ValueError:
        return ""


def _addresses(service: core_v1.Service) -> list[str]:
    """Its cluster addresses; a headless one has none."""
    listed = service.spec.clusterIPs or [service.spec.clusterIP or ""]
    return [ip for ip in listed if ip not in ("", _HEADLESS)]


def _service_of(found: discovery_v1.EndpointSlice) -> list[str]:
    name = found.metadata.labels.get(SERVICE_LABEL, "")
    return [informers.join_key(found.metadata.namespace, name)] if name else []


def _endpoint_addresses(found: discovery_v1.EndpointSlice) -> list[str]:
    return list(dict.fromkeys(place.ip for place in _places(found)))
