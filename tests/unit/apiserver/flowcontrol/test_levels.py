"""A priority level: who runs, who waits, who is sent away."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from pybernetes.api import codecs, errors
from pybernetes.api.types import flowcontrol_v1
from pybernetes.apiserver.flowcontrol import dropped, levels, sharding, shares, turns, widths
from pybernetes.kits.clock import VirtualClock, settle

QUEUES = {"type": "Queue", "queuing": {"queues": 16, "handSize": 2, "queueLengthLimit": 3}}


def level(clock: VirtualClock, seats: int, response: dict[str, Any] | None = None, **spec: Any) -> levels.Level:
    limited = {"limited": {"nominalConcurrencyShares": 1, "limitResponse": response or QUEUES}}
    tree = {"metadata": {"name": "l"}, "spec": {"type": "Limited"} | limited | spec}
    config = codecs.from_tree(flowcontrol_v1.PriorityLevelConfiguration, tree)
    return levels.Level(config, shares.Limits(seats, seats, seats), clock, turns.Turns())


def flow(name: str = "a") -> levels.Flow:
    return levels.Flow(name, "", sharding.flow_hash(name, ""))


class Request:
    """One request of a flow, which runs until it is told to end."""

    def __init__(self, of: levels.Level, name: str = "a", width: widths.Width = widths.ONE) -> None:
        self.ticket = of.enter(flow(name), width, 15.0)
        self.runs = self.ticket.arrive is None
        self.end = asyncio.Event()
        self.task = asyncio.ensure_future(self._run())

    async def _run(self) -> None:
        if self.ticket.arrive is not None:
            await self.ticket.arrive()
        self.runs = True
        await self.end.wait()
        self.ticket.leave()


async def finished(*made: Request) -> None:
    for one in made:
        one.end.set()
    await settle()


async def test_they_wait_while_there_are_no_seats() -> None:
    clock = VirtualClock()
    of = level(clock, 2)
    first, second, third = (Request(of) for _ in range(3))
    await settle()
    assert (first.runs, second.runs, third.runs, of.waiting) == (True, True, False, 1)
    await finished(first)
    assert (third.runs, of.waiting, of.seats) == (True, 0, 2)
    await finished(second, third)
    assert (of.seats, of.executing, of.idle) == (0, 0, True)


async def test_too_many_are_sent_away() -> None:
    clock = VirtualClock()
    of = level(clock, 1)
    running = [Request(of) for _ in range(1 + 2 * 3)]
    with pytest.raises(errors.StatusError) as refused:
        of.enter(flow(), widths.ONE, 15.0)
    assert (refused.value.code, refused.value.reason) == (429, "TooManyRequests")
    assert refused.value.status.details is not None
    assert refused.value.status.details.retryAfterSeconds == 1
    assert of.rejected == {("a", "queue-full"): 1}
    await finished(*running)
    assert of.idle


async def test_levels_without_queues_send_away_at_once() -> None:
    of = level(VirtualClock(), 1, {"type": "Reject"})
    running = Request(of)
    with pytest.raises(errors.StatusError, match="try again later"):
        of.enter(flow(), widths.ONE, 15.0)
    assert of.rejected == {("a", "concurrency-limit"): 1}
    await finished(running)


async def test_levels_without_queues_send_nobody_away_who_only_has_to_take_turns() -> None:
    clock = VirtualClock()
    of = level(clock, 100, {"type": "Reject"})
    wide = widths.Width(10)
    ticket = of.enter(flow(), wide, 15.0)
    await clock.advance(0.02)
    ticket.leave()
    second = of.enter(flow(), wide, 15.0)
    assert second.arrive is None
    second.leave()


async def test_patience_ends() -> None:
    clock = VirtualClock()
    of = level(clock, 1)
    running, waiting = Request(of), Request(of)
    await settle()
    await clock.advance(15)
    assert waiting.task.done()
    assert isinstance(waiting.task.exception(), errors.StatusError)
    assert (of.waiting, of.rejected) == (0, {("a", "time-out"): 1})
    await finished(running)
    assert of.idle


async def test_clients_that_go_leave_nothing() -> None:
    of = level(VirtualClock(), 1)
    running, waiting, last = Request(of), Request(of), Request(of)
    await settle()
    waiting.task.cancel()
    await settle()
    assert of.waiting == 1
    # One that is let in and goes before it has noticed.
    running.ticket.leave()
    last.task.cancel()
    await settle()
    running.task.cancel()
    await settle()
    assert (of.seats, of.executing, of.waiting) == (0, 0, 0)


async def test_a_flood_does_not_keep_others_out() -> None:
    clock = VirtualClock()
    of = level(clock, 2, {"type": "Queue", "queuing": {"queues": 64, "handSize": 4, "queueLengthLimit": 50}})
    flood = [Request(of, "flood") for _ in range(60)]
    quiet = [Request(of, "quiet") for _ in range(3)]
    await settle()
    ended = 0
    while any(not one.runs for one in quiet):
        running = [one for one in (*flood, *quiet) if one.runs and not one.end.is_set()]
        ended += sum(one in flood for one in running)
        await finished(*running)
    # The flood has a hand of four queues, so the quiet flow is one of five.
    assert ended < 30
    while not of.idle:
        await finished(*flood, *quiet)


async def test_they_wait_for_their_turn_on_the_event_loop() -> None:
    """Whatever seats there are."""
    of = level(VirtualClock(), 100)
    first = of.enter(flow(), widths.Width(10), 15.0)
    assert first.arrive is None
    first.charge(turns.TURN)
    narrow = levels.Narrow(of, flow("b"))
    assert not narrow.take()
    second = Request(of, width=widths.Width(10))
    third = Request(of, "b")
    assert (second.runs, third.runs, of.waiting) == (False, False, 2)
    await settle()
    assert second.runs
    assert third.runs
    assert of.seats == 21
    first.leave()
    await finished(second, third)
    assert of.idle


async def test_as_many_are_let_in_as_will_fill_a_turn() -> None:
    of = level(VirtualClock(), 100)
    of.learn(1, turns.TURN / 3)
    of.enter(flow(), widths.ONE, 15.0).charge(turns.TURN)
    waiting = [of.enter(flow(str(number)), widths.ONE, 15.0) for number in range(9)]
    # It has had one already, which half of the turn goes for.
    await asyncio.sleep(0)
    assert of.waiting == 7
    for _ in range(20):
        of.learn(1, turns.TURN / 20)
    await asyncio.sleep(0)
    assert of.waiting == 0
    assert len(waiting) == 9


async def test_parts_of_answers_take_turns_with_requests() -> None:
    of = level(VirtualClock(), 100)
    of.learn(levels.PART, turns.TURN)
    of.learn(1, turns.TURN)
    sending = of.enter(flow(), widths.Width(10), 15.0)
    sending.charge(turns.TURN)
    sent: list[int] = []

    async def send() -> None:
        for number in range(3):
            await sending.again()
            sent.append(number)

    task = asyncio.ensure_future(send())
    waiting = [Request(of, str(number)) for number in range(3)]
    seen = []
    for _ in range(20):
        await asyncio.sleep(0)
        seen.append((len(sent), sum(one.runs for one in waiting)))
    assert seen[-1] == (3, 3)
    # One after the other, but for the first, which nothing was sent before.
    assert all(abs(parts - requests) <= 2 for parts, requests in seen)
    assert of.seats == 13
    await task
    sending.leave()
    await finished(*waiting)
    assert of.idle


async def test_who_waits_for_a_seat_that_is_held_by_an_answer_gets_it() -> None:
    of = level(VirtualClock(), 10)
    sending = of.enter(flow(), widths.Width(10), 15.0)
    waiting = Request(of, width=widths.Width(10))
    await settle()
    assert not waiting.runs
    await sending.again()
    sending.leave()
    await settle()
    assert waiting.runs
    await finished(waiting)
    assert of.idle


async def test_what_is_wider_than_the_level_runs_alone() -> None:
    of = level(VirtualClock(), 2)
    wide = of.enter(flow(), widths.Width(5), 15.0)
    assert wide.arrive is None
    waiting = Request(of)
    await settle()
    assert not waiting.runs
    wide.leave()
    await settle()
    assert waiting.runs
    await finished(waiting)


async def test_seats_of_writes_come_back_when_watchers_are_told() -> None:
    clock = VirtualClock()
    of = level(clock, 3)
    written = of.enter(flow(), widths.Width(1, 3, 0.05), 15.0)
    written.leave()
    assert (of.seats, of.executing) == (3, 0)
    await clock.advance(0.05)
    assert of.seats == 0


async def test_those_that_take_one_seat_at_once_share_a_ticket() -> None:
    of = level(VirtualClock(), 2)
    narrow = levels.Narrow(of, flow())
    assert narrow.take()
    assert narrow.take()
    assert not narrow.take()
    waiting = Request(of)
    await settle()
    assert (of.seats, of.waiting, of.peak) == (2, 1, 3)
    narrow.leave()
    await settle()
    assert waiting.runs
    assert not narrow.take()
    narrow.leave()
    other = Request(of)
    await finished(waiting, other)
    assert of.idle
    assert of.counts["a"].number == 4


async def test_a_new_configuration_is_taken_over() -> None:
    clock = VirtualClock()
    of = level(clock, 1)
    running, waiting = Request(of), Request(of)
    await settle()
    fewer = level(clock, 2, {"type": "Queue", "queuing": {"queues": 1, "handSize": 1, "queueLengthLimit": 1}})
    of.configure(fewer.config, shares.Limits(2, 2, 2))
    await settle()
    assert waiting.runs
    await finished(running, waiting)
    of.configure(fewer.config, shares.Limits(2, 2, 2))
    assert len(of.queues) == 1


def test_those_sent_away_stay_away_longer_the_more_they_are() -> None:
    found = dropped.Dropped()
    seen = []
    for second in range(40):
        for _ in range(20):
            found.note(second)
        seen.append(found.retry_after)
    assert seen[:2] == [1, 2]
    assert max(seen) == 32
    for second in range(100, 140):
        found.note(second * 40)
    assert found.retry_after == 1


async def test_how_long_they_wait_and_take() -> None:
    clock = VirtualClock()
    of = level(clock, 1)
    first, second, third = (Request(of) for _ in range(3))
    await settle()
    await clock.advance(3)
    await finished(first)
    assert second.runs
    await clock.advance(13)
    assert isinstance(third.task.exception(), errors.StatusError)
    await finished(second)
    count = of.counts["a"]
    waits, executed = count.waits(), count.executed
    assert (waits.counts[0], sum(waits.counts), waits.sum) == (1, 2, 3)
    assert (sum(count.refused.counts), count.refused.sum) == (1, 15)
    assert (sum(executed.counts), executed.sum) == (2, 16)
    assert not any(count.watched.counts)


async def test_seats_of_a_schema_come_back_when_watchers_have_been_told() -> None:
    clock = VirtualClock()
    of = level(clock, 10)
    written = of.enter(flow(), widths.Width(1, 3, 0.05), 15.0)
    count = of.counts["a"]
    assert (count.executing, count.seats) == (1, 3)
    written.leave()
    assert (count.executing, count.seats) == (0, 3)
    await clock.advance(0.1)
    assert (count.executing, count.seats, of.seats) == (0, 0, 0)
