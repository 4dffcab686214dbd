"""Cluster IPs of services and their IPAddress objects: where they do not go together, and what is to be done.

They come apart where somebody changes or deletes IPAddresses, or a server died between its writes.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from pybernetes.api import cidrs, times
from pybernetes.api.types import core_v1, networking_v1
from pybernetes.apiserver.endpoints.allocation import addresses as addresses_
from pybernetes.apiserver.endpoints.allocation import allocator, families

# How long an address may wait for the write of its service, and for one that is made anew, in seconds.
GRACE, FRESH = 60.0, 5.0

FindService = Callable[[str, str], core_v1.Service | None]
FindAddress = Callable[[str], networking_v1.IPAddress | None]


class Finding(NamedTuple):
    """What is wrong with an address; `about` is who is told, unless there is no reason to, `drop` and `claim_for` what
    is to be done."""

    address: str
    about: core_v1.Service | networking_v1.IPAddress
    reason: str
    message: str
    drop: bool = False
    claim_for: core_v1.Service | None = None


def of_service(
    service: core_v1.Service, find_service: FindService, find_address: FindAddress, networks: Sequence[cidrs.Network]
) -> Iterable[Finding]:
    """What is wrong with the addresses that a service says it has."""
    meta = service.metadata
    for text in allocator.assigned(service):
        try:
            ip = ipaddress.ip_address(text)
        except ValueError:
            words = f"Cluster IP {text} is not a valid IP; please recreate Service"
            yield Finding(text, service, "ClusterIPNotValid", words)
            continue
        at = f"[IPv{ip.version}]: {ip}"
        if not cidrs.held(networks, ip):
            words = f"Cluster IP {at} is not within any configured Service CIDR; please recreate service"
            yield Finding(text, service, "ClusterIPOutOfRange", words)
            continue
        address = find_address(str(ip))
        if address is None:
            words = f"Cluster IP {at} is not allocated; repairing"
            yield Finding(str(ip), service, "ClusterIPNotAllocated", words, claim_for=service)
            continue
        parent = address.spec.parentRef
        other = find_service(parent.namespace, parent.name) if parent is not None else None
        if parent is None or not _is_service(parent) or other is None:
            words = f"the ClusterIP {at} for Service {meta.namespace}/{meta.name} has a wrong reference; repairing"
            yield Finding(str(ip), service, "ClusterIPNotAllocated", words, drop=True, claim_for=service)
            continue
        if other.metadata.uid != meta.uid and str(ip) in other.spec.clusterIPs:
            words = f"Cluster IP [IPv{ip.version}]:{ip} was assigned to multiple services; please recreate service"
            yield Finding(str(ip), service, "ClusterIPAlreadyAllocated", words)
        elif not _is_labelled(address):
            yield Finding(str(ip), service, "", "", drop=True, claim_for=service)


def of_address(address: networking_v1.IPAddress, find_service: FindService, now: float) -> Finding | float | None:
    """What is wrong with an address that a service is said to have, or in how many seconds that can be said."""
    meta, parent = address.metadata, address.spec.parentRef
    if not is_managed(address):
        return None
    if parent is None or not _is_service(parent):
        words = f"IPAddress {meta.name} appears to have been modified, not referencing a Service {_shown(parent)}"
        return Finding(meta.name, address, "IPAddressNotAllocated", f"{words}: cleaning up", drop=True)
    created = times.parse(meta.creationTimestamp) if meta.creationTimestamp else 0.0
    age = now - created
    service = find_service(parent.namespace, parent.name)
    where = f"IPAddress: {meta.name} for Service {parent.namespace}/{parent.name}"
    if service is None:
        if age <= GRACE:
            # A moment more than the grace, as the times of objects are whole seconds.
            return GRACE - age + 1.0
        words = f"{where} appears to have leaked: cleaning up"
        return Finding(meta.name, address, "IPAddressNotAllocated", words, drop=True)
    if meta.name in service.spec.clusterIPs:
        return None
    if service.spec.type == "ExternalName" and age < GRACE:
        return GRACE - age
    since = times.parse(service.metadata.creationTimestamp) if service.metadata.creationTimestamp else 0.0
    if created > since and age < FRESH:
        return FRESH
    words = f"{where} has a wrong reference; cleaning up"
    return Finding(meta.name, address, "IPAddressWrongReference", words, drop=True)


def is_managed(address: networking_v1.IPAddress) -> bool:
    """Whether it is an API server's, and not somebody else's who keeps addresses in objects of this kind."""
    return address.metadata.labels.get(addresses_.MANAGED_BY) == addresses_.ALLOCATOR


def _is_service(parent: networking_v1.ParentReference) -> bool:
    return not parent.group and parent.resource == "services"


def _is_labelled(address: networking_v1.IPAddress) -> bool:
    meta = address.metadata
    return is_managed(address) and meta.labels.get(addresses_.FAMILY) == families.of(meta.name)


def _shown(parent: networking_v1.ParentReference | None) -> str:
    """As upstream shows it."""
    if parent is None:
        return "nil"
    return (
        f"&ParentReference{{Group:{parent.group},Resource:{parent.resource},Namespace:{parent.namespace},"
        f"Name:{parent.name},}}"
    )
