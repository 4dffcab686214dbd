"""The node process: containerd, kubelet, proxy and DNS, talking to the API server over HTTPS as on any machine."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from pybernetes import client as clients
from pybernetes import informers
from pybernetes.client import kubeconfig
from pybernetes.cluster import cluster_dns, credentials, keeping, layout, pki, progress, waiting
from pybernetes.cluster import containerd as containerds
from pybernetes.cluster import tools as toolboxes
from pybernetes.kits import chance as chances
from pybernetes.kits import clock as clocks
from pybernetes.kits import tasks
from pybernetes.kubelet import settings as kubelet_settings
from pybernetes.runtime import protocol


class Node:
    """`await start()`, `await close()`. Closing takes down every pod of the node and all rules."""

    def __init__(
        self, paths: layout.Layout, options: layout.Options, *, clock: clocks.Clock, chance: chances.Chance
    ) -> None:
        self._paths = paths
        self._options = options
        self._clock = clock
        self._chance = chance
        self._tasks = tasks.Tasks()
        self._containerd = containerds.Containerd(containerds.Layout.under(paths.data, paths.run), clock=clock)
        self._api: clients.Client | None = None

    async def start(self) -> None:
        """Returns when the node is Ready."""
        from pybernetes.network import cni

        await self._containerd.start()
        self._tasks.spawn(keeping.Kept("containerd", self._keep_containerd, self._clock).run(), name="containerd")
        await asyncio.gather(
            self._containerd.ensure_pause(),
            cni.setup(
                self._containerd.layout.cni_conf,
                pod_cidr=self._options.pod_cidr,
                cluster_cidr=self._options.cluster_cidr,
            ),
        )
        progress.tell("containerd", "containerd and pod network")
        self._keep("kubelet", self._run_kubelet)
        self._keep("kube-proxy", self._run_proxy)
        self._api = self._client("kubelet")
        await waiting.node_ready(
            self._api, self._options.node_name, self._clock, untainted=self._options.has_all_controllers
        )
        progress.tell("node", f"node {self._options.node_name} is Ready")

    async def close(self) -> None:
        from pybernetes.network import cni

        await self._tasks.close()
        if self._api is not None:
            await self._api.close()
        await self._containerd.stop()
        await cni.remove()

    def _keep(self, name: str, start: Callable[[], Awaitable[None]]) -> None:
        self._tasks.spawn(keeping.Kept(name, start, self._clock).run(), name=name)

    def _client(self, component: str) -> clients.Client:
        return kubeconfig.client(self._paths.component_kubeconfig(component), user_agent=component)

    async def _keep_containerd(self) -> None:
        """Start it again when it ends."""
        await self._containerd.wait()
        await self._containerd.start()

    async def _run_kubelet(self) -> None:
        from pybernetes import kubelet
        from pybernetes.runtime import cri

        options = self._options
        identity = credentials.Credentials(self._paths, options, pki.Pki(self._paths.pki, self._clock))
        serving = identity.kubelet_serving()
        settings = kubelet.Settings(
            node_name=options.node_name,
            node_ip=options.node_ip,
            root=self._paths.data / "kubelet",
            logs=self._paths.data / "pods",
            pod_cidr=options.pod_cidr,
            cluster_dns=(cluster_dns.service_address(options),),
            port=options.kubelet_port,
            certificate=serving.certificate,
            key=serving.key,
            client_ca=identity.pki.ca,
        )
        runtime = cri.CRI(str(self._containerd.layout.socket), clock=self._clock)
        try:
            await run_kubelet(settings, self._client("kubelet"), runtime, clock=self._clock, chance=self._chance)
        finally:
            await runtime.close()

    async def _run_proxy(self) -> None:
        from pybernetes import proxy

        client = self._client("kube-proxy")
        async with toolboxes.tools(client, clock=self._clock, chance=self._chance) as tools:
            running = proxy.Proxy(
                proxy.Settings(
                    node_name=self._options.node_name,
                    cluster_cidr=self._options.cluster_cidr,
                    service_cidr=self._options.service_cidr,
                ),
                client,
                tools.informers,
                clock=self._clock,
                chance=self._chance,
            )
            beside = tasks.Tasks()
            try:
                await tools.informers.start()
                if self._options.dns:
                    kept = keeping.Kept("dns", lambda: self._run_dns(tools.informers), self._clock)
                    beside.spawn(kept.run(), name="dns")
                await running.run()
            finally:
                await beside.close()
                await running.close(remove=True)

    async def _run_dns(self, known: informers.Informers) -> None:
        """On the informers of the proxy, which are of the same objects."""
        from pybernetes.network import dns

        settings = dns.Settings(address=cluster_dns.listen_address(self._options), port=cluster_dns.PORT)
        running = dns.DNS(settings, known, clock=self._clock, chance=self._chance)
        try:
            await running.run()
        finally:
            await running.close()


async def run_kubelet(
    settings: kubelet_settings.Settings,
    client: clients.Client,
    runtime: protocol.Runtime,
    *,
    clock: clocks.Clock,
    chance: chances.Chance,
) -> None:
    """Run a kubelet until it fails or is cancelled; closes the client, not the runtime."""
    from pybernetes import kubelet

    async with toolboxes.tools(client, clock=clock, chance=chance) as tools:
        running = kubelet.Kubelet(settings, client, runtime, tools.informers, clock=clock, chance=chance)
        try:
            await tools.informers.start()
            await running.run()
        finally:
            await running.close()
