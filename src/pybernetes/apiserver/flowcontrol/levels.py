"""One priority level: its seats, and the queues in which requests wait for them.

Queues are served by start-time fair queueing (Goyal et al., 1996), to which upstream's fair queuing for server requests
comes down where all requests are served at one rate: each queue has the time, in seat-seconds of its own service, from
which its next request counts; the queue that is furthest behind is next. A request's work is not known before it is
done, so it is charged an estimate, and the difference afterwards.

Seats are one half of it: the other is the event loop's time, which no number of seats would share out (`turns`). Who
has a seat to go to waits in the same queues while it is somebody else's turn; and an answer that is sent in parts keeps
its seats, but waits for a turn before each.
"""

from __future__ import annotations

import asyncio
import functools
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from pybernetes.api import errors
from pybernetes.api.types import flowcontrol_v1
from pybernetes.apiserver.flowcontrol import counts, dropped, sharding, shares, turns, widths
from pybernetes.kits import clock as clocks

# What a request is charged before it is known how long it takes, in seconds.
ESTIMATE = 0.003
# And what it is charged in any case, so that queues take turns.
LEAST = 0.0001
# How much what a request took of the event loop changes what the next one is expected to take.
LEARNT = 0.2
# Stands for a part of an answer among the widths.
PART = 0
TIMED_OUT = "time-out"
REFUSED = "Too many requests, please try again later."


class Flow(NamedTuple):
    """Whose requests these are: the schema's name, what tells its flows apart, and a hash of both."""

    schema: str
    distinguisher: str
    hashed: int


class Queue:
    """`start` is from when its next request counts, in seat-seconds."""

    __slots__ = ("executing", "index", "start", "waiting")

    def __init__(self, index: int) -> None:
        self.index = index
        self.start = 0.0
        self.waiting: deque[Ticket] = deque()
        self.executing = 0


class Ticket:
    """The seats of one request; `arrive`, if there is one, waits for them, `leave` gives them back."""

    __slots__ = (
        "_began",
        "_expected",
        "_step",
        "_timed",
        "arrive",
        "count",
        "flow",
        "granted",
        "level",
        "queue",
        "width",
    )

    # It is timed here, from when it has its seats to when it gives them back.
    executed = None

    def __init__(
        self, level: Level, flow: Flow, width: widths.Width, queue: Queue | None = None, *, watches: bool = False
    ) -> None:
        self.level = level
        self.flow = flow
        self.width = width
        self.queue = queue
        self.count = level.counted(flow.schema)
        self._timed = self.count.watched if watches else self.count.executed
        self.arrive: Callable[[], Awaitable[None]] | None = None
        self.granted: asyncio.Future[None] | None = None
        self._began = 0.0
        # What its next step on the event loop has been charged beforehand, and what kind of step that is.
        self._expected = 0.0
        self._step = PART

    def begin(self) -> None:
        self._began = self.level.now()

    def expect(self, seconds: float, step: int) -> None:
        """It has been let in for a step that presumably takes so long."""
        self._expected, self._step = seconds, step

    def charge(self, seconds: float) -> None:
        """It kept the event loop for so long."""
        expected, self._expected = self._expected, 0.0
        if expected:
            self.level.learn(self._step, seconds)
        self.level.turns.charge(self.level, seconds, expected)

    async def again(self) -> None:
        """Wait for another turn on the event loop, with the seats it has."""
        if not self.level.exempt:
            await self.level.another_turn(self)

    def leave(self) -> None:
        seconds = self.level.now() - self._began
        self._timed.observe(seconds)
        self.level.left(self, seconds)


class Narrow:
    """The ticket of all requests of a flow that take one seat at once, as most do: it is counted, and no more."""

    __slots__ = ("_count", "_level", "charge", "executed", "flow")

    arrive = None

    def __init__(self, level: Level, flow: Flow, *, watches: bool = False) -> None:
        self._level = level
        self.flow = flow
        self._count = count = level.counted(flow.schema)
        self.executed = count.watched if watches else count.executed
        self.charge: Callable[[float], None] | None = None if level.exempt else level.charge

    def take(self) -> bool:
        """Take a seat, if there is one for it now."""
        level = self._level
        if not level.exempt and (level.seats >= level.limit or level.waiting or not level.turns.lets(level)):
            return False
        count = self._count
        count.executing += 1
        count.number += 1
        level.seats += 1
        if level.seats > level.peak:
            level.peak = level.seats
        return True

    async def again(self) -> None:
        """It is too small to be sent in parts."""

    def leave(self) -> None:
        self._count.executing -= 1
        self._level.give_back(1)


class Level:
    """A priority level as it is configured now. `limit` is how many seats it has at the moment."""

    def __init__(
        self,
        config: flowcontrol_v1.PriorityLevelConfiguration,
        bounds: shares.Limits,
        clock: clocks.Clock,
        shared: turns.Turns,
    ) -> None:
        self._clock = clock
        self.turns = shared
        self.used = 0.0
        self.now = clock.monotonic
        self.queues: list[Queue] = []
        self.seats = self.waiting = 0
        self.peak = 0
        self.smoothed = 0.0
        # By the schemas that lead here.
        self.counts: dict[str, counts.Count] = {}
        self.rejected: Counter[tuple[str, str]] = Counter()
        self._dropped = dropped.Dropped()
        self._time = 0.0
        self._enqueued = 0
        self._parts: deque[tuple[Ticket, asyncio.Future[None]]] = deque()
        self._is_for_part = False
        # What a step of each kind takes of the event loop, in seconds.
        self._costs: dict[int, float] = {}
        self.configure(config, bounds)

    def configure(self, config: flowcontrol_v1.PriorityLevelConfiguration, bounds: shares.Limits) -> None:
        """Take over a new configuration; who waits goes on waiting."""
        self.config = config
        self.name = config.metadata.name
        self.bounds = bounds
        self.limit = bounds.nominal
        self.weight = max(bounds.nominal, 1)
        self.exempt = config.spec.type == "Exempt"
        queuing = config.spec.limited.limitResponse.queuing if config.spec.limited is not None else None
        self._queues = queuing.queues if queuing is not None else 0
        self._hand = queuing.handSize if queuing is not None else 0
        self._longest = queuing.queueLengthLimit if queuing is not None else 0
        self.queues += [Queue(index) for index in range(len(self.queues), self._queues)]
        self._shrink()
        self.dispatch()

    def dispatch(self) -> None:
        """Let in who can be, when it is this level's turn."""
        if self.waiting:
            self.turns.ask(self)

    def rejected_for(self, reason: str) -> int:
        return sum(number for (_, why), number in self.rejected.items() if why == reason)

    @property
    def executing(self) -> int:
        return sum(count.executing for count in self.counts.values())

    @property
    def idle(self) -> bool:
        return not self.waiting and not self.executing

    def counted(self, schema: str) -> counts.Count:
        found = self.counts.get(schema)
        if found is None:
            found = self.counts[schema] = counts.Count()
        return found

    def enter(self, flow: Flow, width: widths.Width, patience: float, *, watches: bool = False) -> Ticket:
        """Seats for a request, now or, within so many seconds, later. Raises StatusError 429."""
        # Where nobody can wait, nobody is sent away only because others take their turn.
        is_turn = not self._queues or (not self.waiting and self.turns.lets(self))
        if self.exempt or (is_turn and self._takes(width.most)):
            ticket = Ticket(self, flow, width, watches=watches)
            self._grant(ticket)
            return ticket
        if not self._queues:
            raise self._refusal(flow, "concurrency-limit")
        queue = self._chosen(flow)
        if len(queue.waiting) >= self._longest and self.seats >= self.limit:
            raise self._refusal(flow, "queue-full")
        ticket = Ticket(self, flow, width, queue, watches=watches)
        granted = asyncio.get_running_loop().create_future()
        ticket.granted = granted
        ticket.arrive = functools.partial(self._wait, ticket, queue, granted, patience)
        if not queue.waiting and not queue.executing:
            queue.start = max(queue.start, self._time)
        queue.waiting.append(ticket)
        self.waiting += 1
        self.peak = max(self.peak, self.seats + width.most)
        self.turns.ask(self)
        return ticket

    def left(self, ticket: Ticket, seconds: float) -> None:
        """A request is done, after so long; its seats come back now, or when its watchers have been told."""
        width, queue, count = ticket.width, ticket.queue, ticket.count
        count.executing -= 1
        count.more -= width.most - 1
        if queue is not None:
            queue.executing -= 1
            queue.start += (max(seconds, LEAST) - ESTIMATE) * width.seats
        if width.lingering:
            count.more += width.most
            self._clock.call_later(width.seconds, lambda: self._give_back_later(count, width.most))
        else:
            self.give_back(width.most)

    def give_back(self, seats: int) -> None:
        self.seats -= seats
        self.dispatch()

    def charge(self, seconds: float) -> None:
        """A request kept the event loop for so long."""
        self.turns.charge(self, seconds, 0.0)

    def learn(self, step: int, seconds: float) -> None:
        """A step of this kind took so long."""
        known = self._costs.get(step, seconds)
        self._costs[step] = known + LEARNT * (seconds - known)

    async def another_turn(self, ticket: Ticket) -> None:
        granted = asyncio.get_running_loop().create_future()
        self._parts.append((ticket, granted))
        self.turns.ask(self)
        await granted

    def admit(self) -> float | None:
        """Let in a request, or the next part of an answer, one after the other: see `turns.Sharer`."""
        self._is_for_part = not self._is_for_part
        if self._is_for_part:
            seconds = self._admit_part()
            return self._admit_request() if seconds is None else seconds
        seconds = self._admit_request()
        return self._admit_part() if seconds is None else seconds

    # -- inside

    def _give_back_later(self, count: counts.Count, seats: int) -> None:
        count.more -= seats
        self.give_back(seats)

    def _admit_part(self) -> float | None:
        while self._parts:
            ticket, granted = self._parts.popleft()
            if not granted.done():
                granted.set_result(None)
                return self._expect(ticket, PART)
        return None

    def _admit_request(self) -> float | None:
        while self.waiting:
            queue = min((queue for queue in self.queues if queue.waiting), key=lambda one: one.start)
            ticket = queue.waiting[0]
            if not self._takes(ticket.width.most):
                return None
            queue.waiting.popleft()
            self.waiting -= 1
            if ticket.granted is None or ticket.granted.done():
                # Whoever waited has just gone.
                continue
            queue.executing += 1
            self._time = max(self._time, queue.start)
            queue.start += ESTIMATE * ticket.width.seats + ticket.width.lingering * ticket.width.seconds
            self._grant(ticket)
            ticket.granted.set_result(None)
            return self._expect(ticket, ticket.width.most)
        return None

    def _expect(self, ticket: Ticket, step: int) -> float:
        seconds = self._costs.get(step, ESTIMATE)
        ticket.expect(seconds, step)
        return seconds

    def _takes(self, seats: int) -> bool:
        # Who is wider than the level is let in alone.
        return self.seats + seats <= self.limit or not self.executing

    def _grant(self, ticket: Ticket) -> None:
        count = ticket.count
        count.executing += 1
        count.more += ticket.width.most - 1
        count.number += 1
        self.seats += ticket.width.most
        if self.seats > self.peak:
            self.peak = self.seats
        ticket.begin()

    def _chosen(self, flow: Flow) -> Queue:
        """Of the flow's hand the queue with the least work waiting; of equal ones another one each time."""
        hand = sharding.hand(flow.hashed, deck=self._queues, size=self._hand)
        self._enqueued += 1
        turned = self._enqueued % len(hand)
        return min(
            (self.queues[index] for index in hand[turned:] + hand[:turned]),
            key=lambda queue: sum(ticket.width.most for ticket in queue.waiting),
        )

    async def _wait(self, ticket: Ticket, queue: Queue, granted: asyncio.Future[None], patience: float) -> None:
        came = self.now()

        def expire() -> None:
            if not granted.done():
                self._remove(ticket, queue)
                ticket.count.refused.observe(self.now() - came)
                granted.set_exception(self._refusal(ticket.flow, TIMED_OUT))

        timer = self._clock.call_later(patience, expire)
        try:
            await granted
            ticket.count.waited.observe(self.now() - came)
        except asyncio.CancelledError:
            if granted.cancelled():
                self._remove(ticket, queue)
                ticket.count.refused.observe(self.now() - came)
            elif granted.exception() is None:
                # It was let in, and will not come.
                ticket.leave()
            raise
        finally:
            timer.cancel()

    def _remove(self, ticket: Ticket, queue: Queue) -> None:
        if ticket in queue.waiting:
            queue.waiting.remove(ticket)
            self.waiting -= 1
            self._shrink()

    def _shrink(self) -> None:
        """Queues that are too many go when they are empty."""
        while len(self.queues) > self._queues and not self.queues[-1].waiting and not self.queues[-1].executing:
            self.queues.pop()

    def _refusal(self, flow: Flow, reason: str) -> errors.StatusError:
        self.rejected[flow.schema, reason] += 1
        if reason != TIMED_OUT:
            self.counted(flow.schema).refused.observe(0.0)
        self._dropped.note(int(self._clock.time()))
        return errors.too_many_requests(REFUSED, self._dropped.retry_after)
