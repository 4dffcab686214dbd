"""Ports that pods take on their node itself; asked by the scheduler and by the kubelet."""

from __future__ import annotations

from typing import NamedTuple

from pybernetes.api.types import core_v1


class HostPort(NamedTuple):
    """A port taken on the node itself."""

    ip: str
    protocol: str
    port: int

    def clashes(self, other: HostPort) -> bool:
        if (self.protocol, self.port) != (other.protocol, other.port):
            return False
        return self.ip == other.ip or "0.0.0.0" in (self.ip, other.ip)


def of(spec: core_v1.PodSpec) -> tuple[HostPort, ...]:
    return tuple(
        HostPort(port.hostIP or "0.0.0.0", port.protocol or "TCP", port.hostPort)
        for container in (*spec.containers, *(c for c in spec.initContainers if c.restartPolicy == "Always"))
        for port in container.ports
        if port.hostPort
    )
