from __future__ import annotations

import asyncio

import pytest

from pybernetes.kits import backoff, chance, clock, tasks


async def test_timers_fire_in_order_at_their_time() -> None:
    virtual = clock.VirtualClock()
    seen: list[tuple[str, float]] = []
    for name, seconds in (("b", 2.0), ("a", 1.0), ("c", 2.0)):
        virtual.call_later(seconds, lambda name=name: seen.append((name, virtual.monotonic())))  # type: ignore[misc]
    virtual.call_later(1.5, lambda: seen.append(("never", 0))).cancel()
    await virtual.advance(1.9)
    assert seen == [("a", 1.0)]
    await virtual.advance(0.1)
    assert seen == [("a", 1.0), ("b", 2.0), ("c", 2.0)]
    assert virtual.time() == 1_700_000_002.0


async def test_what_a_timer_starts_happens_at_its_time() -> None:
    virtual = clock.VirtualClock()
    seen: list[float] = []

    async def tick() -> None:
        while True:
            await virtual.sleep(10)
            seen.append(virtual.monotonic())

    ticking = asyncio.ensure_future(tick())
    await virtual.advance(35)
    assert seen == [10, 20, 30]
    ticking.cancel()
    await asyncio.wait([ticking])


@pytest.mark.parametrize("kind", [clock.VirtualClock, clock.SystemClock])
async def test_timeouts(kind: type[clock.VirtualClock] | type[clock.SystemClock]) -> None:
    some = kind()

    async def wait() -> None:
        async with some.timeout(0.001):
            await asyncio.Event().wait()

    waiting = asyncio.ensure_future(wait())
    if isinstance(some, clock.VirtualClock):
        await some.advance(0.002)
    with pytest.raises(TimeoutError):
        await waiting
    async with some.timeout(None):
        await some.sleep(0)


def test_a_seed_repeats_itself() -> None:
    one, two = chance.Chance(5), chance.Chance(5)
    assert one.uuid() == two.uuid()
    assert one.suffix() == two.suffix()
    assert set(one.suffix(500)) <= set(chance.NAME_ALPHABET)
    assert one.uuid()[14] == "4"
    assert len(one.token(9)) == 9
    assert 10 <= one.jitter(10, 0.5) <= 15


def test_many_uuids_are_those_that_come_one_by_one() -> None:
    one, two = chance.Chance(5), chance.Chance(5)
    assert [one.uuid() for _ in range(3)] == [each.decode() for each in reversed(two.uuids(3))]


def test_back_off_grows_to_its_cap() -> None:
    pauses = backoff.Backoff(first=1, cap=5)
    assert [pauses.next() for _ in range(5)] == [1, 2, 4, 5, 5]
    pauses.reset()
    assert pauses.next() == 1
    jittered = backoff.Backoff(first=1, cap=5, jitter=1.0, chance=chance.Chance(1))
    assert 1 <= jittered.next() <= 2


async def test_closing_ends_every_task() -> None:
    owned = tasks.Tasks()
    ended: list[str] = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("x")

    for _ in range(3):
        owned.spawn(work(), name="work")
    await asyncio.sleep(0)
    await owned.close()
    assert (len(owned), ended) == (0, ["x"] * 3)


async def test_a_vital_failure_is_told(caplog: pytest.LogCaptureFixture) -> None:
    owned = tasks.Tasks()

    async def fail() -> None:
        raise ValueError("broken")

    owned.spawn(fail(), name="other")
    owned.spawn(fail(), name="vital", vital=True)
    with pytest.raises(ValueError, match="broken"):
        await owned.wait_failed()
    assert "task other failed" in caplog.text
    await owned.close()


async def test_what_is_put_off_is_not_left_when_all_is_settled() -> None:
    done: list[str] = []
    real = clock.SystemClock()
    real.put_off(0.02, lambda: done.append("second"))
    real.put_off(0.01, lambda: done.append("first"))
    real.put_off(0.01, lambda: done.append("never")).cancel()
    real.call_later(60.0, lambda: done.append("later")).cancel()
    await clock.settle()
    assert done == ["first", "second"]
    still = clock.VirtualClock()
    still.put_off(0.01, lambda: done.append("third"))
    await clock.settle()
    assert done == ["first", "second"]
    await still.advance(0.01)
    assert done == ["first", "second", "third"]
