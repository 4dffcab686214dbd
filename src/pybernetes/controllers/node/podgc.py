"""Removes pods that nobody else will: too many finished ones, those of lost nodes, and terminating ones without a node
or with one that is out of service.

Looked at every twenty seconds, as upstream does: each of these is a condition that lasts, not an event.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from pybernetes.api import codecs, errors, times
from pybernetes.api.types import core_v1
from pybernetes.controllers import conditions, pods
from pybernetes.controllers.context import Context, synced
from pybernetes.controllers.node import health
from pybernetes.kits import prometheus

log = logging.getLogger(__name__)

NAME = "pod-garbage-collector-controller"
OUT_OF_SERVICE = "node.kubernetes.io/out-of-service"
ORPHANED = "orphaned"
PERIOD = 20.0
# How long a node must be missing before its pods are taken for lost, in seconds.
QUARANTINE = 40.0


def finished_to_delete(everyone: list[core_v1.Pod], threshold: int) -> list[core_v1.Pod]:
    """The finished pods above the threshold, evicted ones and then the oldest first; 0 or less: keep all."""
    if threshold <= 0:
        return []
    finished = [p for p in everyone if pods.is_terminal(p)]
    finished.sort(key=_order)
    return finished[: max(len(finished) - threshold, 0)]


def _order(pod: core_v1.Pod) -> tuple[bool, str, str]:
    evicted = pod.status.phase == "Failed" and pod.status.reason == "Evicted"
    return not evicted, pod.metadata.creationTimestamp or "", pod.metadata.name


def out_of_service(everyone: list[core_v1.Pod], node_of: Callable[[str], core_v1.Node | None]) -> list[core_v1.Pod]:
    """Terminating pods on nodes that are not ready and that somebody has declared out of service."""
    found = []
    for pod in everyone:
        node = node_of(pod.spec.nodeName) if pod.metadata.deletionTimestamp is not None else None
        if node is None or health.ready(node) == "True":
            continue
        if any(taint.key == OUT_OF_SERVICE for taint in node.spec.taints):
            found.append(pod)
    return found


def never_scheduled(everyone: list[core_v1.Pod]) -> list[core_v1.Pod]:
    """Terminating pods that have no node whose kubelet would end them."""
    return [pod for pod in everyone if pod.metadata.deletionTimestamp is not None and not pod.spec.nodeName]


class PodGC:
    """The controller."""

    def __init__(self, context: Context) -> None:
        self._context, self._client = context, context.client
        self._pods = context.informers.of(core_v1.Pod)
        self._nodes = context.informers.of(core_v1.Node)
        self._missing: dict[str, float] = {}
        self._deletions = prometheus.Counts(
            "pod_gc_collector_force_delete_pods_total",
            "Number of pods that are being forcefully deleted since the Pod GC Controller started.",
            "namespace",
            "reason",
        )
        self._failures = prometheus.Counts(
            "pod_gc_collector_force_delete_pod_errors_total",
            "Number of errors encountered when forcefully deleting the pods since the Pod GC Controller started.",
            "namespace",
            "reason",
        )
        context.counted.extend((self._deletions.families, self._failures.families))

    async def run(self) -> None:
        await synced(self._pods, self._nodes)
        while True:
            try:
                await self.collect()
            except (errors.StatusError, ConnectionError, TimeoutError) as error:
                log.info("%s: %s", NAME, error)
            await self._context.clock.sleep(PERIOD)

    async def collect(self) -> None:
        """One round."""
        everyone = self._pods.cache.list()
        threshold = self._context.settings.terminated_pod_threshold
        doomed = [(pod, "terminated") for pod in finished_to_delete(everyone, threshold)]
        doomed += [(pod, "out-of-service") for pod in out_of_service(everyone, self._nodes.cache.get)]
        doomed += [(pod, "unscheduled") for pod in never_scheduled(everyone)]
        for name in await self._lost_nodes(everyone):
            doomed += [(pod, ORPHANED) for pod in everyone if pod.spec.nodeName == name]
        await asyncio.gather(*(self._delete(pod, why) for pod, why in doomed))

    async def _lost_nodes(self, everyone: list[core_v1.Pod]) -> list[str]:
        """Nodes that pods name, and that have been missing for long enough; asked of the server once more."""
        now = self._context.clock.monotonic()
        named = {pod.spec.nodeName for pod in everyone if pod.spec.nodeName}
        missing = {name for name in named if self._nodes.cache.get(name) is None}
        self._missing = {name: self._missing.get(name, now) for name in missing}
        lost = []
        for name, since in self._missing.items():
            if now - since < QUARANTINE:
                continue
            try:
                await self._client.get(core_v1.Node, name)
            except errors.StatusError as error:
                if error.reason != "NotFound":
                    raise
                lost.append(name)
        return lost

    async def _delete(self, pod: core_v1.Pod, why: str) -> None:
        self._deletions.add(pod.metadata.namespace, why)
        try:
            if not pods.is_terminal(pod):
                await self._client.update_status(self._failed(pod, orphaned=why == ORPHANED))
            await self._client.delete(
                core_v1.Pod, pod.metadata.name, pod.metadata.namespace, grace=0, uid=pod.metadata.uid
            )
        except errors.StatusError as error:
            if error.reason not in ("NotFound", "Conflict"):
                self._failures.add(pod.metadata.namespace, why)
                raise

    def _failed(self, pod: core_v1.Pod, *, orphaned: bool) -> core_v1.Pod:
        copy = codecs.copy(pod)
        copy.status.phase = "Failed"
        if orphaned:
            target = core_v1.PodCondition(
                type="DisruptionTarget",
                status="True",
                reason="DeletionByPodGC",
                message="PodGC: node no longer exists",
                lastTransitionTime=times.to_time(self._context.clock.time()),
            )
            copy.status.conditions = conditions.put(copy.status.conditions, target)
        return copy
