"""Node ports that a service should not have: another one has them, too, or they are out of range.

Nothing can be repaired, as clients know the ports; who is to recreate a service is told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from pybernetes.api.types import core_v1
from pybernetes.apiserver.endpoints.allocation import ports as ports_


class Finding(NamedTuple):
    reason: str
    message: str


def of_service(service: core_v1.Service, is_others: Callable[[int], bool], first: int, last: int) -> Iterator[Finding]:
    """`is_others` says of a port whether a service has it that comes before this one and keeps it."""
    seen: set[int] = set()
    for port in ports_.listed(service):
        if not first <= port <= last:
            words = f"Port {port} is not within the port range {first}-{last}; please recreate service"
            yield Finding("PortOutOfRange", words)
        elif port in seen or is_others(port):
            words = f"Port {port} was assigned to multiple services; please recreate service"
            yield Finding("PortAlreadyAllocated", words)
        seen.add(port)
