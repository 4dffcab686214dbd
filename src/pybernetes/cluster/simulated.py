"""A node whose pods are simulated, inside the server process: no root, no containers, no other process."""

from __future__ import annotations

from pybernetes import kubelet
from pybernetes.apiserver import request as requests
from pybernetes.apiserver import server as apiservers
from pybernetes.cluster import credentials, keeping, layout, node, waiting
from pybernetes.kits import chance as chances
from pybernetes.kits import clock as clocks
from pybernetes.kits import tasks
from pybernetes.runtime import simulated


class SimulatedNode:
    """`await start()` returns when the node is Ready."""

    def __init__(
        self,
        paths: layout.Layout,
        options: layout.Options,
        api: apiservers.ApiServer,
        identity: credentials.Credentials,
        *,
        clock: clocks.Clock,
        chance: chances.Chance,
    ) -> None:
        self._paths = paths
        self._options = options
        self._api = api
        self._identity = identity
        self._clock = clock
        self._chance = chance
        self._tasks = tasks.Tasks()
        name = options.node_name
        self._user = requests.User(f"system:node:{name}", groups=("system:nodes", "system:authenticated"))

    async def start(self) -> None:
        self._tasks.spawn(keeping.Kept("kubelet", self._run, self._clock).run(), name="kubelet")
        client = self._api.client(self._user, agent="pybernetes")
        await waiting.node_ready(client, self._options.node_name, self._clock)

    async def close(self) -> None:
        await self._tasks.close()

    async def _run(self) -> None:
        options = self._options
        serving = self._identity.kubelet_serving()
        settings = kubelet.Settings(
            node_name=options.node_name,
            node_ip=options.node_ip,
            root=self._paths.data / "kubelet",
            logs=self._paths.data / "pods",
            pod_cidr=options.pod_cidr,
            mounts=False,
            runtime_scheme="simulated",
            address="127.0.0.1",
            port=options.kubelet_port,
            certificate=serving.certificate,
            key=serving.key,
            client_ca=self._identity.pki.ca,
        )
        client = self._api.client(self._user, agent="kubelet")
        runtime = simulated.Simulated(clock=self._clock, chance=self._chance, pod_cidr=options.pod_cidr)
        try:
            await node.run_kubelet(settings, client, runtime, clock=self._clock, chance=self._chance)
        finally:
            await runtime.close()
