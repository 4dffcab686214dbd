"""Where a proxied request goes: a pod's address, an endpoint of a service, a node's kubelet.

What is named is `NAME`, `NAME:PORT` or `SCHEME:NAME:PORT`. Addresses come from statuses that their writers choose:
those of the API server's own machine are never gone to.
"""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from pybernetes.api import errors
from pybernetes.api.types import core_v1

SCHEMES = ("", "http", "https")
LARGEST_PORT = 65535

# (namespace, name) -> the pod, or None.
FindPod = Callable[[str, str], core_v1.Pod | None]


class Named(NamedTuple):
    """What a request names; `scheme` and `port` are "" where it does not say."""

    scheme: str
    name: str
    port: str


class Location(NamedTuple):
    """A server. `is_kubelet`: it is asked with the API server's own certificate, and must have one that is trusted.

    `tls` says how others are trusted, None for in any case; their certificates are to be for `name`.
    """

    scheme: str
    host: str
    port: str = ""
    is_kubelet: bool = False
    tls: ssl.SSLContext | None = None
    name: str = ""

    @property
    def authority(self) -> str:
        """As it stands in URLs; without a port it is the scheme's."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}" if self.port else host

    @property
    def number(self) -> int:
        """The port to connect to. Raises StatusError 503 if it is none."""
        port = self.port or ("443" if self.scheme == "https" else "80")
        if not (port.isascii() and port.isdigit()):
            raise unreachable(f"dial tcp: lookup {self.authority}: no such host")
        if int(port) > LARGEST_PORT:
            raise unreachable(f"dial tcp: address {port}: invalid port")
        return int(port)


def unreachable(why: str) -> errors.StatusError:
    """The 503 of a server that does not answer."""
    return errors.unavailable(f"error trying to reach service: {why}")


def parse(kind: str, text: str) -> Named:
    """Raises StatusError 400. `kind` is what the refusal calls it."""
    parts = text.split(":")
    if len(parts) < 3:
        named = Named("", *parts, *[""] * (2 - len(parts)))
    elif len(parts) == 3:
        named = Named(*parts)
    else:
        named = Named("?", "", "")
    if not named.name or named.scheme not in SCHEMES:
        quoted = text.replace("\\", "\\\\").replace('"', '\\"')
        raise errors.bad_request(f'invalid {kind} request "{quoted}"')
    return named


def is_allowed(address: str) -> bool:
    """Whether requests may go there: not to this machine, nor to what is on the link alone."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    broadcast = str(ip) == "255.255.255.255"
    return not (ip.is_unspecified or ip.is_loopback or ip.is_multicast or ip.is_link_local or broadcast)


def of_pod(named: Named, pod: core_v1.Pod) -> Location:
    """The pod's address, at the first port that one of its containers declares. Raises StatusError 400."""
    port = named.port
    if not port:
        port = next((str(c.ports[0].containerPort) for c in pod.spec.containers if c.ports), "")
    address = next((ip.ip for ip in pod.status.podIPs if ip.ip), pod.status.podIP)
    if not is_allowed(address):
        raise errors.bad_request("address not allowed")
    return Location(named.scheme or "http", address, port)


def port_name(named: Named, service: core_v1.Service) -> str:
    """The name of the service's port with this number. Raises StatusError 503."""
    for port in service.spec.ports:
        if port.port == int(named.port):
            return port.name
    raise errors.unavailable(f'no service port {int(named.port)} found for service "{named.name}"')


def of_endpoints(
    named: Named, port: str, endpoints: core_v1.Endpoints, *, find: FindPod, start: Callable[[int], int]
) -> Location | None:
    """One of the ready endpoints that have a port of this name and are pods of the namespace.

    `start` says where to begin among so many, so that the load is shared.
    """
    namespace = endpoints.metadata.namespace
    for subset in _from(endpoints.subsets, start):
        number = next((p.port for p in subset.ports if p.name == port), None)
        if number is None or not subset.addresses:
            continue
        for address in _from(subset.addresses, start):
            if _is_pod(address, namespace, find):
                return Location(named.scheme or "http", address.ip, str(number))
    return None


def _from(items: Sequence[Any], start: Callable[[int], int]) -> Sequence[Any]:
    first = start(len(items)) if len(items) > 1 else 0
    return [*items[first:], *items[:first]]


def _is_pod(address: core_v1.EndpointAddress, namespace: str, find: FindPod) -> bool:
    target = address.targetRef
    if target is None or target.namespace != namespace:
        return False
    pod = find(namespace, target.name)
    return pod is not None and any(ip.ip == address.ip for ip in pod.status.podIPs)
