"""The addresses that load balancers are given on machines of one's own, and which of them one gets: pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterable, Iterator

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Pool:
    """`ranges` are networks (`192.168.1.0/28`), spans (`192.168.1.240-192.168.1.250`) and single addresses.

    The first and last addresses of an IPv4 network are its own and the broadcast one: they are left out of networks
    that have more than two. Raises ValueError.
    """

    def __init__(self, ranges: Iterable[str]) -> None:
        self._spans = [_span(text.strip()) for text in ranges]

    def __bool__(self) -> bool:
        return bool(self._spans)

    def __contains__(self, text: str) -> bool:
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            return False
        return any(
            first.version == address.version and int(first) <= int(address) <= int(last) for first, last in self._spans
        )

    def serves(self, family: str) -> bool:
        """Whether there are addresses of a family, `IPv4` or `IPv6`."""
        return any(f"IPv{first.version}" == family for first, _ in self._spans)

    def free(self, family: str, taken: Collection[str]) -> str | None:
        """The lowest address of a family that nobody has; None: all are given."""
        return next((address for address in self._addresses(family) if address not in taken), None)

    def _addresses(self, family: str) -> Iterator[str]:
        for first, last in self._spans:
            if f"IPv{first.version}" == family:
                for number in range(int(first), int(last) + 1):
                    yield str(type(first)(number))


def _span(text: str) -> tuple[Address, Address]:
    if "/" in text:
        network = ipaddress.ip_network(text, strict=False)
        inner = 1 if network.version == 4 and network.num_addresses > 2 else 0
        return network[inner], network[-1 - inner]
    low, dash, high = text.partition("-")
    first = ipaddress.ip_address(low.strip())
    last = ipaddress.ip_address(high.strip()) if dash else first
    if first.version != last.version or int(first) > int(last):
        raise ValueError(f"{text!r} is not a range of addresses")
    return first, last


def choose(pool: Pool, families: list[str], asked: str, taken: Collection[str]) -> list[str]:
    """One address of each of the families that the pool has, the asked one among them.

    Raises ValueError where the asked one is not to be had, or one family has none left.
    """
    if asked and asked not in pool:
        raise ValueError(f"requested address {asked} is not in the pool")
    if asked and asked in taken:
        raise ValueError(f"requested address {asked} is already in use")
    chosen: list[str] = []
    for family in families:
        if not pool.serves(family):
            continue
        if asked and f"IPv{ipaddress.ip_address(asked).version}" == family:
            chosen.append(asked)
            continue
        found = pool.free(family, taken)
        if found is None:
            raise ValueError(f"no {family} address of the pool is free")
        chosen.append(found)
    if asked and asked not in chosen:
        raise ValueError(f"requested address {asked} is of no family of the service")
    if not chosen:
        raise ValueError(f"the pool has no {' and no '.join(families)} addresses")
    return chosen
