"""Watches over nodes: one that is not heard of becomes Unknown, and taints follow conditions.

A heartbeat is a change of the node's Ready condition or of its Lease. Each sets the time at which the node would be
silent for too long; nothing is polled.
"""

from __future__ import annotations

import asyncio

from pybernetes.api import codecs, errors, times
from pybernetes.api.types import coordination_v1, core_v1
from pybernetes.client import transport
from pybernetes.controllers import conditions, pods
from pybernetes.controllers.context import Context
from pybernetes.controllers.node import health

NAME = "node-lifecycle-controller"
LEASES = "kube-node-lease"


class NodeLifecycle:
    """The controller. Work items are nodes."""

    def __init__(self, context: Context) -> None:
        self._context, self._client, self._settings = context, context.client, context.settings
        self._recorder = context.recorder("node-controller")
        self._queue = context.queue(NAME)
        self._heard: dict[str, float] = {}
        self._ready: set[str] = set()
        self._nodes = context.informers.of(core_v1.Node)
        self._leases = context.informers.of(coordination_v1.Lease, namespace=LEASES)
        self._pods = context.informers.of(core_v1.Pod)
        self._pods.add_index("node", lambda pod: (pod.spec.nodeName,))
        self._nodes.on_change(self._node_changed)
        self._leases.on_change(self._lease_changed)

    async def run(self) -> None:
        after = (self._nodes, self._leases, self._pods)
        await self._context.reconcile(NAME, self._queue, self.reconcile, after=after, workers=8)

    def _node_changed(self, old: core_v1.Node | None, new: core_v1.Node | None) -> None:
        self._count(old, new)
        if new is None:
            if old is not None:
                self._heard.pop(old.metadata.name, None)
                self._tell(old, "RemovingNode", "Removing Node {} from Controller")
        elif old is None:
            self._heard[new.metadata.name] = self._context.clock.monotonic()
            self._queue.add(new.metadata.name, "Node registered")
            self._tell(new, "RegisteredNode", "Registered Node {} in Controller")
        else:
            before = conditions.find(old.status.conditions, "Ready")
            after = conditions.find(new.status.conditions, "Ready")
            if after is not None and (before is None or before.lastHeartbeatTime != after.lastHeartbeatTime):
                self._heard[new.metadata.name] = self._context.clock.monotonic()
            if old.spec != new.spec or health.taints(new, disrupted=False, now=0.0) != new.spec.taints:
                self._queue.add(new.metadata.name, "Node changed")
            if health.ready(old) != health.ready(new):
                self._queue.add(new.metadata.name, "Node changed")

    def _count(self, old: core_v1.Node | None, new: core_v1.Node | None) -> None:
        """Keep up who is ready: whether all are disrupted concerns every node."""
        before = bool(self._ready)
        if new is not None and health.ready(new) == "True":
            self._ready.add(new.metadata.name)
        elif (gone := new or old) is not None:
            self._ready.discard(gone.metadata.name)
        if before != bool(self._ready):
            for node in self._nodes.cache:
                self._queue.add(node.metadata.name, "the first node is ready, or the last one is not any more")

    def _lease_changed(self, old: coordination_v1.Lease | None, new: coordination_v1.Lease | None) -> None:
        if new is not None and (old is None or old.spec.renewTime != new.spec.renewTime):
            self._heard[new.metadata.name] = self._context.clock.monotonic()

    def _tell(self, node: core_v1.Node, reason: str, message: str) -> None:
        name = node.metadata.name
        about = core_v1.ObjectReference(kind="Node", name=name, uid=node.metadata.uid)
        self._recorder.event(about, "Normal", reason, f"Node {name} event: {message.format(name)}")

    async def reconcile(self, key: str) -> float | None:
        node = self._nodes.cache.get(key)
        if node is None or node.metadata.deletionTimestamp is not None:
            return None
        now = self._context.clock.monotonic()
        never = conditions.find(node.status.conditions, "Ready") is None
        grace = self._settings.node_startup_grace_period if never else self._settings.node_monitor_grace_period
        left = self._heard.setdefault(key, now) + grace - now
        if left <= 0:
            node = await self._silence(node)
        await self._set_taints(node)
        if health.ready(node) in ("False", "Unknown"):
            await self._mark_pods(node)
        # One that is silent is looked at again when it is heard of, which changes it.
        return left if left > 0 else grace

    async def _silence(self, node: core_v1.Node) -> core_v1.Node:
        fresh = health.silent(node, self._context.clock.time())
        if fresh == node.status.conditions:
            return node
        was = health.ready(node)
        copy = codecs.copy(node)
        copy.status.conditions = fresh
        updated = await self._client.update_status(copy)
        if was == "True":
            name = node.metadata.name
            about = core_v1.ObjectReference(kind="Node", name=name, uid=node.metadata.uid)
            self._recorder.event(about, "Normal", "NodeNotReady", f"Node {name} status is now: NodeNotReady")
        return updated

    async def _set_taints(self, node: core_v1.Node) -> None:
        # The cache may not show yet what was just written about this node.
        others = len(self._ready) - (node.metadata.name in self._ready)
        disrupted = not others and health.ready(node) != "True"
        wanted = health.taints(node, disrupted=disrupted, now=self._context.clock.time())
        if wanted == node.spec.taints:
            return
        patch = {
            "metadata": {"resourceVersion": node.metadata.resourceVersion},
            "spec": {"taints": [codecs.to_tree(taint) for taint in wanted]},
        }
        await self._client.patch(core_v1.Node, node.metadata.name, "", patch, kind=transport.MERGE_PATCH)

    async def _mark_pods(self, node: core_v1.Node) -> None:
        """Pods of a node that is not ready serve nobody: take them out of Services."""
        await asyncio.gather(
            *(
                self._mark_pod(pod)
                for pod in self._pods.cache.index("node", node.metadata.name)
                if pods.is_ready(pod) and not pods.is_terminal(pod)
            )
        )

    async def _mark_pod(self, pod: core_v1.Pod) -> None:
        copy = codecs.copy(pod)
        ready = pods.condition(copy, "Ready")
        if ready is None:
            return
        ready.status = "False"
        ready.reason, ready.message = "", ""
        ready.lastTransitionTime = times.to_time(self._context.clock.time())
        try:
            await self._client.update_status(copy)
        except errors.StatusError as error:
            if error.reason != "NotFound":
                raise
            return
        self._recorder.event(pod, "Warning", "NodeNotReady", "Node is not ready")
