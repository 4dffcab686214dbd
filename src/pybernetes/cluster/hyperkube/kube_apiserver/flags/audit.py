"""Flags: what is noted of requests, and where."""

from __future__ import annotations

from collections.abc import Iterator

from pybernetes.cluster.hyperkube import values
from pybernetes.cluster.hyperkube.flags import Flag

GROUP = "Auditing flags"
MODES = ("batch", "blocking", "blocking-strict")


def _batching(of: str, *, mode: str, size: int, wait: float) -> Iterator[Flag]:
    yield Flag(
        f"audit-{of}-mode",
        values.STRING,
        mode,
        f"{', '.join(MODES)}: events are gathered, or no answer leaves before them, or no request is let in either.",
        GROUP,
    )
    yield Flag(f"audit-{of}-batch-buffer-size", values.INT, 10000, "How many events are gathered at most.", GROUP)
    yield Flag(f"audit-{of}-batch-max-size", values.INT, size, "How many go at once.", GROUP)
    yield Flag(f"audit-{of}-batch-max-wait", values.DURATION, wait, "How long the first of them waits.", GROUP)
    yield Flag(
        f"audit-{of}-truncate-enabled", values.BOOL, False, "Leave the objects out of events that are large.", GROUP
    )
    yield Flag(f"audit-{of}-truncate-max-event-size", values.INT, 100 << 10, "What is large, in bytes.", GROUP)
    yield Flag(f"audit-{of}-truncate-max-batch-size", values.INT, 10 << 20, "How many bytes go at once.", GROUP)


TABLE = (
    Flag(
        "audit-policy-file",
        values.STRING,
        "",
        "A Policy of audit.k8s.io/v1: what is noted of which requests. Without it nothing is.",
        GROUP,
    ),
    Flag(
        "audit-log-path",
        values.STRING,
        "",
        "The file that events are written to, a line each; - for standard output.",
        GROUP,
    ),
    Flag("audit-log-maxage", values.INT, 366, "How many days old files are kept; 0 for ever.", GROUP),
    Flag("audit-log-maxbackup", values.INT, 100, "How many old files are kept; 0 for all.", GROUP),
    Flag("audit-log-maxsize", values.INT, 100, "At how many megabytes a new file is begun; 0 for never.", GROUP),
    Flag("audit-log-compress", values.BOOL, False, "Compress old files.", GROUP),
    *_batching("log", mode="blocking", size=1, wait=0.0),
    Flag("audit-webhook-config-file", values.STRING, "", "A kubeconfig of the server that events are sent to.", GROUP),
    Flag("audit-webhook-initial-backoff", values.DURATION, 10.0, "The pause after a server did not take them.", GROUP),
    *_batching("webhook", mode="batch", size=400, wait=30.0),
)
