"""Keeps the table of nodes, the queue and the nominations up to what the API server tells."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Container
from typing import Any

from pybernetes.api import errors
from pybernetes.api.types import apps_v1, core_v1, policy_v1, resource_v1, resource_v1beta2, storage_v1
from pybernetes.client import Client, discovery
from pybernetes.informers import Informers
from pybernetes.kits.clock import Clock
from pybernetes.scheduler import changes, nominations, preparing, queue, waiting, worlds
from pybernetes.scheduler import nodes as tables
from pybernetes.scheduler import shape as shapes
from pybernetes.scheduler.changes import Change

log = logging.getLogger(__name__)

# How long to wait for resources that a server need not serve.
DEVICES_SECONDS = 30.0
# Shapes, and pods to compare others with, that are kept for pods to come.
KEPT, COMPARED = 10_000, 1_000
FINISHED = ("Succeeded", "Failed")
# Whose labels or selectors placement depends on.
_SELECTING: tuple[type[Any], ...] = (
    core_v1.Service,
    core_v1.ReplicationController,
    apps_v1.ReplicaSet,
    apps_v1.StatefulSet,
)
_STORAGE: tuple[type[Any], ...] = (
    core_v1.PersistentVolume,
    core_v1.PersistentVolumeClaim,
    storage_v1.StorageClass,
    storage_v1.CSINode,
    storage_v1.CSIDriver,
    storage_v1.CSIStorageCapacity,
    storage_v1.VolumeAttachment,
)
_DEVICES: tuple[type[Any], ...] = (resource_v1.ResourceClaim, resource_v1.ResourceSlice, resource_v1.DeviceClass)
# Off by default.
_TAINTS = resource_v1beta2.DeviceTaintRule


class Watching:
    """The cluster as it is told, and as it is assumed: `assumed` has the nodes of pods whose binding is under way."""

    def __init__(
        self, client: Client, informers: Informers, profiles: Container[str], default_profile: str, clock: Clock
    ) -> None:
        self._client, self._all_informers = client, informers
        self._profiles, self._default, self._clock = profiles, default_profile, clock
        kinds: tuple[type[Any], ...] = (
            core_v1.Namespace,
            policy_v1.PodDisruptionBudget,
            *_SELECTING,
            *_STORAGE,
            *_DEVICES,
        )
        self._informers: dict[type[Any], Any] = {kind: informers.of(kind) for kind in kinds}
        self.pods = informers.of(core_v1.Pod)
        self._node_informer = informers.of(core_v1.Node)
        self.world = worlds.World({kind: informer.cache for kind, informer in self._informers.items()}, clock.time)
        self.nodes = tables.Nodes(self.world)
        self.nominations = nominations.Nominations()
        self.assumed: dict[str, str] = {}
        self.waiting = waiting.Waiting(clock)
        self.preparing = preparing.Preparing()
        # Set whenever storage or devices change.
        self.listeners: set[asyncio.Event] = set()
        self._shapes: dict[str, tuple[core_v1.Pod, shapes.Shape]] = {}
        self._kept: dict[bytes, shapes.Shape] = {}
        # The last pod that had other than the shape of its predecessor, by namespace and labels.
        self._last: dict[tuple[Any, ...], tuple[core_v1.Pod, shapes.Shape]] = {}

    async def start(self, pending: queue.SchedulingQueue) -> None:
        """Follow the API server; answers when all there is has been heard of."""
        self._queue = pending
        for kind, informer in self._informers.items():
            if kind not in _DEVICES:
                await informer.wait_synced()
        await self._wait_for_devices()
        await self._follow_taints()
        await self._node_informer.wait_synced()
        self._informers[core_v1.Namespace].on_change(self._namespace_changed)
        for kind in _SELECTING:
            self._informers[kind].on_change(self._selector_changed)
        for kind in _STORAGE:
            self._informers[kind].on_change(self._tell(Change.STORAGE))
        for kind in _DEVICES:
            self._informers[kind].on_change(self._tell(Change.DEVICES))
        self._node_informer.on_change(self._node_changed)
        self.pods.on_change(self._pod_changed)
        await self.pods.wait_synced()

    async def _wait_for_devices(self) -> None:
        """A server may be told not to serve claims of devices; no pods have any there."""
        try:
            async with self._clock.timeout(DEVICES_SECONDS):
                for kind in _DEVICES:
                    await self._informers[kind].wait_synced()
        except TimeoutError:
            log.warning("resource.k8s.io/v1 is not served; going on without device claims")

    async def _follow_taints(self) -> None:
        """Rules that taint devices, where they are served when the scheduler starts."""
        try:
            if not await discovery.is_served(self._client, _TAINTS):
                return
        except (errors.StatusError, ConnectionError, TimeoutError) as error:
            log.warning("not known whether DeviceTaintRules are served; going on without: %s", error)
            return
        rules = self._all_informers.of(_TAINTS)
        self.world.add(_TAINTS, rules.cache)
        tell = self._tell(Change.DEVICES)

        def changed(old: Any, new: Any) -> None:
            # Not when only what a rule says about its pods has changed.
            if old is None or new is None or old.spec != new.spec:
                tell(old, new)

        rules.on_change(changed)
        try:
            async with self._clock.timeout(DEVICES_SECONDS):
                await rules.wait_synced()
        except TimeoutError:
            log.warning("DeviceTaintRules cannot be read; going on without")

    def profile_of(self, pod: core_v1.Pod) -> str:
        return pod.spec.schedulerName or self._default

    def is_ours(self, pod: core_v1.Pod) -> bool:
        """Whether it waits for a node from us."""
        return (
            pod.metadata.deletionTimestamp is None
            and not pod.spec.nodeName
            and pod.status.phase not in FINISHED
            and self.profile_of(pod) in self._profiles
            and pod.metadata.uid not in self.assumed
        )

    def current(self, pod: core_v1.Pod) -> core_v1.Pod | None:
        """The same pod as it is now."""
        found = self.pods.cache.get(pod.metadata.name, pod.metadata.namespace)
        return found if found is not None and found.metadata.uid == pod.metadata.uid else None

    def pod(self, uid: str) -> core_v1.Pod:
        """A pod that has been heard of. Raises KeyError."""
        return self._shapes[uid][0]

    def shape(self, pod: core_v1.Pod) -> shapes.Shape:
        """Worked out once for each pod, as long as what it depends on is the same; equal ones are one object."""
        uid = pod.metadata.uid
        known = self._shapes.get(uid)
        if known is not None and known[0] is pod:
            return known[1]
        if known is None or not shapes.alike(known[0], pod):
            known = self._like(pod)
        self._shapes[uid] = pod, known[1]
        return known[1]

    def _like(self, pod: core_v1.Pod) -> tuple[core_v1.Pod, shapes.Shape]:
        """A pod of the same shape, perhaps itself. Pods with the same labels mostly are of one shape."""
        labels = pod.metadata.namespace, *pod.metadata.labels.items()
        last = self._last.get(labels)
        if last is None or not shapes.alike(last[0], pod):
            if len(self._last) > COMPARED:
                self._last.clear()
            last = self._last[labels] = pod, self._interned(shapes.of(pod))
        return last

    def _interned(self, found: shapes.Shape) -> shapes.Shape:
        if len(self._kept) > KEPT:
            self._kept.clear()
        return self._kept.setdefault(found.key, found)

    def assume(self, pod: core_v1.Pod, node: str) -> None:
        uid = pod.metadata.uid
        self.assumed[uid] = node
        self.nominations.remove(uid)
        self.nodes.add_pod(uid, node, self.shape(pod))

    def forget_assumed(self, pod: core_v1.Pod, *, tell: bool = True) -> None:
        """Give the room back; with `tell`, pods that wait for some get another try."""
        uid = pod.metadata.uid
        if self.assumed.pop(uid, None) is not None and self.nodes.remove_pod(uid) and tell:
            self._queue.happened(changes.Event(Change.POD_GONE, pod, None))

    # What the cluster tells

    def _tell(self, change: Change) -> Callable[[Any, Any], None]:
        def told(old: Any, new: Any) -> None:
            self._queue.happened(changes.Event(change, old, new))
            for listener in self.listeners:
                listener.set()

        return told

    def _namespace_changed(self, old: core_v1.Namespace | None, new: core_v1.Namespace | None) -> None:
        if old is None or new is None or old.metadata.labels != new.metadata.labels:
            self.nodes.version += 1

    def _selector_changed(self, old: Any, new: Any) -> None:
        if old is None or new is None or old.spec.selector != new.spec.selector:
            self.world.changed()
            self.nodes.version += 1

    def _node_changed(self, old: core_v1.Node | None, new: core_v1.Node | None) -> None:
        if new is None:
            if old is not None:
                self.nodes.remove(old.metadata.name)
                self._queue.happened(changes.Event(Change.NODE_GONE, old, None))
            return
        version = self.nodes.version
        self.nodes.put(new)
        if self.nodes.version != version:
            self._queue.happened(changes.Event(_node_change(old, new), old, new))

    def _pod_changed(self, old: core_v1.Pod | None, new: core_v1.Pod | None) -> None:
        if new is None:
            if old is not None:
                self._gone(old)
            return
        if old is not None and old.metadata.uid != new.metadata.uid:
            self._gone(old)
            old = None
        uid = new.metadata.uid
        if new.spec.nodeName:
            self._queue.remove(uid)
            self.nominations.remove(uid)
            if new.status.phase in FINISHED:
                self._gone(new)
            else:
                self._placed(old, new)
        elif self.is_ours(new):
            if self._queue.put(new):
                self.nominations.seen(old, new, self.shape(new))
            else:
                self.nominations.remove(uid)
        elif uid not in self.assumed:
            self.nominations.remove(uid)
            self._queue.remove(uid)

    def _placed(self, old: core_v1.Pod | None, new: core_v1.Pod) -> None:
        uid = new.metadata.uid
        self.assumed.pop(uid, None)
        before = self._shapes.get(uid)
        now = self.shape(new)
        self.nodes.add_pod(uid, new.spec.nodeName, now)
        if old is None or not old.spec.nodeName or before is None:
            self._queue.happened(changes.Event(Change.POD_PLACED, None, new))
        elif before[1] is not now:
            change = Change.POD_RELABELLED
            if any(now.requests.get(name, 0) < value for name, value in before[1].requests.items()):
                change |= Change.POD_SHRUNK
            self._queue.happened(changes.Event(change, old, new))

    def _gone(self, pod: core_v1.Pod) -> None:
        uid = pod.metadata.uid
        self._queue.remove(uid)
        self._shapes.pop(uid, None)
        self.nominations.remove(uid)
        self.waiting.reject(uid, "", "removed")
        assumed = self.assumed.pop(uid, None)
        if self.nodes.remove_pod(uid) or assumed is not None:
            self._queue.happened(changes.Event(Change.POD_GONE, pod, None))


def _node_change(old: core_v1.Node | None, new: core_v1.Node) -> Change:
    if old is None:
        return Change.NODE_ADDED
    change = Change(0)
    if old.metadata.labels != new.metadata.labels:
        change |= Change.NODE_LABELS
    if old.spec.taints != new.spec.taints or old.spec.unschedulable != new.spec.unschedulable:
        change |= Change.NODE_TAINTS
    if old.status.allocatable != new.status.allocatable:
        change |= Change.NODE_ROOM
    return change
