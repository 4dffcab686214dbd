from __future__ import annotations

import asyncio

import pytest

from pybernetes.api import errors
from pybernetes.informers import Closed, Loop, Queue
from pybernetes.kits import causes
from pybernetes.kits.clock import VirtualClock, settle


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


async def test_a_key_waits_once_and_is_never_handled_twice_at_a_time(clock: VirtualClock) -> None:
    queue = Queue("q", clock=clock)
    queue.add("a")
    queue.add("a")
    assert await queue.get() == "a"
    queue.add("a")
    assert len(queue) == 0
    queue.done("a")
    assert await queue.get() == "a"
    queue.done("a")
    assert len(queue) == 0


async def test_a_key_that_changes_while_it_is_handled_pauses_before_it_comes_again(clock: VirtualClock) -> None:
    queue = Queue("q", clock=clock)
    queue.add("a")
    await queue.get()
    await clock.advance(0.01)
    queue.add("a")
    queue.done("a")
    queue.add("a")
    await clock.advance(0.029)
    assert len(queue) == 0
    await clock.advance(0.002)
    assert len(queue) == 1
    await queue.get()
    await clock.advance(60)
    queue.add("a")
    queue.done("a")
    await clock.advance(0.051)
    assert len(queue) == 1


async def test_a_key_that_changes_after_it_was_handled_does_not_wait(clock: VirtualClock) -> None:
    queue = Queue("q", clock=clock)
    queue.add("a")
    await queue.get()
    await clock.advance(0.01)
    queue.done("a")
    queue.add("a")
    assert len(queue) == 1


async def test_the_earliest_of_several_waits_counts(clock: VirtualClock) -> None:
    queue = Queue("q", clock=clock)
    queue.add_after("a", 10)
    queue.add_after("a", 3)
    queue.add_after("a", 20)
    await clock.advance(2.9)
    assert len(queue) == 0
    await clock.advance(0.2)
    assert len(queue) == 1
    await clock.advance(30)
    assert len(queue) == 1


async def test_retries_back_off_and_forget_starts_over(clock: VirtualClock) -> None:
    queue = Queue("q", clock=clock, first=1.0, cap=4.0)
    waits = []
    for _ in range(4):
        before = clock.monotonic()
        queue.retry("a")
        while not len(queue):
            await clock.advance(0.5)
        waits.append(clock.monotonic() - before)
        queue.done(await queue.get())
    assert waits == [1.0, 2.0, 4.0, 4.0]
    queue.forget("a")
    assert queue.failures("a") == 0


async def test_closing_ends_waiting_workers(clock: VirtualClock) -> None:
    queue = Queue("q", clock=clock)
    waiting = asyncio.ensure_future(queue.get())
    await settle()
    queue.close()
    with pytest.raises(Closed):
        await waiting


async def test_a_cancelled_worker_passes_its_turn_on(clock: VirtualClock) -> None:
    queue = Queue("q", clock=clock)
    first, second = asyncio.ensure_future(queue.get()), asyncio.ensure_future(queue.get())
    await settle()
    queue.add("a")
    first.cancel()
    assert await second == "a"


async def test_the_loop_lets_others_have_a_turn_between_keys(clock: VirtualClock) -> None:
    queue = Queue("q", clock=clock)
    seen: list[str] = []

    async def reconcile(key: str) -> None:
        seen.append(key)
        asyncio.get_running_loop().call_soon(seen.append, f"after {key}")

    for key in "abc":
        queue.add(key)
    running = asyncio.ensure_future(Loop("test", queue, reconcile, clock=clock).run())
    await settle()
    assert seen == ["a", "after a", "b", "after b", "c", "after c"]
    queue.close()
    await running


async def test_the_loop_retries_failures_and_looks_again_on_wish(clock: VirtualClock) -> None:
    queue = Queue("q", clock=clock)
    seen: list[tuple[float, str | None]] = []

    async def reconcile(key: str) -> float | None:
        cause = causes.current.get()
        seen.append((clock.monotonic(), cause and cause.event))
        if len(seen) == 1:
            raise errors.modified("", "pods", key)
        return 60.0 if len(seen) == 2 else None

    queue.add("a", because="pod a changed")
    running = asyncio.ensure_future(Loop("test", queue, reconcile, workers=2, clock=clock).run())
    await clock.advance(100)
    assert [at for at, _ in seen] == pytest.approx([0, 0.005, 60.005], abs=1e-3)
    assert seen[0][1] == "pod a changed"
    queue.close()
    await running
