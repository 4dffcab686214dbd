"""What operators ask of flow control: /debug/api_priority_and_fairness/dump_*, tables in upstream's form."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from pybernetes.apiserver import results
from pybernetes.apiserver.flowcontrol import fairness, levels

ROOT = "/debug/api_priority_and_fairness/"
Row = tuple[object, ...]


class Dumps:
    """The documents below `ROOT`."""

    def __init__(self, source: fairness.Fairness) -> None:
        self._source = source
        self._tables: dict[str, Callable[[], Iterable[Row]]] = {
            "dump_priority_levels": self._levels,
            "dump_queues": self._queues,
            "dump_requests": self._requests,
        }

    def answer(self, path: str) -> results.Document | None:
        """None for a path that is not one of them."""
        table = self._tables.get(path.removeprefix(ROOT)) if path.startswith(ROOT) else None
        if table is None:
            return None
        text = "".join(",\t".join(map(_text, row)) + "\n" for row in table())
        return results.Document(text.encode(), "text/plain; charset=utf-8")

    def paths(self) -> list[str]:
        return [ROOT + name for name in self._tables]

    def _sorted(self) -> list[levels.Level]:
        return [self._source.levels[name] for name in sorted(self._source.levels)]

    def _levels(self) -> Iterator[Row]:
        yield (
            *("PriorityLevelName", "ActiveQueues", "IsIdle", "IsQuiescing", "WaitingRequests", "ExecutingRequests"),
            *("DispatchedRequests", "RejectedRequests", "TimedoutRequests", "CancelledRequests"),
        )
        for level in self._sorted():
            rejected, timed_out = sum(level.rejected.values()), level.rejected_for(levels.TIMED_OUT)
            active = sum(bool(queue.waiting) for queue in level.queues)
            yield (
                *(level.name, active, level.idle, False, level.waiting, level.executing),
                *(sum(count.number for count in level.counts.values()), rejected, timed_out, timed_out),
            )

    def _queues(self) -> Iterator[Row]:
        yield (
            *("PriorityLevelName", "Index", "PendingRequests", "ExecutingRequests", "SeatsInUse", "NextDispatchR"),
            *("InitialSeatsSum", "MaxSeatsSum", "TotalWorkSum"),
        )
        for level in self._sorted():
            for queue in level.queues:
                first = sum(ticket.width.seats for ticket in queue.waiting)
                most = sum(ticket.width.most for ticket in queue.waiting)
                work = f"{first * levels.ESTIMATE:.8f}ss"
                start = f"{queue.start:.8f}ss"
                yield (level.name, queue.index, len(queue.waiting), queue.executing, "", start, first, most, work)

    def _requests(self) -> Iterator[Row]:
        yield (
            *("PriorityLevelName", "FlowSchemaName", "QueueIndex", "RequestIndexInQueue", "FlowDistingsher"),
            *("ArriveTime", "InitialSeats", "FinalSeats", "AdditionalLatency", "StartTime"),
        )
        for level in self._sorted():
            for queue in level.queues:
                for index, ticket in enumerate(queue.waiting):
                    width = ticket.width
                    at = (level.name, ticket.flow.schema, queue.index, index, ticket.flow.distinguisher)
                    yield (*at, "", width.seats, width.lingering, f"{width.seconds:g}s", "")


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
