"""Whose turn it is on the event loop."""

from __future__ import annotations

import asyncio
from collections import deque

from hypothesis import given
from hypothesis import strategies as st

from pybernetes.apiserver.flowcontrol import turns
from pybernetes.kits.clock import settle


class Level:
    """A level whose requests each take so long."""

    def __init__(self, of: turns.Turns, weight: int = 1, seconds: float = 0.001) -> None:
        self.turns = of
        self.used = 0.0
        self.weight = weight
        self.seconds = seconds
        self.waiting = 0
        self.served = 0

    def admit(self) -> float | None:
        if not self.waiting:
            return None
        self.waiting -= 1
        self.served += 1
        return self.seconds

    def want(self, number: int) -> None:
        self.waiting += number
        self.turns.ask(self)


async def once() -> None:
    """Until the loop has been round."""
    await asyncio.sleep(0)


async def test_they_pass_until_a_turn_is_used_up() -> None:
    shared = turns.Turns()
    level = Level(shared)
    passed = 0
    while shared.lets(level):
        shared.charge(level, turns.TURN / 5, 0.0)
        passed += 1
    assert passed == 5
    await once()
    assert shared.lets(level)


async def test_who_has_had_less_passes_in_between() -> None:
    shared = turns.Turns()
    greedy, modest = Level(shared), Level(shared)
    greedy.want(100)
    await once()
    shared.charge(greedy, turns.TURN, 0.0)
    assert not shared.lets(greedy)
    assert shared.lets(modest)
    shared.charge(modest, 0.003, 0.0)
    # That was its share of this turn.
    assert not shared.lets(modest)
    await once()
    await once()
    assert shared.lets(modest)


async def test_a_turn_is_as_long_for_many_short_as_for_few_long_ones() -> None:
    shared = turns.Turns()
    short = Level(shared, seconds=turns.TURN / 50)
    short.want(1000)
    await once()
    assert 50 <= short.served <= 51
    long = Level(turns.Turns(), seconds=turns.TURN * 20)
    long.want(3)
    await once()
    assert long.served == 1
    await settle()
    assert (short.served, long.served) == (1000, 3)


@given(
    st.lists(st.tuples(st.integers(1, 50), st.sampled_from([0.0001, 0.001, 0.004])), min_size=2, max_size=5),
    st.integers(50, 200),
)
def test_levels_that_want_all_they_get_share_by_weight(of: list[tuple[int, float]], rounds: int) -> None:
    """None is further from its share than by a turn and the longest request: what fair queueing promises."""

    async def run() -> None:
        shared = turns.Turns()
        levels = [Level(shared, weight, seconds) for weight, seconds in of]
        for level in levels:
            level.want(1_000_000)
        for _ in range(rounds):
            await once()
        shares = [level.served * level.seconds / level.weight for level in levels]
        largest = max(level.seconds / level.weight for level in levels)
        assert max(shares) - min(shares) <= 2 * largest + 1e-9

    asyncio.run(run())


async def test_what_comes_on_top_makes_the_next_turn_shorter() -> None:
    shared = turns.Turns()
    level = Level(shared, seconds=turns.TURN / 10)
    level.want(1000)
    await once()
    before = level.served
    shared.charge(level, turns.TURN / 5, 0.0)
    await once()
    assert level.served - before == 8
    # But it is half of a turn at least, however much that was.
    before = level.served
    shared.charge(level, turns.TURN * 100, 0.0)
    await once()
    assert level.served - before == 5


async def test_a_wrong_estimate_is_made_up_for() -> None:
    shared = turns.Turns()
    slow, quick = Level(shared, seconds=0.001), Level(shared, seconds=0.001)
    late: deque[None] = deque()
    for level in (slow, quick):
        level.want(1_000_000)
    for _ in range(200):
        before = slow.served
        await once()
        late.extend([None] * (slow.served - before))
        while late:
            late.popleft()
            # It took ten times as long as expected.
            shared.charge(slow, 0.010, 0.001)
    assert 9 <= quick.served / slow.served <= 11


async def test_time_that_nobody_wanted_is_held_against_nobody() -> None:
    shared = turns.Turns()
    early, late = Level(shared), Level(shared)
    for _ in range(1000):
        shared.charge(early, 0.003, 0.0)
        await once()
    early.want(100)
    late.want(100)
    for _ in range(20):
        await once()
    assert abs(early.served - late.served) <= 1


async def test_who_was_away_does_not_get_it_all_back() -> None:
    shared = turns.Turns()
    steady, back = Level(shared), Level(shared)
    steady.want(1000)
    for _ in range(100):
        await once()
    back.want(100)
    before = steady.served
    for _ in range(20):
        await once()
    assert abs(steady.served - before - back.served) <= 1
