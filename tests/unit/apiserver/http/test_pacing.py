from __future__ import annotations

import asyncio

from pybernetes.apiserver.http import pacing
from pybernetes.kits import clock as clocks


class Writer:
    def __init__(self, written: list[str], name: str) -> None:
        self._written = written
        self._name = name

    def flush(self) -> None:
        self._written.append(self._name)


async def test_the_first_is_written_at_once_and_the_next_in_a_batch() -> None:
    clock = clocks.VirtualClock()
    pacer, written = pacing.Pacer(clock), []
    await clock.advance(1)
    one, two = Writer(written, "one"), Writer(written, "two")
    pacer.add(one)
    assert written == []
    await asyncio.sleep(0)
    assert written == ["one"]
    pacer.add(two)
    pacer.add(one)
    pacer.add(two)
    await clock.advance(pacing.SHORTEST / 2)
    assert written == ["one"]
    await clock.advance(pacing.SHORTEST)
    assert written == ["one", "two", "one"]


async def test_many_are_written_to_in_slices() -> None:
    clock = clocks.VirtualClock()
    pacer, written = pacing.Pacer(clock), []
    await clock.advance(1)
    for number in range(pacing.SLICE + 1):
        pacer.add(Writer(written, str(number)))
    gone = Writer(written, "gone")
    pacer.add(gone)
    pacer.discard(gone)
    await asyncio.sleep(0)
    assert len(written) == pacing.SLICE
    await asyncio.sleep(0)
    assert len(written) == pacing.SLICE + 1


async def test_the_pause_grows_with_the_work_to_its_limit() -> None:
    clock = clocks.VirtualClock()
    pacer, written = pacing.Pacer(clock), []
    await clock.advance(1)

    class Slow(Writer):
        def flush(self) -> None:
            super().flush()
            clock._now += 0.0005

    pacer.add(Slow(written, "slow"))
    await asyncio.sleep(0)
    pacer.add(Writer(written, "next"))
    await clock.advance(pacing.SHARE * 0.0005 - 0.001)
    assert written == ["slow"]
    await clock.advance(0.001)
    assert written == ["slow", "next"]
