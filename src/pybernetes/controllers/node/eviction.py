"""Removes pods from nodes whose NoExecute taints they do not tolerate, or do not tolerate any longer."""

from __future__ import annotations

from collections.abc import Iterator

from pybernetes.api import codecs, errors, times, tolerations
from pybernetes.api.types import core_v1
from pybernetes.controllers import conditions, pods
from pybernetes.controllers.context import Context
from pybernetes.informers import key_of, split_key
from pybernetes.kits import prometheus

NAME = "taint-eviction-controller"
REASON = "DeletionByTaintManager"
# Of how long a deletion takes from when it is due, in seconds.
DELETION = (0.005, 0.025, 0.1, 0.5, 1.0, 2.5, 10.0, 30.0, 60.0, 120.0, 180.0, 240.0)
MESSAGE = "Taint manager: deleting due to NoExecute taint"


def stays_for(pod: core_v1.Pod, taints: list[core_v1.Taint]) -> float | None:
    """Seconds that a pod may stay on a node with those taints: 0 at most now, None for ever."""
    shortest: float | None = None
    for taint in taints:
        if taint.effect != tolerations.NO_EXECUTE:
            continue
        covering = [
            toleration
            for toleration in pod.spec.tolerations
            if tolerations.tolerates(toleration, taint.key, taint.value, taint.effect)
        ]
        if not covering:
            return 0.0
        limits = [max(float(t.tolerationSeconds), 0.0) for t in covering if t.tolerationSeconds is not None]
        if limits:
            shortest = min(limits) if shortest is None else min(shortest, *limits)
    return shortest


class TaintEviction:
    """The controller. Work items are pods."""

    def __init__(self, context: Context) -> None:
        self._context, self._client = context, context.client
        self._recorder = context.recorder(NAME)
        self._queue = context.queue(NAME)
        self._since: dict[str, float] = {}
        self._deletions = prometheus.Timings(
            "taint_eviction_controller_pod_deletion_duration_seconds",
            "Latency, in seconds, between the time when a taint effect has been activated for the Pod and its deletion "
            "via TaintEvictionController.",
            DELETION,
        )
        context.counted.extend((self._deletions.families, self._total))
        self._nodes = context.informers.of(core_v1.Node)
        self._pods = context.informers.of(core_v1.Pod)
        self._pods.add_index("node", lambda pod: (pod.spec.nodeName,))
        self._nodes.on_change(self._node_changed)
        self._pods.on_change(self._pod_changed)

    async def run(self) -> None:
        await self._context.reconcile(NAME, self._queue, self.reconcile, after=(self._nodes, self._pods), workers=8)

    def _node_changed(self, old: core_v1.Node | None, new: core_v1.Node | None) -> None:
        if new is not None and (old.spec.taints if old is not None else []) != new.spec.taints:
            for pod in self._pods.cache.index("node", new.metadata.name):
                self._queue.add(key_of(pod), f"taints of Node {new.metadata.name} changed")

    def _pod_changed(self, old: core_v1.Pod | None, new: core_v1.Pod | None) -> None:
        if new is None:
            self._since.pop(key_of(old), None)
        elif old is None or old.spec.nodeName != new.spec.nodeName or old.spec.tolerations != new.spec.tolerations:
            node = self._nodes.cache.get(new.spec.nodeName) if new.spec.nodeName else None
            if node is not None and any(taint.effect == tolerations.NO_EXECUTE for taint in node.spec.taints):
                self._queue.add(key_of(new), "Pod changed")

    async def reconcile(self, key: str) -> float | None:
        namespace, name = split_key(key)
        pod = self._pods.cache.get(name, namespace)
        node = self._nodes.cache.get(pod.spec.nodeName) if pod is not None else None
        if pod is None or node is None or pod.metadata.deletionTimestamp is not None:
            self._since.pop(key, None)
            return None
        limit = stays_for(pod, node.spec.taints)
        if limit is None:
            if self._since.pop(key, None) is not None:
                self._recorder.event(pod, "Normal", "TaintManagerEviction", f"Cancelling deletion of Pod {key}")
            return None
        now = self._context.clock.monotonic()
        left = self._since.setdefault(key, now) + limit - now
        if left > 0:
            return left
        await self._evict(pod)
        self._deletions.observe(self._context.clock.monotonic() - now - left)
        return None

    def _total(self) -> Iterator[prometheus.Family]:
        yield self._deletions.totals(
            "taint_eviction_controller_pod_deletions_total",
            "Total number of Pods deleted by TaintEvictionController since its start.",
        )

    async def _evict(self, pod: core_v1.Pod) -> None:
        self._recorder.event(pod, "Normal", "TaintManagerEviction", f"Marking for deletion Pod {key_of(pod)}")
        try:
            if not pods.is_terminal(pod):
                copy = codecs.copy(pod)
                target = core_v1.PodCondition(
                    type="DisruptionTarget",
                    status="True",
                    reason=REASON,
                    message=MESSAGE,
                    lastTransitionTime=times.to_time(self._context.clock.time()),
                )
                copy.status.conditions = conditions.put(copy.status.conditions, target)
                await self._client.update_status(copy)
            await self._client.delete(core_v1.Pod, pod.metadata.name, pod.metadata.namespace, uid=pod.metadata.uid)
        except errors.StatusError as error:
            if error.reason != "NotFound":
                raise
