from __future__ import annotations

from pybernetes.api.types import core_v1, meta_v1
from pybernetes.kits.clock import VirtualClock
from pybernetes.scheduler import queue


async def test_a_pod_that_nothing_fits_is_tried_again_however_often_it_was() -> None:
    clock = VirtualClock()
    waiting = queue.SchedulingQueue(clock)
    waiting.put(core_v1.Pod(metadata=meta_v1.ObjectMeta(name="big", namespace="default", uid="u")))
    [pending] = await waiting.pop(1)
    pending.attempts = 5000
    waiting.failed(pending, frozenset({"NodeResourcesFit"}))
    waiting.changed(queue.Change.ROOM)
    await clock.advance(9.0)
    assert not len(waiting)
    await clock.advance(1.5)
    assert [found.pod.metadata.name for found in await waiting.pop(1)] == ["big"]
    waiting.close()
