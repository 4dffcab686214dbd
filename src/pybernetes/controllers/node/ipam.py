"""Gives every node a range of pod addresses out of the cluster's."""

from __future__ import annotations

import ipaddress
from typing import Any

from pybernetes.api import codecs
from pybernetes.api.types import core_v1
from pybernetes.controllers.context import Context

NAME = "node-ipam-controller"
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Ranges:
    """The equal parts of a network, each given away at most once."""

    def __init__(self, network: Network, prefix: int) -> None:
        self._network, self._prefix = network, prefix
        self._step = 1 << (network.max_prefixlen - prefix)
        self._count = 1 << max(prefix - network.prefixlen, 0)
        self._taken: dict[int, str] = {}
        self._next = 0

    def take(self, text: str, owner: str) -> None:
        """Note a range that someone has."""
        part = ipaddress.ip_network(text, strict=False)
        network: Any = self._network
        if part.version == network.version and part.subnet_of(network):
            self._taken[(int(part.network_address) - int(self._network.network_address)) // self._step] = owner

    def give(self, owner: str) -> str | None:
        """The next free range; None: there is none left."""
        for offset in range(self._count):
            at = (self._next + offset) % self._count
            if at not in self._taken:
                self._taken[at] = owner
                self._next = (at + 1) % self._count
                start = self._network.network_address + at * self._step
                return f"{start}/{self._prefix}"
        return None

    def release(self, owner: str) -> None:
        self._taken = {at: holder for at, holder in self._taken.items() if holder != owner}


class NodeIPAM:
    """The controller. Work items are nodes."""

    def __init__(self, context: Context) -> None:
        self._context, self._client = context, context.client
        self._recorder = context.recorder("cidrAllocator")
        self._queue = context.queue(NAME)
        self._nodes = context.informers.of(core_v1.Node)
        cidr = context.settings.cluster_cidr.partition(",")[0]
        network = ipaddress.ip_network(cidr) if cidr else None
        self._ranges = None
        if network is not None:
            size = context.settings.node_cidr_mask_size
            self._ranges = Ranges(network, 64 if network.version == 6 else size)
            self._nodes.on_change(self._changed)

    async def run(self) -> None:
        await self._context.reconcile(NAME, self._queue, self.reconcile, after=(self._nodes,), workers=1)

    def _changed(self, old: core_v1.Node | None, new: core_v1.Node | None) -> None:
        if self._ranges is None:
            return
        if new is None:
            if old is not None:
                self._ranges.release(old.metadata.name)
        elif new.spec.podCIDR:
            self._ranges.take(new.spec.podCIDR, new.metadata.name)
        else:
            self._queue.add(new.metadata.name, "Node has no podCIDR")

    async def reconcile(self, key: str) -> None:
        node = self._nodes.cache.get(key)
        if self._ranges is None or node is None or node.spec.podCIDR:
            return
        given = self._ranges.give(key)
        if given is None:
            about = core_v1.ObjectReference(kind="Node", name=key, uid=node.metadata.uid)
            message = f"Node {key} status is now: CIDRNotAvailable"
            self._recorder.event(about, "Normal", "CIDRNotAvailable", message)
            return
        try:
            copy = codecs.copy(node)
            copy.spec.podCIDR, copy.spec.podCIDRs = given, [given]
            await self._client.update(copy)
        except BaseException:
            self._ranges.release(key)
            raise
