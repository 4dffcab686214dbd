"""Watches pods without a node, lets `cycle` choose one for each, and writes the bindings; the rim around pure parts.

A placed pod is assumed to take its room at once; the binding is written in the background, many at a time. Should it
fail, the room is given back and the pod tried again.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pybernetes.api import codecs, errors, times
from pybernetes.api.types import core_v1, meta_v1
from pybernetes.client import Client, transport
from pybernetes.informers import Informers, Recorder, key_of
from pybernetes.kits import causes
from pybernetes.kits.chance import Chance
from pybernetes.kits.clock import Clock
from pybernetes.kits.tasks import Tasks
from pybernetes.scheduler import failure, queue, shape

if TYPE_CHECKING:
    from pybernetes.scheduler import cycle, nodes

log = logging.getLogger(__name__)

DEFAULT_PROFILE = "default-scheduler"
# Pods taken from the queue at once, and bindings written at the same time.
BATCH = 256
BINDINGS = 256
# Shapes whose decisions are kept.
SHAPES = 64
# The event loop gets its turn after so many seconds of choosing.
SLICE_SECONDS = 0.002


class Scheduler:
    """Schedules the pods whose `schedulerName` is one of the profiles."""

    def __init__(
        self,
        client: Client,
        informers: Informers,
        *,
        clock: Clock,
        chance: Chance,
        recorder: Callable[[str], Recorder],
        profiles: tuple[str, ...] = (DEFAULT_PROFILE,),
    ) -> None:
        self._client, self._informers, self._clock, self._chance = client, informers, clock, chance
        self._recorders = {name: recorder(name) for name in profiles}
        self._pods = informers.of(core_v1.Pod)
        self._node_informer = informers.of(core_v1.Node)
        self._tasks = Tasks()
        self._binding = asyncio.Semaphore(BINDINGS)
        self._assumed: dict[str, str] = {}
        self._nodes: nodes.Nodes
        self._queue: queue.SchedulingQueue
        self._cycles: dict[bytes, cycle.Cycle] = {}
        self._shapes: dict[str, tuple[core_v1.Pod, shape.Shape]] = {}

    async def run(self) -> None:
        """Work until cancelled."""
        # Importing numpy takes a tenth of a second, which a thread can spend.
        cycles = await asyncio.to_thread(importlib.import_module, "pybernetes.scheduler.cycle")
        plugins = await asyncio.to_thread(importlib.import_module, "pybernetes.scheduler.plugins.table")
        self._nodes = cycles.tables.Nodes()
        self._queue = queue.SchedulingQueue(self._clock)
        await self._node_informer.wait_synced()
        self._node_informer.on_change(self._node_changed)
        self._pods.on_change(self._pod_changed)
        await self._pods.wait_synced()
        try:
            while True:
                await self._schedule(await self._queue.pop(BATCH), cycles.Cycle, plugins.PLUGINS)
        finally:
            self._queue.close()
            await self._tasks.close()

    async def close(self) -> None:
        await self._tasks.close()

    # What the cluster tells

    def _node_changed(self, old: core_v1.Node | None, new: core_v1.Node | None) -> None:
        version = self._nodes.version
        if new is None:
            if old is not None:
                self._nodes.remove(old.metadata.name)
        else:
            self._nodes.put(new)
            if self._nodes.version != version:
                self._queue.changed(queue.Change.NODE)

    def _pod_changed(self, old: core_v1.Pod | None, new: core_v1.Pod | None) -> None:
        if new is None:
            if old is not None:
                self._forget(old)
            return
        if old is not None and old.metadata.uid != new.metadata.uid:
            self._forget(old)
        uid = new.metadata.uid
        if new.spec.nodeName:
            self._queue.remove(uid)
            if new.status.phase in ("Succeeded", "Failed"):
                self._forget(new)
                return
            self._assumed.pop(uid, None)
            if uid not in self._nodes.placed or (old is not None and old.spec != new.spec):
                self._nodes.add_pod(uid, new.spec.nodeName, self._shape(new))
        elif self._is_ours(new):
            self._queue.put(new)
        else:
            self._queue.remove(uid)

    def _forget(self, pod: core_v1.Pod) -> None:
        uid = pod.metadata.uid
        self._queue.remove(uid)
        self._shapes.pop(uid, None)
        self._assumed.pop(uid, None)
        if self._nodes.remove_pod(uid):
            self._queue.changed(queue.Change.ROOM)

    def _is_ours(self, pod: core_v1.Pod) -> bool:
        return (
            pod.metadata.deletionTimestamp is None
            and not pod.spec.schedulingGates
            and pod.status.phase not in ("Succeeded", "Failed")
            and (pod.spec.schedulerName or DEFAULT_PROFILE) in self._recorders
            and pod.metadata.uid not in self._assumed
        )

    def _shape(self, pod: core_v1.Pod) -> shape.Shape:
        """Worked out once for each pod, as long as its spec is the same."""
        known = self._shapes.get(pod.metadata.uid)
        if known is not None and (known[0] is pod or known[0].spec == pod.spec):
            return known[1]
        found = shape.of(pod)
        self._shapes[pod.metadata.uid] = pod, found
        return found

    # Choosing

    async def _schedule(self, batch: list[queue.Pending], make: type[cycle.Cycle], plugins: Any) -> None:
        turn = self._clock.monotonic()
        for at, pending in enumerate(batch):
            try:
                self._schedule_one(pending, make, plugins)
            except Exception as error:
                log.exception("scheduling %s failed", key_of(pending.pod))
                self._fail(pending, frozenset(), str(error), "SchedulerError", retry=True)
            if self._clock.monotonic() - turn > SLICE_SECONDS or at % 64 == 63:
                await asyncio.sleep(0)
                turn = self._clock.monotonic()
        while self._binding.locked():
            async with self._binding:
                pass

    def _schedule_one(self, pending: queue.Pending, make: type[cycle.Cycle], plugins: Any) -> None:
        pod = pending.pod
        current = self._pods.cache.get(pod.metadata.name, pod.metadata.namespace)
        if current is None or current.metadata.uid != pod.metadata.uid or not self._is_ours(current):
            self._queue.placed(pending)
            return
        pending.pod = pod = current
        if current.spec.nodeName:
            self._queue.placed(pending)
            return
        found = self._shape(pod)
        if not len(self._nodes):
            self._fail(pending, frozenset(), failure.NO_NODES, "Unschedulable")
            return
        decision = self._cycles.get(found.key)
        if decision is None or decision.version != self._nodes.version:
            if decision is not None or len(self._cycles) >= SHAPES:
                self._cycles.clear()
            decision = self._cycles[found.key] = make(found, self._nodes, plugins, self._chance)
        node = decision.place()
        if node is None:
            self._report(pending, decision.misfit())
            return
        uid = pod.metadata.uid
        self._assumed[uid] = node
        self._nodes.add_pod(uid, node, found)
        self._tasks.spawn(self._bind(pending, node), name=f"bind {key_of(pod)}")

    def _report(self, pending: queue.Pending, misfit: cycle.Misfit) -> None:
        if pending.pod.spec.preemptionPolicy == "Never":
            afterword = failure.NEVER
        else:
            afterword = failure.preemption(misfit.nodes, misfit.resolvable)
        message = failure.fit_error(misfit.nodes, misfit.reasons, afterword)
        self._fail(pending, misfit.plugins, message, "Unschedulable")

    # Writing

    async def _bind(self, pending: queue.Pending, node: str) -> None:
        pod = pending.pod
        meta = pod.metadata
        causes.current.set(causes.Cause(DEFAULT_PROFILE, key_of(pod), "pod without a node"))
        binding = core_v1.Binding(
            metadata=meta_v1.ObjectMeta(name=meta.name, namespace=meta.namespace, uid=meta.uid),
            target=core_v1.ObjectReference(kind="Node", name=node),
        )
        try:
            async with self._binding:
                await self._client.post(core_v1.Pod, meta.name, meta.namespace, "binding", binding)
        except (errors.StatusError, ConnectionError, TimeoutError) as error:
            self._assumed.pop(meta.uid, None)
            current = self._pods.cache.get(meta.name, meta.namespace)
            if current is None or current.metadata.uid != meta.uid or current.spec.nodeName:
                self._queue.placed(pending)
                return
            if self._nodes.remove_pod(meta.uid):
                self._queue.changed(queue.Change.ROOM)
            message = f'binding rejected: running Bind plugin "DefaultBinder": {error}'
            self._fail(pending, frozenset(), message, "SchedulerError", retry=True)
            return
        self._queue.placed(pending)
        message = f"Successfully assigned {key_of(pod)} to {node}"
        self._recorders[pod.spec.schedulerName or DEFAULT_PROFILE].event(pod, "Normal", "Scheduled", message)

    def _fail(
        self, pending: queue.Pending, rejected_by: frozenset[str], message: str, reason: str, *, retry: bool = False
    ) -> None:
        pod = pending.pod
        self._queue.failed(pending, rejected_by, retry=retry)
        recorder = self._recorders[pod.spec.schedulerName or DEFAULT_PROFILE]
        recorder.event(pod, "Warning", "FailedScheduling", failure.for_event(message))
        known = next((c for c in pod.status.conditions if c.type == "PodScheduled"), None)
        if known is not None and (known.status, known.reason, known.message) == ("False", reason, message):
            return
        since = known.lastTransitionTime if known is not None and known.status == "False" else None
        condition = core_v1.PodCondition(
            type="PodScheduled",
            status="False",
            reason=reason,
            message=message,
            observedGeneration=pod.metadata.generation,
            lastTransitionTime=since or times.to_time(self._clock.time()),
        )
        self._tasks.spawn(self._write_condition(pod, condition), name=f"status of {key_of(pod)}")

    async def _write_condition(self, pod: core_v1.Pod, condition: core_v1.PodCondition) -> None:
        meta = pod.metadata
        patch = {"metadata": {"uid": meta.uid}, "status": {"conditions": [codecs.to_tree(condition)]}}
        try:
            await self._client.patch(
                core_v1.Pod,
                meta.name,
                meta.namespace,
                patch,
                kind=transport.STRATEGIC_PATCH,
                subresource="status",
            )
        except (errors.StatusError, ConnectionError, TimeoutError) as error:
            log.info("the condition of %s was not written: %s", key_of(pod), error)
