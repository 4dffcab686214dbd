"""EndpointSlices."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from pybernetes.api import fields, names
from pybernetes.api.types import discovery_v1
from pybernetes.apiserver.resources import cells, checks, kind
from pybernetes.apiserver.resources.core import endpoints, service_validation

_MAX_ENDPOINTS = 1000
_MAX_PORTS = 20000
_MAX_ADDRESSES = 100
_SHOWN = 3


def default(endpoint_slice: discovery_v1.EndpointSlice) -> None:
    for port in endpoint_slice.ports:
        if port.name is None:
            port.name = ""
        if port.protocol is None:
            port.protocol = "TCP"


def prepare_create(endpoint_slice: discovery_v1.EndpointSlice) -> None:
    endpoint_slice.metadata.generation = 1


def validate(endpoint_slice: discovery_v1.EndpointSlice) -> checks.Errors:
    problems: checks.Errors = []
    family = endpoint_slice.addressType
    problems += checks.required_one_of(family, ("FQDN", "IPv4", "IPv6"), fields.Path("addressType"))
    path = fields.Path("endpoints")
    own = endpoints.is_servers_own(endpoint_slice.metadata)
    if len(endpoint_slice.endpoints) > _MAX_ENDPOINTS:
        problems.append(fields.too_many(path, len(endpoint_slice.endpoints), _MAX_ENDPOINTS))
    for index, endpoint in enumerate(endpoint_slice.endpoints):
        problems += _endpoint(endpoint, family, path[index], own=own)
    path = fields.Path("ports")
    if len(endpoint_slice.ports) > _MAX_PORTS:
        problems.append(fields.too_many(path, len(endpoint_slice.ports), _MAX_PORTS))
    seen: set[str] = set()
    for index, port in enumerate(endpoint_slice.ports):
        at = path[index]
        name = port.name or ""
        if name:
            problems += checks.named(name, names.dns_label, at["name"])
        if name in seen:
            problems.append(fields.duplicate(at["name"], name))
        seen.add(name)
        problems += checks.required_one_of(port.protocol or "", ("SCTP", "TCP", "UDP"), at["protocol"])
        if port.port is not None:
            problems += checks.port(port.port, at["port"])
        if port.appProtocol is not None:
            problems += checks.named(port.appProtocol, names.qualified_name, at["appProtocol"])
    return problems


def _endpoint(endpoint: discovery_v1.Endpoint, family: str, path: fields.Path, *, own: bool) -> checks.Errors:
    problems: checks.Errors = []
    at = path["addresses"]
    if not endpoint.addresses:
        problems.append(fields.required(at, "must contain at least 1 address"))
    elif len(endpoint.addresses) > _MAX_ADDRESSES:
        problems.append(fields.too_many(at, len(endpoint.addresses), _MAX_ADDRESSES))
    for index, address in enumerate(endpoint.addresses):
        problems += _address(address, family, at[index], own=own)
    if endpoint.nodeName is not None:
        problems += checks.named(endpoint.nodeName, names.dns_subdomain, path["nodeName"])
    problems += checks.labels(endpoint.deprecatedTopology, path["deprecatedTopology"])
    if endpoint.hostname is not None:
        problems += checks.named(endpoint.hostname, names.dns_label, path["hostname"])
    if endpoint.hints is not None:
        zones = path["hints"]["forZones"]
        if len(endpoint.hints.forZones) > 8:
            problems.append(fields.too_many(zones, len(endpoint.hints.forZones), 8))
        seen: set[str] = set()
        for index, zone in enumerate(endpoint.hints.forZones):
            if zone.name in seen:
                problems.append(fields.duplicate(zones[index]["name"], zone.name))
            seen.add(zone.name)
            problems += checks.named(zone.name, names.label_value, zones[index]["name"])
    return problems


def _address(address: str, family: str, path: fields.Path, *, own: bool) -> checks.Errors:
    if family == "FQDN":
        return checks.named(address, names.dns_subdomain, path)
    version = 4 if family == "IPv4" else 6
    try:
        value = ipaddress.ip_address(address)
    except ValueError:
        return [fields.invalid(path, address, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)")]
    if value.version != version:
        return [fields.invalid(path, address, f"must be an {family} address")]
    return [] if own else service_validation.endpoint_ip(address, path)


def validate_update(new: discovery_v1.EndpointSlice, old: discovery_v1.EndpointSlice) -> checks.Errors:
    return checks.immutable(new.addressType, old.addressType, fields.Path("addressType"))


def row(endpoint_slice: discovery_v1.EndpointSlice, now: float) -> Sequence[kind.Cell]:
    ports = [str(port.port) if port.port is not None else port.name or "*" for port in endpoint_slice.ports]
    addresses = [address for endpoint in endpoint_slice.endpoints for address in endpoint.addresses]
    return (
        endpoint_slice.metadata.name,
        endpoint_slice.addressType,
        _listed(ports),
        _listed(addresses),
        cells.age(endpoint_slice.metadata, now),
    )


def _listed(items: Sequence[str]) -> str:
    text = ",".join(items[:_SHOWN])
    if len(items) > _SHOWN:
        return f"{text} + {len(items) - _SHOWN} more..."
    return text or "<unset>"


KIND: kind.Kind[discovery_v1.EndpointSlice] = kind.Kind(
    resource=kind.resource("discovery.k8s.io", "v1", "endpointslices"),
    default=default,
    prepare_create=prepare_create,
    validate=validate,
    validate_update=validate_update,
    spec_of=lambda s: (s.endpoints, s.ports, s.metadata.labels, s.metadata.annotations),
    columns=(kind.NAME, kind.Column("AddressType"), kind.Column("Ports"), kind.Column("Endpoints"), kind.AGE),
    row=row,
)
