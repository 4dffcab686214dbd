"""How long requests take, in seconds, by the bounds of all metrics that tell it.

Each of them has its own; a request is put among all bounds at once, and at a scrape each metric is shown by those that
are its.
"""

from __future__ import annotations

from pybernetes.kits import prometheus

# Of requests without what others took: webhooks, and the queues of flow control.
SERVICE = (
    *(0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0),
    *(3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0),
)
REQUEST = (0.005, 0.025, *SERVICE)
# Of what flow control sees of them.
FLOW = (0.0, 0.005, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0)
ALL = tuple(sorted({*REQUEST, *FLOW}))


def histogram() -> prometheus.Histogram:
    return prometheus.Histogram(ALL)
