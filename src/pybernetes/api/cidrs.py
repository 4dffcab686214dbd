"""Ranges of Service addresses, as ServiceCIDRs state them."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator

from pybernetes.api.types import networking_v1

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def networks(cidr: networking_v1.ServiceCIDR) -> Iterator[Network]:
    """Those of one object, in its order; what is none is left out."""
    for text in cidr.spec.cidrs:
        try:
            yield ipaddress.ip_network(text, strict=False)
        except ValueError:
            continue


def holds(network: Network, address: Address) -> bool:
    """Whether a Service may have the address from this range: that of the network is nobody's, nor is, of IPv4, the
    broadcast address."""
    if address not in network or address == network.network_address:
        return False
    return address.version == 6 or address != network.broadcast_address


def held(ranges: Iterable[Network], address: Address) -> bool:
    return any(holds(network, address) for network in ranges)
