"""The service proxy as a program of its own."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from pybernetes import client as clients
from pybernetes import proxy
from pybernetes.api import errors
from pybernetes.api.types import core_v1, networking_v1
from pybernetes.apiserver.http import listener
from pybernetes.cluster import keeping, machine, processes
from pybernetes.cluster import tools as toolboxes
from pybernetes.cluster.hyperkube import connection, files, ports, sockets
from pybernetes.cluster.hyperkube.kube_proxy import flags, health
from pybernetes.informers import Informer
from pybernetes.kits import chance as chances
from pybernetes.kits import clock as clocks
from pybernetes.kits import tasks

log = logging.getLogger(__name__)

NAME = "kube-proxy"


class Process:
    """`await start()`, `await close()`. The rules stay when it ends."""

    def __init__(
        self, given: Mapping[str, Any], unheeded: Sequence[str], *, clock: clocks.Clock, chance: chances.Chance
    ) -> None:
        self._given, self._unheeded = given, unheeded
        self._clock, self._chance = clock, chance
        self._tasks = tasks.Tasks()
        self._name = machine.node_name(given["hostname-override"])
        self._shown = ports.Shown(NAME, elects=False)
        self._shown.config = lambda: {"kubeproxy.config.k8s.io": _configuration(given)}
        self._shown.pages["/proxyMode"] = lambda: "nftables"
        self._port: ports.Port | None = None
        self._listening: listener.Listener | None = None
        self._health = health.Health(lambda: self._proxy, self._node, clock)
        self._proxy: proxy.Proxy | None = None
        self._nodes: Informer[core_v1.Node] | None = None

    async def start(self) -> None:
        """Returns at once: an API server that does not answer yet is waited for. Raises CannotStart."""
        given = self._given
        await self._connect().close()
        files.tell_unheeded(given["config"], self._unheeded)
        if metrics := flags.endpoint(given["metrics-bind-address"]):
            plain = {"secure-port": 0, "port": metrics[1], "address": metrics[0], "profiling": given["profiling"]}
            self._port = ports.Port(self._shown, plain, self._clock)
            await self._port.start()
        if checked := flags.endpoint(given["healthz-bind-address"]):
            try:
                sock = sockets.bound(*checked)
            except OSError as error:
                raise processes.CannotStart(str(error)) from error
            self._listening = await ports.serve(self._health.answer, sock, None, self._clock)
        self._tasks.spawn(keeping.Kept(NAME, self._run, self._clock).run(), name=NAME)

    async def close(self) -> None:
        await self._tasks.close()
        if self._listening is not None:
            await self._listening.close()
        if self._port is not None:
            await self._port.close()

    def _connect(self) -> clients.Client:
        return connection.client_of(self._given, self._shown.answered, NAME)

    def _node(self) -> core_v1.Node | None:
        return None if self._nodes is None else self._nodes.cache.get(self._name)

    async def _run(self) -> None:
        client = self._connect()
        async with toolboxes.tools(client, clock=self._clock, chance=self._chance) as tools:
            self._nodes = tools.informers.of(core_v1.Node, fields=f"metadata.name={self._name}")
            self._proxy = proxy.Proxy(
                proxy.Settings(
                    node_name=self._name,
                    cluster_cidr=flags.own_range(self._given["cluster-cidr"]) if self._given["cluster-cidr"] else "",
                    service_cidr=await _service_range(client),
                ),
                client,
                tools.informers,
                clock=self._clock,
                chance=self._chance,
            )
            try:
                await tools.informers.start()
                await self._proxy.run()
            finally:
                await self._proxy.close()
                self._proxy = self._nodes = None


async def _service_range(client: clients.Client) -> str:
    """The range of cluster addresses that there is from the start; empty where the API server does not tell."""
    try:
        # What the proxy's role lets it do is to list them.
        found = await client.list(networking_v1.ServiceCIDR, fields="metadata.name=kubernetes")
    except errors.StatusError as error:
        log.warning("addresses that no Service has are not refused: %s", error)
        return ""
    return next((cidr for one in found.items for cidr in one.spec.cidrs if ":" not in cidr), "")


def _configuration(given: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration that the flags come to."""
    tree: dict[str, Any] = {"apiVersion": flags.VERSION, "kind": flags.KIND}
    for field, (flag, _) in flags.FIELDS.items():
        if given[flag] is None:
            continue
        *path, last = field.split(".")
        inner = tree
        for name in path:
            inner = inner.setdefault(name, {})
        inner[last] = given[flag]
    return tree
