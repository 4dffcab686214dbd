"""Evicts pods whose devices have got a NoExecute taint that their claims do not tolerate, or no longer do.

Taints are those that drivers put on devices in their ResourceSlices; DeviceTaintRules, whose kind is off by default,
are not looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pybernetes.api import codecs, errors, times, tolerations
from pybernetes.api.types import core_v1, resource_v1
from pybernetes.controllers import conditions, owners, pods
from pybernetes.controllers.context import Context
from pybernetes.controllers.resourceclaim import decide
from pybernetes.informers import key_of, split_key

NAME = "device-taint-eviction-controller"
REASON = "DeletionByDeviceTaintManager"
MESSAGE = "Device Taint manager: deleting due to NoExecute taint"
# The index of ResourceSlices, and of claims by what they were given: `driver/pool`.
POOL = "pool"

Taints = Mapping[tuple[str, str, str], list[resource_v1.DeviceTaint]]


def taints_of(slices: Iterable[resource_v1.ResourceSlice]) -> dict[tuple[str, str, str], list[resource_v1.DeviceTaint]]:
    """The NoExecute taints of the devices of pools, by driver, pool and device; only of each pool's last generation."""
    slices = list(slices)
    last: dict[tuple[str, str], int] = {}
    for one in slices:
        at = (one.spec.driver, one.spec.pool.name)
        last[at] = max(last.get(at, 0), one.spec.pool.generation)
    return {
        (one.spec.driver, one.spec.pool.name, device.name): evicting
        for one in slices
        if one.spec.pool.generation == last[one.spec.driver, one.spec.pool.name]
        for device in one.spec.devices
        if (evicting := [taint for taint in device.taints if taint.effect == tolerations.NO_EXECUTE])
    }


def due(claim: resource_v1.ResourceClaim, taints: Taints) -> float | None:
    """When those who use the claim are to go, in epoch seconds; None: never, as things are."""
    allocation = claim.status.allocation
    ends: list[float] = []
    for given in allocation.devices.results if allocation is not None else ():
        for taint in taints.get((given.driver, given.pool, given.device), ()):
            fitting = [one for one in given.tolerations if _tolerates(one, taint)]
            if any(one.tolerationSeconds is None for one in fitting):
                continue
            added = times.parse(taint.timeAdded) if taint.timeAdded else 0.0
            ends.append(added + min((max(one.tolerationSeconds or 0, 0) for one in fitting), default=0))
    return min(ends, default=None)


def _tolerates(one: resource_v1.DeviceToleration, taint: resource_v1.DeviceTaint) -> bool:
    if one.effect != tolerations.NO_EXECUTE or one.key not in ("", taint.key):
        return False
    return one.operator == "Exists" or (one.operator in ("", "Equal") and one.value == taint.value)


def _pools(claim: resource_v1.ResourceClaim) -> set[str]:
    allocation = claim.status.allocation
    return {f"{one.driver}/{one.pool}" for one in (allocation.devices.results if allocation is not None else ())}


class DeviceTaints:
    """The controller. Work items are pods."""

    def __init__(self, context: Context) -> None:
        self._context, self._client = context, context.client
        self._recorder = context.recorder(NAME)
        self._queue = context.queue(NAME)
        # Pods that wait for their end.
        self._marked: set[str] = set()
        self._pods = context.informers.of(core_v1.Pod)
        self._claims = context.informers.of(resource_v1.ResourceClaim)
        self._slices = context.informers.of(resource_v1.ResourceSlice)
        self._slices.add_index(POOL, lambda one: (f"{one.spec.driver}/{one.spec.pool.name}",))
        self._claims.add_index(POOL, _pools)
        self._pods.on_change(self._pod_changed)
        self._claims.on_change(self._claim_changed)
        self._slices.on_change(self._slice_changed)

    async def run(self) -> None:
        after = (self._pods, self._claims, self._slices)
        await self._context.reconcile(NAME, self._queue, self.reconcile, after=after)

    def _pod_changed(self, old: core_v1.Pod | None, new: core_v1.Pod | None) -> None:
        pod = new or old
        if pod is not None and pod.spec.resourceClaims and pod.spec.nodeName:
            self._queue.add(key_of(pod), "Pod changed")

    def _claim_changed(self, old: resource_v1.ResourceClaim | None, new: resource_v1.ResourceClaim | None) -> None:
        for claim in (old, new):
            if claim is not None:
                self._look_at_users(claim, f"ResourceClaim {key_of(claim)} changed")

    def _slice_changed(self, old: resource_v1.ResourceSlice | None, new: resource_v1.ResourceSlice | None) -> None:
        if old is not None and new is not None and taints_of([old]) == taints_of([new]):
            return
        for one in (old, new):
            if one is not None:
                for claim in self._claims.cache.index(POOL, f"{one.spec.driver}/{one.spec.pool.name}"):
                    self._look_at_users(claim, f"ResourceSlice {one.metadata.name} changed")

    def _look_at_users(self, claim: resource_v1.ResourceClaim, why: str) -> None:
        for consumer in filter(decide.is_pod, claim.status.reservedFor):
            self._queue.add(f"{claim.metadata.namespace}/{consumer.name}", why)

    async def reconcile(self, key: str) -> float | None:
        namespace, name = split_key(key)
        pod = self._pods.cache.get(name, namespace)
        if pod is None or pod.metadata.deletionTimestamp is not None or pods.is_terminal(pod):
            self._marked.discard(key)
            return None
        at = self._due(pod)
        if at is None:
            if key in self._marked:
                self._marked.discard(key)
                self._recorder.event(pod, "Normal", "DeviceTaintManagerEviction", "Cancelling deletion")
            return None
        self._marked.add(key)
        left = at - self._context.clock.time()
        if left > 0:
            return left
        await self._evict(pod)
        return None

    def _due(self, pod: core_v1.Pod) -> float | None:
        by_template = {entry.name for entry in pod.spec.resourceClaims if entry.resourceClaimTemplateName is not None}
        found: list[float] = []
        for entry, name in decide.names(pod).items() if pod.spec.nodeName else ():
            claim = self._claims.cache.get(name, pod.metadata.namespace)
            if claim is None or not decide.is_reserved(claim, pod):
                continue
            if entry in by_template and not owners.is_controlled_by(claim, pod):
                continue
            slices = [one for pool in _pools(claim) for one in self._slices.cache.index(POOL, pool)]
            at = due(claim, taints_of(slices))
            if at is not None:
                found.append(at)
        return min(found, default=None)

    async def _evict(self, pod: core_v1.Pod) -> None:
        self._recorder.event(pod, "Normal", "DeviceTaintManagerEviction", "Marking for deletion")
        target = core_v1.PodCondition(
            type="DisruptionTarget",
            status="True",
            reason=REASON,
            message=MESSAGE,
            lastTransitionTime=times.to_time(self._context.clock.time()),
        )
        copy = codecs.copy(pod)
        copy.status.conditions = conditions.put(copy.status.conditions, target)
        try:
            await self._client.update_status(copy)
            await self._client.delete(core_v1.Pod, pod.metadata.name, pod.metadata.namespace, uid=pod.metadata.uid)
        except errors.StatusError as error:
            if error.reason != "NotFound":
                raise
