"""The ranges that Service addresses are given from: those of all ServiceCIDRs, as they are now."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from pybernetes.api import cidrs
from pybernetes.api.types import networking_v1
from pybernetes.apiserver.endpoints.allocation import spans
from pybernetes.apiserver.storage import collection as collections
from pybernetes.apiserver.storage import following, selection

# Upstream gives nothing from IPv6 ranges that are wider.
SHORTEST_V6 = 64


class Range(NamedTuple):
    """A range by the ServiceCIDRs that state it; `is_ready` where one of them is ready and not on its way out."""

    network: cidrs.Network
    span: spans.Span
    is_ready: bool


def is_ready(cidr: networking_v1.ServiceCIDR) -> bool:
    """One that no controller has looked at yet is: there may be none running."""
    if cidr.metadata.deletionTimestamp is not None:
        return False
    return all(one.status == "True" for one in cidr.status.conditions if one.type == "Ready")


def span(network: cidrs.Network) -> spans.Span:
    """Without the network's own address and, of IPv4, the broadcast address."""
    first, last = int(network.network_address) + 1, int(network.broadcast_address) - (network.version == 4)
    return spans.divided(first, last, size=network.num_addresses, step=16, most=256)


def of(found: Iterable[networking_v1.ServiceCIDR]) -> list[Range]:
    """In the order of the objects. Ranges may overlap: an address is taken once whichever it comes from."""
    ready: dict[cidrs.Network, bool] = {}
    for cidr in found:
        for network in cidrs.networks(cidr):
            if network.version == 4 or network.prefixlen >= SHORTEST_V6:
                ready[network] = ready.get(network, False) or is_ready(cidr)
    return [Range(network, span(network), is_ready) for network, is_ready in ready.items()]


class Ranges:
    """Call `start` when the collection is open. The `configured` ranges count while there is no ServiceCIDR: where the
    kind is not served, nobody makes one of them."""

    def __init__(self, collection: collections.Collection, configured: Sequence[cidrs.Network]) -> None:
        self._collection = collection
        self._configured = [Range(network, span(network), is_ready=True) for network in configured]
        self._ranges: list[Range] = []
        self._handlers: list[Callable[[], None]] = []

    def start(self) -> None:
        self._read()
        following.follow(self._collection, lambda event, item: self._read())

    def _read(self) -> None:
        items = self._collection.select(selection.EVERYTHING).items
        before = self.networks()
        self._ranges = of(item.peek(networking_v1.ServiceCIDR) for item in items) if items else self._configured
        if self.networks() != before:
            for handler in self._handlers:
                handler()

    def on_change(self, handler: Callable[[], None]) -> None:
        """Call it from now on when there are other networks than before."""
        self._handlers.append(handler)

    def of_family(self, version: int) -> list[Range]:
        """Whether they are ready or not."""
        return [one for one in self._ranges if one.network.version == version]

    def gives(self, address: cidrs.Address) -> bool:
        """Whether a Service may be given the address."""
        return any(one.is_ready and cidrs.holds(one.network, address) for one in self._ranges)

    def networks(self) -> list[cidrs.Network]:
        return [one.network for one in self._ranges]


def parse(text: str) -> tuple[cidrs.Network, ...]:
    """Those that the API server is told of at its start: one, or one of each family, split at a comma."""
    return tuple(ipaddress.ip_network(one) for one in text.split(","))
