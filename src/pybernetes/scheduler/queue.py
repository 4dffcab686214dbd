"""Pods that wait for a node: active ones, those in back-off, and those that no node fits until something changes.

    active --popped--> (a cycle) --placed--> gone
       ^                   |
       |                no node fits
       |                   v
    back-off <--moved-- unschedulable        (after five minutes without a change that helps: moved anyway)

Higher priority first, then longer waiting. A pod's back-off doubles from 1 s to 10 s with its attempts.
"""

from __future__ import annotations

import asyncio
import enum
import heapq

from pybernetes.api.types import core_v1
from pybernetes.kits.clock import Clock, Timer

FIRST_BACKOFF = 1.0
LAST_BACKOFF = 10.0
# So many doublings are past the last back-off; a pod that nothing fits is tried for ever.
DOUBLINGS = 4
UNSCHEDULABLE_SECONDS = 300.0
FLUSH_SECONDS = 30.0


class Change(enum.Flag):
    """What happened in the cluster that may let a pod fit."""

    NODE = enum.auto()
    ROOM = enum.auto()


# The changes that can undo a plugin's rejection; those not listed here wait for NODE.
HELPS = {"NodeResourcesFit": Change.NODE | Change.ROOM, "NodePorts": Change.NODE | Change.ROOM}


class Pending:
    """A pod on its way."""

    __slots__ = ("attempts", "pod", "rejected_by", "since", "tried")

    def __init__(self, pod: core_v1.Pod, since: float) -> None:
        self.pod, self.since = pod, since
        self.attempts = 0
        self.tried = 0.0
        self.rejected_by: frozenset[str] = frozenset()

    @property
    def backoff(self) -> float:
        return min(FIRST_BACKOFF * 2.0 ** min(max(self.attempts - 1, 0), DOUBLINGS), LAST_BACKOFF)

    def helped_by(self, change: Change) -> bool:
        if not self.rejected_by:
            return True
        return any(HELPS.get(plugin, Change.NODE) & change for plugin in self.rejected_by)


class SchedulingQueue:
    """See above. All by uid."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._heap: list[tuple[int, float, int, str]] = []
        self._active: dict[str, Pending] = {}
        self._backoff: dict[str, tuple[Pending, Timer]] = {}
        self._unschedulable: dict[str, Pending] = {}
        self._flying: dict[str, Change] = {}
        self._deleted_in_flight: set[str] = set()
        self._order = 0
        self._arrived = asyncio.Event()
        self._flush = clock.call_later(FLUSH_SECONDS, self._flush_old)

    def put(self, pod: core_v1.Pod) -> None:
        """Add a pod, or take over its changes; a change gives an unschedulable pod another try."""
        uid = pod.metadata.uid
        known = self._active.get(uid)
        if known is not None:
            known.pod = pod
        elif uid in self._backoff:
            self._backoff[uid][0].pod = pod
        elif uid in self._unschedulable:
            waiting = self._unschedulable[uid]
            before, waiting.pod = waiting.pod, pod
            if before.spec != pod.spec or before.metadata.labels != pod.metadata.labels:
                del self._unschedulable[uid]
                self._requeue(waiting)
        elif uid not in self._flying:
            self._activate(Pending(pod, self._clock.monotonic()))

    def remove(self, uid: str) -> None:
        self._active.pop(uid, None)
        self._unschedulable.pop(uid, None)
        waiting = self._backoff.pop(uid, None)
        if waiting is not None:
            waiting[1].cancel()
        if uid in self._flying:
            self._deleted_in_flight.add(uid)

    async def pop(self, most: int) -> list[Pending]:
        """The next pods, at least one, at most so many; each must come back by `failed` or `placed`."""
        while not self._active:
            self._heap.clear()
            self._arrived.clear()
            await self._arrived.wait()
        popped: list[Pending] = []
        while self._heap and len(popped) < most:
            pending = self._active.pop(heapq.heappop(self._heap)[3], None)
            if pending is not None:
                pending.attempts += 1
                pending.tried = self._clock.monotonic()
                self._flying[pending.pod.metadata.uid] = Change(0)
                popped.append(pending)
        return popped

    def placed(self, pending: Pending) -> None:
        """It has a node now."""
        uid = pending.pod.metadata.uid
        self._flying.pop(uid, None)
        self._deleted_in_flight.discard(uid)

    def failed(self, pending: Pending, rejected_by: frozenset[str], *, retry: bool = False) -> None:
        """No node fits; `retry`: it was an error, and another try may work without any change."""
        uid = pending.pod.metadata.uid
        meanwhile = self._flying.pop(uid, Change(0))
        if uid in self._deleted_in_flight:
            self._deleted_in_flight.discard(uid)
            return
        pending.rejected_by = rejected_by
        # What changed during the cycle may have come too late for it.
        if retry or (meanwhile and pending.helped_by(meanwhile)):
            self._requeue(pending)
        else:
            self._unschedulable[uid] = pending

    def changed(self, change: Change) -> None:
        """Give the pods that this may help another try."""
        for uid in self._flying:
            self._flying[uid] |= change
        for uid, pending in list(self._unschedulable.items()):
            if pending.helped_by(change):
                del self._unschedulable[uid]
                self._requeue(pending)

    def close(self) -> None:
        self._flush.cancel()
        for _, timer in self._backoff.values():
            timer.cancel()
        self._backoff.clear()

    def __len__(self) -> int:
        """How many pods are ready to be tried."""
        return len(self._active)

    def _requeue(self, pending: Pending) -> None:
        left = pending.tried + pending.backoff - self._clock.monotonic()
        if left <= 0:
            self._activate(pending)
            return
        uid = pending.pod.metadata.uid
        self._backoff[uid] = pending, self._clock.call_later(left, lambda: self._backoff_over(uid))

    def _backoff_over(self, uid: str) -> None:
        waiting = self._backoff.pop(uid, None)
        if waiting is not None:
            self._activate(waiting[0])

    def _activate(self, pending: Pending) -> None:
        uid = pending.pod.metadata.uid
        self._active[uid] = pending
        self._order += 1
        heapq.heappush(self._heap, (-(pending.pod.spec.priority or 0), pending.since, self._order, uid))
        self._arrived.set()

    def _flush_old(self) -> None:
        now = self._clock.monotonic()
        for uid, pending in list(self._unschedulable.items()):
            if now - pending.tried > UNSCHEDULABLE_SECONDS:
                del self._unschedulable[uid]
                self._requeue(pending)
        self._flush = self._clock.call_later(FLUSH_SECONDS, self._flush_old)
