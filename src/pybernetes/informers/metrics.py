"""What work queues tell of themselves, under upstream's names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from pybernetes.informers.queue import Queue
from pybernetes.kits import prometheus

_VALUES: tuple[tuple[str, str, str, Callable[[Queue], float | prometheus.Histogram]], ...] = (
    ("depth", prometheus.GAUGE, "Current depth of workqueue", len),
    ("adds_total", prometheus.COUNTER, "Total number of adds handled by workqueue", lambda queue: queue.adds),
    (
        "queue_duration_seconds",
        prometheus.HISTOGRAM,
        "How long in seconds an item stays in workqueue before being requested.",
        lambda queue: queue.waited,
    ),
    (
        "work_duration_seconds",
        prometheus.HISTOGRAM,
        "How long in seconds processing an item from workqueue takes.",
        lambda queue: queue.worked,
    ),
    (
        "unfinished_work_seconds",
        prometheus.GAUGE,
        "How many seconds of work are in progress and have not been observed by work_duration.",
        lambda queue: sum(queue.running()),
    ),
    (
        "longest_running_processor_seconds",
        prometheus.GAUGE,
        "How many seconds the longest running processor for workqueue has been running.",
        lambda queue: max(queue.running(), default=0.0),
    ),
    ("retries_total", prometheus.COUNTER, "Total number of retries handled by workqueue", lambda queue: queue.retries),
)


def families(queues: Iterable[Queue]) -> Iterator[prometheus.Family]:
    """One metric after the other, each with a sample per queue."""
    listed = list(queues)
    for name, kind, help_, value in _VALUES:
        samples = [({"name": queue.name}, value(queue)) for queue in listed]
        yield prometheus.Family(f"workqueue_{name}", kind, help_, samples)
