"""Tells kubelets how long they may believe what they have cached of Secrets and ConfigMaps: longer in big clusters."""

from __future__ import annotations

from pybernetes.api.types import core_v1
from pybernetes.client import transport
from pybernetes.controllers.context import Context
from pybernetes.informers import key_of

NAME = "ttl-controller"
ANNOTATION = "node.alpha.kubernetes.io/ttl"
# (fewest nodes, most nodes, seconds); the ranges overlap so that a node more or less does not change it to and fro.
STEPS = ((0, 100, 0), (90, 500, 15), (450, 1000, 30), (900, 2000, 60), (1800, 2**31, 300))


def step_of(step: int, count: int) -> int:
    """The step for so many nodes, coming from another one."""
    while count > STEPS[step][1]:
        step += 1
    while count < STEPS[step][0]:
        step -= 1
    return step


class TTL:
    """The controller. Work items are nodes."""

    def __init__(self, context: Context) -> None:
        self._context, self._client = context, context.client
        self._queue = context.queue(NAME)
        self._step = 0
        self._nodes = context.informers.of(core_v1.Node)
        self._nodes.on_change(self._changed)

    async def run(self) -> None:
        await self._context.reconcile(NAME, self._queue, self.reconcile, after=(self._nodes,))

    def _changed(self, old: core_v1.Node | None, new: core_v1.Node | None) -> None:
        # Nodes that are there already are told when they next report, which they do all the time: not all at once.
        self._step = step_of(self._step, len(self._nodes.cache))
        if new is not None and new.metadata.annotations.get(ANNOTATION) != str(STEPS[self._step][2]):
            self._queue.add(key_of(new), "Node changed")

    async def reconcile(self, key: str) -> None:
        node = self._nodes.cache.get(key)
        wanted = str(STEPS[self._step][2])
        if node is None or node.metadata.annotations.get(ANNOTATION) == wanted:
            return
        patch = {"metadata": {"annotations": {ANNOTATION: wanted}}}
        await self._client.patch(core_v1.Node, key, "", patch, kind=transport.STRATEGIC_PATCH)
