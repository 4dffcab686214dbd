"""Keeps pods off nodes where a host port they need is taken."""

from __future__ import annotations

from typing import Any

from pybernetes.api import host_ports
from pybernetes.scheduler import changes
from pybernetes.scheduler import nodes as tables
from pybernetes.scheduler import shape as shapes
from pybernetes.scheduler.plugins import plugin

REASON = "node(s) didn't have free ports for the requested pod ports"


class NodePorts(plugin.Plugin):
    name = "NodePorts"
    helped_by = changes.Change.NODE_ADDED | changes.Change.POD_GONE

    def prepare(self, shape: shapes.Shape, nodes: tables.Nodes) -> Any | None:
        return shape.ports or None

    def reject(self, state: tuple[host_ports.HostPort, ...], nodes: tables.Nodes, rows: Any) -> list[plugin.Rejection]:
        taken = 0
        for used, bits in nodes.ports.items():
            if any(port.clashes(used) for port in state):
                taken |= bits
        return [plugin.Rejection(REASON, nodes.mask(taken)[rows], False)]
