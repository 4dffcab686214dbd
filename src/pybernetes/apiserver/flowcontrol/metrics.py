"""What flow control tells of itself, under upstream's names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping

from pybernetes.apiserver import durations
from pybernetes.apiserver.flowcontrol import counts, levels
from pybernetes.kits import prometheus

_OF_LEVELS: tuple[tuple[str, str, Callable[[levels.Level], float]], ...] = (
    (
        "nominal_limit_seats",
        "Nominal number of execution seats configured for each priority level",
        lambda level: level.bounds.nominal,
    ),
    (
        "lower_limit_seats",
        "Configured lower bound on number of execution seats available to each priority level",
        lambda level: level.bounds.least,
    ),
    (
        "upper_limit_seats",
        "Configured upper bound on number of execution seats available to each priority level",
        lambda level: level.bounds.most,
    ),
    (
        "current_limit_seats",
        "current derived number of execution seats available to each priority level",
        lambda level: level.limit,
    ),
)
_OF_SCHEMAS: tuple[tuple[str, str, str, Callable[[counts.Count], float]], ...] = (
    (
        "current_executing_requests",
        prometheus.GAUGE,
        (
            "Number of requests in initial (for a WATCH) or any (for a non-WATCH) execution stage in the API Priority "
            "and Fairness subsystem"
        ),
        lambda count: count.executing,
    ),
    (
        "current_executing_seats",
        prometheus.GAUGE,
        (
            "Concurrency (number of seats) occupied by the currently executing (initial stage for a WATCH, any stage "
            "otherwise) requests in the API Priority and Fairness subsystem"
        ),
        lambda count: count.seats,
    ),
    (
        "dispatched_requests_total",
        prometheus.COUNTER,
        "Number of requests executed by API Priority and Fairness subsystem",
        lambda count: count.number,
    ),
)


def families(of: Mapping[str, levels.Level]) -> Iterator[prometheus.Family]:
    """Of the levels by their names."""
    for name, help_, value in _OF_LEVELS:
        samples = [({"priority_level": at}, value(level)) for at, level in of.items()]
        yield prometheus.Family(f"apiserver_flowcontrol_{name}", prometheus.GAUGE, help_, samples)
    counted = [
        ({"flow_schema": schema, "priority_level": at}, level, count)
        for at, level in of.items()
        for schema, count in level.counts.items()
    ]
    for name, kind, help_, total in _OF_SCHEMAS:
        about = [(labels, total(count)) for labels, _, count in counted]
        yield prometheus.Family(f"apiserver_flowcontrol_{name}", kind, help_, about)
    yield from _queued(of)
    yield prometheus.Family(
        "apiserver_flowcontrol_rejected_requests_total",
        prometheus.COUNTER,
        "Number of requests rejected by API Priority and Fairness subsystem",
        [
            ({"flow_schema": schema, "priority_level": at, "reason": reason}, number)
            for at, level in of.items()
            for (schema, reason), number in level.rejected.items()
        ],
    )
    yield prometheus.Family(
        "apiserver_flowcontrol_request_wait_duration_seconds",
        prometheus.HISTOGRAM,
        "Length of time a request spent waiting in its queue",
        [
            (labels | {"execute": execute}, waits)
            for labels, level, count in counted
            for execute, waits in (("true", count.waits()), ("false", count.refused))
            if not level.exempt and any(waits.counts)
        ],
    )
    yield prometheus.Family(
        "apiserver_flowcontrol_request_execution_seconds",
        prometheus.HISTOGRAM,
        "Duration of initial stage (for a WATCH) or any (for a non-WATCH) stage of request execution in the API "
        "Priority and Fairness subsystem",
        [
            (labels | {"type": type_}, timed.by(durations.FLOW))
            for labels, _, count in counted
            for type_, timed in (("regular", count.executed), ("watch", count.watched))
            if any(timed.counts)
        ],
    )


def _queued(of: Mapping[str, levels.Level]) -> Iterator[prometheus.Family]:
    requests: Counter[tuple[str, str]] = Counter()
    seats: Counter[tuple[str, str]] = Counter()
    for at, level in of.items():
        for schema in level.counts:
            requests[schema, at] = seats[schema, at] = 0
        for queue in level.queues:
            for ticket in queue.waiting:
                requests[ticket.flow.schema, at] += 1
                seats[ticket.flow.schema, at] += ticket.width.most
    for what, queued in (("requests", requests), ("seats", seats)):
        yield prometheus.Family(
            f"apiserver_flowcontrol_current_inqueue_{what}",
            prometheus.GAUGE,
            f"Number of {what} currently pending in queues of the API Priority and Fairness subsystem",
            [({"flow_schema": schema, "priority_level": at}, number) for (schema, at), number in queued.items()],
        )
