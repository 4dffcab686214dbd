"""Flags: how much may run at once, for how long, and how it is shared out."""

from __future__ import annotations

from pybernetes.cluster.hyperkube import values
from pybernetes.cluster.hyperkube.flags import Flag

GROUP = "Generic flags"

TABLE = (
    Flag(
        "enable-priority-and-fairness",
        values.BOOL,
        True,
        "Share the server out by FlowSchemas and PriorityLevelConfigurations; otherwise the next two are plain limits.",
        GROUP,
    ),
    Flag("max-requests-inflight", values.INT, 400, "How many reads may run at once; 0 for any number.", GROUP),
    Flag("max-mutating-requests-inflight", values.INT, 200, "As many writes.", GROUP),
    Flag(
        "request-timeout",
        values.DURATION,
        60.0,
        "How long a request may take, unless it is one that lasts; it waits for its turn for a quarter of it at most.",
        GROUP,
    ),
)
