"""Claims: one of several gets it, and a crash does not keep it for ever."""

from __future__ import annotations

from pybernetes.apiserver.storage import claims
from pybernetes.kits.clock import VirtualClock
from pybernetes.store.memory import MemoryStore


async def test_one_gets_it_until_it_is_released() -> None:
    store, clock = MemoryStore(), VirtualClock()
    one, other = (claims.Claims(store, "ports", clock=clock) for _ in range(2))
    assert await one.take("1")
    assert not await other.take("1")
    assert await other.take("2")
    await other.release("1")
    assert not await other.take("1")
    await one.release("1")
    assert await other.take("1")


async def test_what_a_crash_left_is_taken_over() -> None:
    store, clock = MemoryStore(), VirtualClock()
    crashed, other = (claims.Claims(store, "ports", clock=clock) for _ in range(2))
    assert await crashed.take("1")
    await clock.advance(claims.GRACE_SECONDS + 1)
    assert await other.take("1")
    await crashed.release("1")
    assert [entry.key for entry in (await store.range("/registry/")).entries] == ["/registry/ranges/ports/1"]
