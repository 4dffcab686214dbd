"""What work queues tell of themselves, in the Prometheus text format and under upstream's names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pybernetes.informers.queue import Queue


def lines(queues: Iterable[Queue]) -> Iterator[str]:
    """One metric after the other, each with a line per queue."""
    listed = list(queues)
    for name, kind, help_, value in (
        ("workqueue_depth", "gauge", "Current depth of workqueue", lambda queue: len(queue)),
        ("workqueue_adds_total", "counter", "Total number of adds handled by workqueue", lambda queue: queue.adds),
        (
            "workqueue_retries_total",
            "counter",
            "Total number of retries handled by workqueue",
            lambda queue: queue.retries,
        ),
        (
            "workqueue_unfinished_items",
            "gauge",
            "Number of items that are being worked on",
            lambda queue: queue.processing,
        ),
    ):
        yield f"# HELP {name} {help_}"
        yield f"# TYPE {name} {kind}"
        for queue in listed:
            yield f'{name}{{name="{queue.name}"}} {value(queue)}'
