"""Which endpoints take a Service's traffic: ready ones, else those that end but still serve. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from pybernetes.api.types import core_v1, discovery_v1


class Endpoint(NamedTuple):
    """An address and port, and whether it is on this node."""

    ip: str
    port: int
    local: bool


class Choice(NamedTuple):
    """For traffic that may go anywhere, and for traffic that must stay on the node."""

    cluster: tuple[Endpoint, ...]
    local: tuple[Endpoint, ...]
    exist: bool


def choose(slices: Iterable[discovery_v1.EndpointSlice], port: core_v1.ServicePort, node_name: str) -> Choice:
    """The endpoints for one port of a Service, in a stable order."""
    ready: set[Endpoint] = set()
    ending: set[Endpoint] = set()
    for found in slices:
        if found.addressType != "IPv4":
            continue
        for target in found.ports:
            if (target.name or "") != port.name or (target.protocol or "TCP") != (port.protocol or "TCP"):
                continue
            if target.port is None:
                continue
            for endpoint in found.endpoints:
                if not endpoint.addresses:
                    continue
                place = Endpoint(endpoint.addresses[0], target.port, endpoint.nodeName == node_name)
                conditions = endpoint.conditions
                if conditions.ready is not False:
                    ready.add(place)
                elif conditions.serving is not False and conditions.terminating:
                    ending.add(place)
    ready_local = {endpoint for endpoint in ready if endpoint.local}
    ending_local = {endpoint for endpoint in ending if endpoint.local}
    return Choice(
        cluster=tuple(sorted(ready or ending)),
        local=tuple(sorted(ready_local or ending_local)),
        exist=bool(ready or ending),
    )
