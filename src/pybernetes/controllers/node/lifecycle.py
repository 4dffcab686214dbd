"""Watches over nodes: one that is not heard of becomes Unknown, and taints follow conditions.

A heartbeat is a change of the node's Ready condition or of its Lease. Each sets the time at which the node would be
silent for too long; nothing is polled. Taints that keep new pods away are set at once; those that make a node's pods
go wait in their zone's line (`zones`).
"""

from __future__ import annotations

import asyncio

from pybernetes.api import codecs, errors, times
from pybernetes.api.types import coordination_v1, core_v1
from pybernetes.client import transport
from pybernetes.controllers import conditions, pods
from pybernetes.controllers.context import Context
from pybernetes.controllers.node import health, zones
from pybernetes.kits import prometheus

NAME = "node-lifecycle-controller"
LEASES = "kube-node-lease"
# Work items that are zones, not nodes, begin with it.
ZONE = "zone/"
# A node that is to lose its pods waits at least so long, in seconds, so that nodes that fail together are seen to.
EVICTION_PERIOD = 0.1
# Of how long it takes to look at a node, in seconds.
UPDATE = prometheus.exponential(0.001, 4, 8)


class NodeLifecycle:
    """The controller. Work items are nodes, and zones in which nodes wait for their NoExecute taints."""

    def __init__(self, context: Context) -> None:
        self._context, self._client, self._settings = context, context.client, context.settings
        self._recorder = context.recorder("node-controller")
        self._queue = context.queue(NAME)
        self._heard: dict[str, float] = {}
        self._zones = zones.Zones(context.settings)
        self._evictions = prometheus.Counts(
            "node_collector_evictions_total",
            "Number of Node evictions that happened since current instance of NodeController started.",
            "zone",
        )
        self._timed = prometheus.Timings(
            "node_collector_update_node_health_duration_seconds",
            "Duration in seconds for NodeController to update the health of a single node.",
            UPDATE,
        )
        context.counted.extend((self._zones.families, self._evictions.families, self._timed.families))
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
        if new is None:
            if old is not None:
                self._heard.pop(old.metadata.name, None)
                self._place(old, gone=True)
                self._tell(old, "RemovingNode", "Removing Node {} from Controller")
            return
        self._place(new)
        if old is None:
            self._heard[new.metadata.name] = self._now()
            self._queue.add(new.metadata.name, "Node registered")
            self._tell(new, "RegisteredNode", "Registered Node {} in Controller")
            return
        before = conditions.find(old.status.conditions, "Ready")
        after = conditions.find(new.status.conditions, "Ready")
        if after is not None and (before is None or before.lastHeartbeatTime != after.lastHeartbeatTime):
            self._heard[new.metadata.name] = self._now()
        if (
            old.spec != new.spec
            or health.taints(new, evicting=health.is_evicting(new), now=0.0) != new.spec.taints
            or health.ready(old) != health.ready(new)
            or health.labels(new)
        ):
            self._queue.add(new.metadata.name, "Node changed")

    def _now(self) -> float:
        return self._context.clock.monotonic()

    def _place(self, node: core_v1.Node, *, gone: bool = False) -> None:
        """Keep up how the node's zone is doing. Whether all zones are disrupted concerns every node."""
        was, now = self._zones.disrupted, self._now()
        changed = self._zones.remove(node.metadata.name, now) if gone else self._zones.place(node, now)
        for zone in changed:
            if self._zones[zone].waiting:
                self._queue.add_after(ZONE + zone, EVICTION_PERIOD)
        if was is self._zones.disrupted:
            return
        for one in self._nodes.cache:
            name = one.metadata.name
            if was:
                # What was silent may not have been: each gets its time again.
                self._heard[name] = now
            self._queue.add(name, "the first node is ready, or the last one is not any more")

    def _lease_changed(self, old: coordination_v1.Lease | None, new: coordination_v1.Lease | None) -> None:
        if new is not None and (old is None or old.spec.renewTime != new.spec.renewTime):
            self._heard[new.metadata.name] = self._now()

    def _tell(self, node: core_v1.Node, reason: str, message: str) -> None:
        name = node.metadata.name
        about = core_v1.ObjectReference(kind="Node", name=name, uid=node.metadata.uid)
        self._recorder.event(about, "Normal", reason, f"Node {name} event: {message.format(name)}")

    async def reconcile(self, key: str) -> float | None:
        if key.startswith(ZONE):
            return await self._evict_next(key.removeprefix(ZONE))
        began = self._now()
        try:
            return await self._look_at(key)
        finally:
            self._timed.observe(self._now() - began)

    async def _look_at(self, key: str) -> float | None:
        node = self._nodes.cache.get(key)
        if node is None or node.metadata.deletionTimestamp is not None:
            self._zones.leave_line(key)
            return None
        now = self._now()
        never = conditions.find(node.status.conditions, "Ready") is None
        grace = self._settings.node_startup_grace_period if never else self._settings.node_monitor_grace_period
        left = self._heard.setdefault(key, now) + grace - now
        if left <= 0:
            node = await self._silence(node)
        failing = health.ready(node) in ("False", "Unknown")
        evicting = health.is_evicting(node) and not self._zones.disrupted
        node = await self._set_labels(node)
        await self._set_taints(node, evicting=evicting)
        if failing and not evicting:
            zone = self._zones.wait_in_line(key)
            if zone is not None:
                self._queue.add_after(ZONE + zone, EVICTION_PERIOD)
        else:
            self._zones.leave_line(key)
        if failing:
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
        # The cache may not show yet what was just written.
        if self._nodes.cache.get(node.metadata.name) is not None:
            self._place(updated)
        if was == "True":
            name = node.metadata.name
            about = core_v1.ObjectReference(kind="Node", name=name, uid=node.metadata.uid)
            self._recorder.event(about, "Normal", "NodeNotReady", f"Node {name} status is now: NodeNotReady")
        return updated

    async def _evict_next(self, key: str) -> float | None:
        """Give the next node of a zone its NoExecute taint, if it is the zone's turn."""
        zone = self._zones[key]
        wait = zone.limiter.wait(self._now())
        if not zone.waiting or wait is None:
            return None
        if wait > 0:
            return wait
        name = next(iter(zone.waiting))
        node = self._nodes.cache.get(name)
        if node is not None:
            await self._set_taints(node, evicting=True)
            self._evictions.add(zones.label_of(key))
        zone.waiting.pop(name, None)
        zone.limiter.take(self._now())
        return zone.limiter.wait(self._now()) if zone.waiting else None

    async def _set_labels(self, node: core_v1.Node) -> core_v1.Node:
        missing = health.labels(node)
        if not missing:
            return node
        patch = {"metadata": {"labels": missing}}
        return await self._client.patch(core_v1.Node, node.metadata.name, "", patch, kind=transport.STRATEGIC_PATCH)

    async def _set_taints(self, node: core_v1.Node, *, evicting: bool) -> None:
        wanted = health.taints(node, evicting=evicting, now=self._context.clock.time())
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
