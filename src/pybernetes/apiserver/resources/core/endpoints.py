"""Endpoints."""

from __future__ import annotations

from collections.abc import Sequence

from pybernetes.api import fields, names
from pybernetes.api.types import core_v1, meta_v1
from pybernetes.apiserver.resources import cells, checks, kind
from pybernetes.apiserver.resources.core import pod_validation, service_validation

_SHOWN = 3


def default(endpoints: core_v1.Endpoints) -> None:
    for subset in endpoints.subsets:
        for port in subset.ports:
            port.protocol = port.protocol or "TCP"


def validate(endpoints: core_v1.Endpoints) -> checks.Errors:
    problems: checks.Errors = []
    for index, subset in enumerate(endpoints.subsets):
        path = fields.Path("subsets")[index]
        if not subset.addresses and not subset.notReadyAddresses:
            problems.append(fields.required(path, "must specify `addresses` or `notReadyAddresses`"))
        for part in ("addresses", "notReadyAddresses"):
            for place, address in enumerate(getattr(subset, part)):
                problems += _address(address, path[part][place], own=is_servers_own(endpoints.metadata))
        for place, port in enumerate(subset.ports):
            at = path["ports"][place]
            if port.name:
                problems += checks.named(port.name, names.dns_label, at["name"])
            elif len(subset.ports) > 1:
                problems.append(fields.required(at["name"]))
            problems += checks.port(port.port, at["port"])
            problems += checks.required_one_of(port.protocol, ("SCTP", "TCP", "UDP"), at["protocol"])
            if port.appProtocol is not None:
                problems += checks.named(port.appProtocol, names.qualified_name, at["appProtocol"])
    return problems


def is_servers_own(meta: meta_v1.ObjectMeta) -> bool:
    """The API server's own address, which is loopback on a machine that has no other and in simulated clusters."""
    return (meta.namespace, meta.name) == ("default", "kubernetes")


def _address(address: core_v1.EndpointAddress, path: fields.Path, *, own: bool) -> checks.Errors:
    problems = pod_validation.ip(address.ip, path["ip"])
    if not problems and not own:
        problems += service_validation.endpoint_ip(address.ip, path["ip"])
    if address.hostname:
        problems += checks.named(address.hostname, names.dns_label, path["hostname"])
    if address.nodeName is not None:
        problems += checks.named(address.nodeName, names.dns_subdomain, path["nodeName"])
    return problems


def row(endpoints: core_v1.Endpoints, now: float) -> Sequence[kind.Cell]:
    listed: list[str] = []
    for subset in endpoints.subsets:
        if not subset.ports:
            listed += [address.ip for address in subset.addresses]
        for port in subset.ports:
            listed += [host_port(address.ip, port.port) for address in subset.addresses]
    text = "<none>"
    if endpoints.subsets:
        text = ",".join(listed[:_SHOWN])
        if len(listed) > _SHOWN:
            text += f" + {len(listed) - _SHOWN} more..."
    return endpoints.metadata.name, text, cells.age(endpoints.metadata, now)


def host_port(address: str, port: int) -> str:
    """`10.0.0.1:80`, `[::1]:80`."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


KIND: kind.Kind[core_v1.Endpoints] = kind.Kind(
    resource=kind.resource("", "v1", "endpoints"),
    default=default,
    validate=validate,
    warnings=lambda _: ("v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice",),
    columns=(kind.NAME, kind.Column("Endpoints"), kind.AGE),
    row=row,
)
