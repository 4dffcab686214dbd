"""Nodes whose pods are simulated, inside the server process: no root, no containers, no other process.

A few nodes have a kubelet each, with volumes, logs and exec. Many share one fleet, which plays their pods by script
alone. The fleet is there in any case: it takes on the annotated nodes that users create.
"""

from __future__ import annotations

import asyncio
import functools
import ipaddress
import pathlib
from collections.abc import Awaitable, Callable, Mapping, Sequence

import yaml

from pybernetes import kubelet
from pybernetes.api.types import core_v1
from pybernetes.apiserver import request as requests
from pybernetes.apiserver import server as apiservers
from pybernetes.cluster import credentials, keeping, layout, node, node_marks, waiting
from pybernetes.cluster import tools as toolboxes
from pybernetes.kits import chance as chances
from pybernetes.kits import clock as clocks
from pybernetes.kits import tasks
from pybernetes.kubelet import fleet as fleets
from pybernetes.kubelet.fleet import nodes as fleet_nodes
from pybernetes.kubelet.fleet import probing
from pybernetes.runtime import simulated
from pybernetes.runtime.simulated import scripts

# More nodes than these share a fleet.
KUBELETS = 10
FLEET = requests.User("system:simulated-nodes", groups=("system:masters", "system:authenticated"))
# Mask of a node's range of pod addresses.
NODE_MASK = 24


def names(options: layout.Options) -> list[str]:
    """Of the nodes: the one name, or it with numbers."""
    if options.nodes == 1:
        return [options.node_name]
    return [f"{options.node_name}-{number}" for number in range(1, options.nodes + 1)]


def read_scripts(file: str) -> scripts.Images:
    """Of a YAML file: image patterns to words of `runtime.simulated.scripts`. Raises OSError and ValueError."""
    if not file:
        return scripts.NO_IMAGES
    try:
        tree = yaml.safe_load(pathlib.Path(file).read_text()) or {}
    except yaml.YAMLError as error:
        raise ValueError(f"{file}: {error}") from None
    if not isinstance(tree, Mapping) or not all(isinstance(words, Mapping) for words in tree.values()):
        raise ValueError(f"{file} is not a mapping of image patterns to mappings, such as '*/nginx:*': {{ready: 3}}")
    return scripts.Images((str(pattern), _texts(words)) for pattern, words in tree.items())


def _texts(words: Mapping[object, object]) -> dict[str, str]:
    return {
        str(name): ",".join(map(str, value))
        if isinstance(value, Sequence) and not isinstance(value, str)
        else str(value)
        for name, value in words.items()
    }


def pod_ranges(options: layout.Options) -> list[str]:
    """A range of pod addresses for each node, in the order in which the controller deals them out."""
    if options.nodes == 1:
        return [options.pod_cidr]
    ranges = ipaddress.ip_network(options.cluster_cidr).subnets(new_prefix=NODE_MASK)
    return [str(found) for found, _ in zip(ranges, range(options.nodes), strict=False)]


class SimulatedNodes:
    """`await start()` returns when the nodes are Ready."""

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
        self._images = read_scripts(options.scripts)
        self._made = asyncio.Event()

    async def start(self) -> None:
        listed = names(self._options)
        light = len(listed) > KUBELETS
        specs = list(
            fleet_nodes.specs(
                listed if light else (),
                zones=self._options.zones.split(",") if self._options.zones else (),
                labels=node_marks.labels(self._options.node_labels),
                taints=node_marks.taints(self._options.node_taints),
                capacity=fleet_nodes.parse_capacity(self._options.node_capacity),
            )
        )
        self._keep("simulated nodes", functools.partial(self._run_fleet, specs))
        client = self._api.client(FLEET, agent="pybernetes")
        untainted = self._options.has_all_controllers
        if light:
            await self._made.wait()
            await waiting.nodes_ready(client, len(listed), self._clock, untainted=untainted)
            return
        zones = self._options.zones.split(",") if self._options.zones else []
        for at, (name, pod_range) in enumerate(zip(listed, pod_ranges(self._options), strict=True)):
            zone = {fleet_nodes.ZONE: zones[at % len(zones)]} if zones else {}
            self._keep(f"kubelet of {name}", functools.partial(self._run_kubelet, name, pod_range, at, zone))
            await waiting.until(client, core_v1.Node, name, lambda _: True, clock=self._clock)
        for name in listed:
            await waiting.node_ready(client, name, self._clock, untainted=untainted)

    async def close(self) -> None:
        await self._tasks.close()

    def _keep(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        self._tasks.spawn(keeping.Kept(name, run, self._clock).run(), name=name)

    async def _run_fleet(self, specs: Sequence[fleet_nodes.Spec]) -> None:
        client = self._api.client(FLEET, agent="kubelet")
        async with toolboxes.tools(client, clock=self._clock, chance=self._chance) as tools:
            running = fleets.Fleet(
                client,
                tools.informers,
                specs=specs,
                images=self._images,
                address=self._options.node_ip,
                port=self._options.kubelet_port,
                clock=self._clock,
                chance=self._chance,
            )
            watching = asyncio.ensure_future(running.ready.wait())
            watching.add_done_callback(lambda _: self._made.set())
            try:
                await tools.informers.start()
                await running.run()
            finally:
                watching.cancel()
                await running.close()

    async def _run_kubelet(self, name: str, pod_range: str, number: int, zone: Mapping[str, str]) -> None:
        options = self._options
        serving = self._identity.kubelet_serving()
        folder = name if options.nodes > 1 else ""
        settings = kubelet.Settings(
            node_name=name,
            node_ip=options.node_ip,
            labels=dict(zone) | node_marks.labels(options.node_labels),
            taints=node_marks.taints(options.node_taints),
            capacity=fleet_nodes.parse_capacity(options.node_capacity),
            root=self._paths.data / "kubelet" / folder,
            logs=self._paths.data / "pods" / folder,
            pod_cidr=pod_range,
            mounts=False,
            runtime_scheme="simulated",
            probe_answer=probing.answers(self._images),
            address="127.0.0.1",
            port=options.kubelet_port + number,
            certificate=serving.certificate,
            key=serving.key,
            client_ca=self._identity.pki.ca,
        )
        user = requests.User(f"system:node:{name}", groups=("system:nodes", "system:authenticated"))
        client = self._api.client(user, agent="kubelet")
        runtime = simulated.Simulated(clock=self._clock, chance=self._chance, pod_cidr=pod_range, images=self._images)
        try:
            await node.run_kubelet(settings, client, runtime, clock=self._clock, chance=self._chance)
        finally:
            await runtime.close()
