"""Pods that wait for a node: active ones, those in back-off, and those that no node fits until something changes.

    active --popped--> (a cycle) --placed--> gone
       ^                   |
       |                no node fits
       |                   v
    back-off <--moved-- unschedulable        (after five minutes without a change that helps: moved anyway)

Pods that plugins hold back (`gate`) wait with the unschedulable ones, until such a plugin lets them pass.

A pod's back-off doubles from 1 s to 10 s with its attempts; while there is nothing else to do, pods that merely did not
fit are taken out of it early. Timers run only while somebody waits.
"""

from __future__ import annotations

import asyncio
import collections
import heapq
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from pybernetes.api.types import core_v1
from pybernetes.kits import prometheus
from pybernetes.kits.clock import Clock, Timer
from pybernetes.scheduler import changes, moves

FIRST_BACKOFF = 1.0
LAST_BACKOFF = 10.0
# Doubling longer would overflow a float; a pod that nothing fits is tried for ever.
DOUBLINGS = 60
UNSCHEDULABLE_SECONDS = 300.0
# Events remembered for pods in flight; beyond that all count as if everything had happened.
REMEMBERED = 10_000

Helps = Callable[[str, "Pending", changes.Event], bool]
Concerns = Callable[[str, changes.Change], bool]
Gate = Callable[[core_v1.Pod], str | None]
Order = Callable[[core_v1.Pod, float], Any]
# Stands for the plugin where none is known that turned a pod down.
NOBODY = ""


class Pending:
    """A pod on its way. `rejected_by` names the plugins that turned it down everywhere; `entered` is when it came,
    `since` when it began to wait as it waits now, `began` when its last attempt did. `gated_by` is the plugin that
    holds it back from being tried at all, `blamed` are those that the metrics blame; `flushed` says that it has waited
    too long for anything to help it."""

    __slots__ = (
        "attempts",
        "began",
        "blamed",
        "entered",
        "failed",
        "flushed",
        "gated_by",
        "held",
        "pod",
        "rejected_by",
        "seen",
        "since",
        "tried",
    )

    def __init__(self, pod: core_v1.Pod, since: float) -> None:
        self.pod, self.since, self.entered, self.began = pod, since, since, since
        self.attempts = 0
        self.tried = 0.0
        self.seen = 0
        # An error, not a lack of room, ended its last attempt.
        self.failed = False
        # Pods are being removed for it; until that is done another attempt is of no use.
        self.held = False
        self.gated_by: str | None = None
        self.rejected_by: frozenset[str] = frozenset()
        self.blamed: frozenset[str] = frozenset()
        self.flushed = False


def _always(plugin: str, pending: Pending, event: changes.Event) -> bool:
    return True


def _any(plugin: str, change: changes.Change) -> bool:
    return True


def _open(pod: core_v1.Pod) -> str | None:
    return None


def _by_time(pod: core_v1.Pod, since: float) -> float:
    return since


class SchedulingQueue:
    """See above. All by uid.

    `helps(plugin, pending, event)` asks a plugin whether a change can undo its rejection, `concerns(plugin, change)`
    whether it can undo any. `gate(pod)` answers the plugin that holds a pod back, or None. `order(pod, since)` answers
    what pods are sorted by, the lowest first; those that have waited longest, where nothing is said.
    """

    def __init__(
        self,
        clock: Clock,
        helps: Helps = _always,
        *,
        concerns: Concerns = _any,
        gate: Gate = _open,
        order: Order = _by_time,
        first: float = FIRST_BACKOFF,
        last: float = LAST_BACKOFF,
    ) -> None:
        self.moves = moves.Moves()
        self._clock, self._helps, self._concerns, self._gate, self._by = clock, helps, concerns, gate, order
        self._first, self._last = first, last
        self._heap: list[tuple[Any, int, str]] = []
        self._active: dict[str, Pending] = {}
        self._backoff: dict[str, tuple[Pending, Timer]] = {}
        self._unschedulable: dict[str, Pending] = {}
        self._rejected_by: dict[str, dict[str, Pending]] = {}
        self._held: dict[str, Pending] = {}
        self._flying: dict[str, Pending] = {}
        self._deleted_in_flight: set[str] = set()
        self._events: list[changes.Event] = []
        self._forgotten = 0
        self._order = 0
        self._arrived = asyncio.Event()
        self._flush: Timer | None = None

    def put(self, pod: core_v1.Pod) -> bool:
        """Add a pod, or take over its changes; a change gives an unschedulable pod another try.

        Answers False where a plugin holds it back.
        """
        uid = pod.metadata.uid
        known = self._active.get(uid)
        if known is not None:
            known.pod = pod
        elif uid in self._backoff:
            self._backoff[uid][0].pod = pod
        elif uid in self._held:
            self._held[uid].pod = pod
        elif uid in self._unschedulable:
            waiting = self._unschedulable[uid]
            before, waiting.pod = waiting.pod, pod
            if waiting.gated_by is not None or _changed(before, pod):
                self._requeue(self._unpark(uid), moves.UPDATED)
            return waiting.gated_by is None
        elif uid not in self._flying:
            pending = Pending(pod, self._clock.monotonic())
            if not self._admit(pending, moves.ADDED):
                return False
            self._activate(pending, moves.ADDED)
        else:
            self._flying[uid].pod = pod
        return True

    def remove(self, uid: str) -> None:
        gone = self._active.pop(uid, None) or self._held.pop(uid, None)
        if uid in self._unschedulable:
            gone = self._unpark(uid)
        waiting = self._backoff.pop(uid, None)
        if waiting is not None:
            gone = waiting[0]
            waiting[1].cancel()
        if gone is not None and gone.blamed:
            self._blame(gone, frozenset())
        if uid in self._flying:
            self._deleted_in_flight.add(uid)

    async def pop(self, most: int) -> list[Pending]:
        """The next pods, at least one, at most so many; each must come back by `failed` or `placed`."""
        while not self._active and not self._hurry():
            self._heap.clear()
            self._arrived.clear()
            await self._arrived.wait()
        popped: list[Pending] = []
        while self._heap and len(popped) < most:
            pending = self._active.pop(heapq.heappop(self._heap)[2], None)
            if pending is not None:
                if pending.blamed:
                    self._blame(pending, frozenset())
                pending.attempts += 1
                pending.tried = self._clock.monotonic()
                pending.seen = self._forgotten + len(self._events)
                self._flying[pending.pod.metadata.uid] = pending
                popped.append(pending)
        return popped

    def placed(self, pending: Pending) -> None:
        """It has a node now, or needs none any more."""
        self._land(pending)

    def failed(self, pending: Pending, rejected_by: frozenset[str], *, error: bool = False) -> None:
        """No node fits; `error`: something went wrong, and another try may work without any change."""
        meanwhile = self._meanwhile(pending)
        if not self._land(pending):
            return
        pending.rejected_by, pending.failed, pending.since = rejected_by, error, self._clock.monotonic()
        pending.gated_by, pending.flushed = None, False
        self._blame(pending, rejected_by)
        # What changed during the cycle may have come too late for it.
        if error or meanwhile is None or any(self._helped(pending, event) for event in meanwhile):
            self._requeue(pending, moves.FAILED)
            return
        self._park(pending, moves.FAILED)
        self._plan_flush()

    def happened(self, event: changes.Event) -> None:
        """Give the pods that this may help another try."""
        if self._flying:
            self._events.append(event)
            if len(self._events) > REMEMBERED:
                self._forgotten += len(self._events)
                self._events.clear()
        if not self._unschedulable:
            return
        helped = {
            uid: pending
            for plugin, waiting in self._rejected_by.items()
            if self._concerns(plugin, event.change)
            for uid, pending in waiting.items()
            if self._helps(plugin, pending, event)
        }
        label = event.label if helped else ""
        for uid, pending in helped.items():
            if pending.gated_by is not None and not self._concerns(pending.gated_by, event.change):
                continue
            self._requeue(self._unpark(uid), label)

    def hold(self, pending: Pending) -> None:
        """Keep a pod from being tried until `release`."""
        pending.held = True

    def release(self, pending: Pending, *, retry: bool = False) -> None:
        """Let it be tried again: if something has helped meanwhile, or, with `retry`, in any case."""
        pending.held = False
        uid = pending.pod.metadata.uid
        if uid in self._held:
            self._requeue(self._held.pop(uid), moves.RELEASED)
        elif retry and uid in self._unschedulable:
            waiting = self._unpark(uid)
            if self._admit(waiting, moves.RELEASED):
                self._activate(waiting, moves.RELEASED)

    def close(self) -> None:
        if self._flush is not None:
            self._flush.cancel()
        for _, timer in self._backoff.values():
            timer.cancel()
        self._backoff.clear()

    def __len__(self) -> int:
        """How many pods are ready to be tried."""
        return len(self._active)

    def counts(self) -> dict[str, int]:
        """How many pods wait, by where."""
        gated = sum(pending.gated_by is not None for pending in self._unschedulable.values())
        return {
            "active": len(self._active),
            "backoff": len(self._backoff),
            "unschedulable": len(self._unschedulable) - gated,
            "gated": gated,
        }

    def families(self) -> Iterator[prometheus.Family]:
        """What moves here, for /metrics."""
        events = collections.Counter(event.label for event in self._events)
        events[moves.POPPED] = len(self._flying)
        return self.moves.families(events)

    def backoff_of(self, pending: Pending) -> float:
        return min(self._first * 2.0 ** min(max(pending.attempts - 1, 0), DOUBLINGS), self._last)

    def _helped(self, pending: Pending, event: changes.Event) -> bool:
        if not pending.rejected_by:
            return True
        return any(self._helps(plugin, pending, event) for plugin in pending.rejected_by)

    def _meanwhile(self, pending: Pending) -> list[changes.Event] | None:
        """What happened since it was popped; None: more than was kept."""
        start = pending.seen - self._forgotten
        return self._events[start:] if start >= 0 else None

    def _land(self, pending: Pending) -> bool:
        """Whether it is still wanted."""
        uid = pending.pod.metadata.uid
        self._flying.pop(uid, None)
        if not self._flying:
            self._forgotten += len(self._events)
            self._events.clear()
        if uid in self._deleted_in_flight:
            self._deleted_in_flight.discard(uid)
            return False
        return True

    def _admit(self, pending: Pending, event: str) -> bool:
        """Whether plugins let it be tried; it waits where not."""
        pending.gated_by = self._gate(pending.pod)
        if pending.gated_by is None:
            return True
        pending.rejected_by |= {pending.gated_by}
        self._blame(pending, pending.rejected_by)
        self._park(pending, event)
        return False

    def _blame(self, pending: Pending, plugins: frozenset[str]) -> None:
        scheduler = pending.pod.spec.schedulerName
        self.moves.blame(pending.blamed, scheduler, -1)
        self.moves.blame(plugins, scheduler, 1)
        pending.blamed = plugins

    def _park(self, pending: Pending, event: str) -> None:
        self.moves.incoming[moves.UNSCHEDULABLE, event] += 1
        uid = pending.pod.metadata.uid
        self._unschedulable[uid] = pending
        for plugin in _rejecting(pending):
            self._rejected_by.setdefault(plugin, {})[uid] = pending

    def _unpark(self, uid: str) -> Pending:
        pending = self._unschedulable.pop(uid)
        for plugin in _rejecting(pending):
            waiting = self._rejected_by[plugin]
            del waiting[uid]
            if not waiting:
                del self._rejected_by[plugin]
        return pending

    def _requeue(self, pending: Pending, event: str) -> None:
        if pending.held:
            self._held[pending.pod.metadata.uid] = pending
            return
        if not self._admit(pending, event):
            return
        left = pending.tried + self.backoff_of(pending) - self._clock.monotonic()
        if left <= 0 or not pending.attempts:
            self._activate(pending, event)
            return
        self.moves.incoming[moves.BACKOFF, event] += 1
        uid = pending.pod.metadata.uid
        self._backoff[uid] = pending, self._clock.call_later(left, lambda: self._backoff_over(uid))
        if not pending.failed:
            self._arrived.set()

    def _backoff_over(self, uid: str) -> None:
        waiting = self._backoff.pop(uid, None)
        if waiting is not None:
            self._activate(waiting[0], moves.BACKOFF_OVER)

    def _hurry(self) -> bool:
        """With nothing else to do, try the pods in back-off that merely did not fit."""
        early = [uid for uid, (pending, _) in self._backoff.items() if not pending.failed]
        for uid in early:
            pending, timer = self._backoff.pop(uid)
            timer.cancel()
            self._activate(pending, moves.HURRIED)
        return bool(early)

    def _activate(self, pending: Pending, event: str) -> None:
        self.moves.incoming[moves.ACTIVE, event] += 1
        uid = pending.pod.metadata.uid
        self._active[uid] = pending
        self._order += 1
        heapq.heappush(self._heap, (self._by(pending.pod, pending.since), self._order, uid))
        self._arrived.set()

    def _plan_flush(self) -> None:
        if self._flush is None:
            self._flush = self._clock.call_later(UNSCHEDULABLE_SECONDS, self._flush_old)

    def _flush_old(self) -> None:
        self._flush = None
        now = self._clock.monotonic()
        tried = [pending for pending in self._unschedulable.values() if pending.gated_by is None]
        for pending in tried:
            if now - pending.since >= UNSCHEDULABLE_SECONDS:
                pending.flushed = True
                self._requeue(self._unpark(pending.pod.metadata.uid), moves.TIMED_OUT)
        left = [pending.since for pending in self._unschedulable.values() if pending.gated_by is None]
        if left:
            oldest = min(left)
            self._flush = self._clock.call_later(oldest + UNSCHEDULABLE_SECONDS - now, self._flush_old)


def _rejecting(pending: Pending) -> Iterable[str]:
    return pending.rejected_by or (NOBODY,)


def _changed(before: core_v1.Pod, after: core_v1.Pod) -> bool:
    """Whether something about the pod itself may let it fit now, or it has lost the node it was nominated for."""
    return (
        before.spec != after.spec
        or before.metadata.labels != after.metadata.labels
        or before.status.resourceClaimStatuses != after.status.resourceClaimStatuses
        or (bool(before.status.nominatedNodeName) and not after.status.nominatedNodeName)
    )
