"""Nodes and pods for tests of placement."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pybernetes.api import quantity
from pybernetes.api.types import core_v1, meta_v1
from pybernetes.kits.chance import Chance
from pybernetes.scheduler import cycle, failure, nodes, profiles, shape, worlds

Q = quantity.Quantity.parse
PLUGINS = profiles.default().plugins


def node(
    name: str = "n1",
    cpu: str = "4",
    memory: str = "8Gi",
    pods: int = 110,
    more: Mapping[str, str] | None = None,
    **labels: str,
) -> core_v1.Node:
    labels = {key.replace("_", "-"): value for key, value in labels.items()} | {"kubernetes.io/hostname": name}
    amounts = {"cpu": cpu, "memory": memory, "pods": str(pods), **(more or {})}
    return core_v1.Node(
        metadata=meta_v1.ObjectMeta(name=name, labels=labels),
        status=core_v1.NodeStatus(allocatable={key: Q(text) for key, text in amounts.items()}),
    )


def pod(
    cpu: str = "",
    memory: str = "",
    *,
    name: str = "p",
    namespace: str = "default",
    labels: Mapping[str, str] | None = None,
    ports: tuple[int, ...] = (),
    image: str = "app",
    more: Mapping[str, str] | None = None,
    **spec: Any,
) -> core_v1.Pod:
    asked = {"cpu": cpu, "memory": memory, **(more or {})}
    container = core_v1.Container(
        name="c",
        image=image,
        resources=core_v1.ResourceRequirements(requests={key: Q(text) for key, text in asked.items() if text}),
        ports=[core_v1.ContainerPort(containerPort=port, hostPort=port) for port in ports],
    )
    meta = meta_v1.ObjectMeta(name=name, namespace=namespace, uid=f"uid-{name}", labels=dict(labels or {}))
    return core_v1.Pod(metadata=meta, spec=core_v1.PodSpec(containers=[container], **spec))


class Board:
    def __init__(self, *members: core_v1.Node, world: worlds.World | None = None) -> None:
        self.nodes = nodes.Nodes(world)
        for member in members:
            self.nodes.put(member)
        self.pods: dict[str, core_v1.Pod] = {}
        self.count = 0

    def decide(self, one: core_v1.Pod, plugins: tuple[cycle.Weighted, ...] = PLUGINS) -> cycle.Cycle:
        return cycle.Cycle(shape.of(one), self.nodes, plugins, Chance(1))

    def add(self, one: core_v1.Pod, where: str) -> str:
        self.count += 1
        uid = f"u{self.count}"
        self.pods[uid] = one
        self.nodes.add_pod(uid, where, shape.of(one))
        return uid

    def fits(self, one: core_v1.Pod, plugins: tuple[cycle.Weighted, ...] = PLUGINS) -> set[str]:
        feasible = self.decide(one, plugins).feasible()
        return {name for name, row in self.nodes.rows.items() if feasible[row]}

    def message(self, one: core_v1.Pod) -> str:
        decision = self.decide(one)
        assert decision.place() is None
        misfit = decision.misfit()
        left = f"{len(misfit.resolvable)} left"
        return failure.fit_error(misfit.nodes, misfit.reasons, left, misfit.message)
