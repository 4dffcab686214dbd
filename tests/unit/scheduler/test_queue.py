from __future__ import annotations

import asyncio

import pytest

from pybernetes.api.types import core_v1, meta_v1, resource_v1
from pybernetes.kits.clock import VirtualClock
from pybernetes.scheduler import changes, queue
from pybernetes.scheduler.plugins import priority_sort


def pod(name: str, priority: int = 0) -> core_v1.Pod:
    meta = meta_v1.ObjectMeta(name=name, namespace="default", uid=name)
    return core_v1.Pod(metadata=meta, spec=core_v1.PodSpec(priority=priority))


ROOM = changes.Event(changes.Change.POD_GONE)
NODE = changes.Event(changes.Change.NODE_ADDED)


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


async def names(waiting: queue.SchedulingQueue) -> list[str]:
    popped = await asyncio.wait_for(waiting.pop(10), 5)
    return [found.pod.metadata.name for found in popped]


async def test_a_pod_that_failed_with_an_error_sits_out_its_back_off(clock: VirtualClock) -> None:
    waiting = queue.SchedulingQueue(clock)
    waiting.put(pod("big"))
    [pending] = await waiting.pop(1)
    pending.attempts = 5000
    waiting.failed(pending, frozenset(), error=True)
    await clock.advance(9.0)
    assert waiting.counts() == {"active": 0, "backoff": 1, "unschedulable": 0, "gated": 0}
    await clock.advance(1.5)
    assert await names(waiting) == ["big"]
    waiting.close()


async def test_a_pod_that_did_not_fit_is_tried_early_when_something_helps_and_nobody_else_waits(
    clock: VirtualClock,
) -> None:
    waiting = queue.SchedulingQueue(clock)
    waiting.put(pod("big"))
    [pending] = await waiting.pop(1)
    waiting.failed(pending, frozenset({"NodeResourcesFit"}))
    assert waiting.counts() == {"active": 0, "backoff": 0, "unschedulable": 1, "gated": 0}
    waiting.happened(ROOM)
    assert waiting.counts() == {"active": 0, "backoff": 1, "unschedulable": 0, "gated": 0}
    assert await names(waiting) == ["big"]
    waiting.close()


async def test_only_changes_that_help_move_a_pod_also_those_during_its_cycle(clock: VirtualClock) -> None:
    def helps(plugin: str, pending: queue.Pending, event: changes.Event) -> bool:
        return plugin == "A" and event.change is changes.Change.NODE_ADDED

    waiting = queue.SchedulingQueue(clock, helps)
    waiting.put(pod("a"))
    [pending] = await waiting.pop(1)
    waiting.happened(ROOM)
    waiting.failed(pending, frozenset({"A", "B"}))
    assert waiting.counts()["unschedulable"] == 1
    waiting.happened(ROOM)
    assert waiting.counts()["unschedulable"] == 1
    waiting.happened(NODE)
    assert waiting.counts()["unschedulable"] == 0
    [pending] = await waiting.pop(1)
    waiting.happened(NODE)
    waiting.failed(pending, frozenset({"A"}))
    assert waiting.counts()["unschedulable"] == 0
    waiting.close()


async def test_five_minutes_without_help_bring_another_try_and_idle_queues_have_no_timers(clock: VirtualClock) -> None:
    waiting = queue.SchedulingQueue(clock, lambda *_: False)
    assert not clock._timers
    waiting.put(pod("a"))
    [pending] = await waiting.pop(1)
    waiting.failed(pending, frozenset({"A"}))
    await clock.advance(299)
    assert waiting.counts()["unschedulable"] == 1
    await clock.advance(1)
    assert waiting.counts()["active"] == 1
    assert not clock._timers
    waiting.close()


async def test_more_important_pods_go_first_then_those_that_waited_longer(clock: VirtualClock) -> None:
    waiting = queue.SchedulingQueue(clock, order=priority_sort.PrioritySort().order)
    for name, priority in (("a", 0), ("b", 10), ("c", 0)):
        waiting.put(pod(name, priority))
        await clock.advance(1)
    assert await names(waiting) == ["b", "a", "c"]
    waiting.close()


async def test_a_held_pod_waits_for_its_release(clock: VirtualClock) -> None:
    waiting = queue.SchedulingQueue(clock)
    waiting.put(pod("a"))
    [pending] = await waiting.pop(1)
    waiting.hold(pending)
    waiting.failed(pending, frozenset({"A"}))
    waiting.happened(ROOM)
    assert waiting.counts() == {"active": 0, "backoff": 0, "unschedulable": 0, "gated": 0}
    waiting.release(pending)
    assert waiting.counts()["backoff"] == 1
    waiting.close()


async def test_pods_that_are_held_back_are_not_tried_before_their_plugin_lets_them(clock: VirtualClock) -> None:
    held = {"a"}

    def concerns(plugin: str, change: changes.Change) -> bool:
        return plugin != "Gate" or change is changes.Change.NODE_ADDED

    def gate(pod: core_v1.Pod) -> str | None:
        return "Gate" if pod.metadata.name in held else None

    waiting = queue.SchedulingQueue(clock, concerns=concerns, gate=gate)
    assert not waiting.put(pod("a"))
    assert waiting.put(pod("b"))
    assert waiting.counts() == {"active": 1, "backoff": 0, "unschedulable": 0, "gated": 1}
    # They do not get out by time, nor by what does not concern the plugin, nor as long as it says no.
    await clock.advance(2 * queue.UNSCHEDULABLE_SECONDS)
    waiting.happened(NODE)
    held.clear()
    waiting.happened(ROOM)
    assert waiting.counts()["gated"] == 1
    waiting.happened(NODE)
    # A pod that was never tried has no back-off.
    assert waiting.counts() == {"active": 2, "backoff": 0, "unschedulable": 0, "gated": 0}
    waiting.close()


async def test_a_pod_that_was_tried_may_be_held_back_later(clock: VirtualClock) -> None:
    held: set[str] = set()
    waiting = queue.SchedulingQueue(clock, gate=lambda pod: "Gate" if pod.metadata.name in held else None)
    waiting.put(pod("a"))
    [pending] = await waiting.pop(1)
    waiting.failed(pending, frozenset({"A"}))
    held.add("a")
    waiting.happened(ROOM)
    assert waiting.counts() == {"active": 0, "backoff": 0, "unschedulable": 0, "gated": 1}
    held.clear()
    assert waiting.put(pod("a"))
    assert waiting.counts()["backoff"] == 1
    waiting.close()


async def test_what_moves_is_counted_by_what_moved_it(clock: VirtualClock) -> None:
    waiting = queue.SchedulingQueue(clock)
    for name in ("a", "b"):
        waiting.put(pod(name))
    first, second = await waiting.pop(2)
    waiting.happened(NODE)
    tracked = next(one for one in waiting.families() if one.name == "scheduler_inflight_events")
    assert list(tracked.samples) == [({"event": "NodeAdd"}, 1), ({"event": "PodPopped"}, 2)]
    for pending in (first, second):
        waiting.failed(pending, frozenset({"NodeResourcesFit"}))
    waiting.remove("b")
    await clock.advance(1)
    await waiting.pop(1)
    waiting.failed(first, frozenset({"NodeResourcesFit", "NodePorts"}))
    assert waiting.moves.turned_down == {("NodeResourcesFit", ""): 1, ("NodePorts", ""): 1}
    await clock.advance(queue.UNSCHEDULABLE_SECONDS + 1)
    [pending] = await waiting.pop(1)
    assert pending.flushed
    assert not any(waiting.moves.turned_down.values())
    assert waiting.moves.incoming == {
        ("active", "UnschedulablePodAdd"): 2,
        ("backoff", "ScheduleAttemptFailure"): 2,
        ("active", "BackoffComplete"): 1,
        ("unschedulable", "ScheduleAttemptFailure"): 1,
        ("active", "UnschedulableTimeout"): 1,
    }
    waiting.close()


def test_what_upstream_calls_events() -> None:
    claim = core_v1.PersistentVolumeClaim()
    sliced = resource_v1.ResourceSlice()
    assert changes.Event(changes.Change.STORAGE, None, claim).label == "PersistentVolumeClaimAdd"
    assert changes.Event(changes.Change.DEVICES, sliced, sliced).label == "resource.k8s.io/ResourceSliceUpdate"
    assert changes.Event(changes.Change.DEVICES, sliced, None).label == "resource.k8s.io/ResourceSliceDelete"
    both = changes.Change.POD_RELABELLED | changes.Change.POD_SHRUNK
    assert changes.Event(both).label == "AssignedPodUpdatePodLabel"
