from __future__ import annotations

import asyncio

from pybernetes.kits.clock import VirtualClock, settle
from pybernetes.kits.lull import PAUSE, SHORT, lull
from tests.fakes.clock import BusyClock


async def test_a_quiet_loop_is_a_lull_at_once() -> None:
    clock = VirtualClock()
    await asyncio.wait_for(lull(clock, clock.monotonic() + 5.0), timeout=1)


async def test_a_busy_loop_is_left_alone_until_it_is_quiet() -> None:
    clock = BusyClock(turn=SHORT * 2)
    waiting = asyncio.create_task(lull(clock, 5.0))
    await clock.advance(10 * PAUSE)
    assert not waiting.done()
    clock.turn = SHORT / 2
    await clock.advance(PAUSE)
    assert waiting.done()


async def test_nobody_gives_way_for_ever() -> None:
    clock = BusyClock(turn=SHORT * 2)
    waiting = asyncio.create_task(lull(clock, 5.0))
    await clock.advance(4.5)
    assert not waiting.done()
    await clock.advance(0.5)
    await settle()
    assert waiting.done()
