"""Flags of every component: what it logs, and in which form."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pybernetes.cluster import logs
from pybernetes.cluster.hyperkube import values
from pybernetes.cluster.hyperkube.flags import Flag
from pybernetes.kits import verbosity

GROUP = "Logs flags"

TABLE = (
    Flag(
        "logging-format",
        values.STRING,
        "text",
        f"The form of what is logged: {', '.join(logs.FORMATS)}.",
        GROUP,
    ),
    Flag("logtostderr", values.BOOL, None, "Accepted: that is where it goes. Upstream had it until 1.26.", GROUP),
    Flag("v", values.INT, 0, f"How much is logged: from {verbosity.DEBUG_FROM} on, everything.", GROUP, "v"),
)


def problems(given: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with them."""
    if given["logging-format"] not in logs.FORMATS:
        formats = ", ".join(f'"{one}"' for one in logs.FORMATS)
        yield f'--logging-format: Invalid value: "{given["logging-format"]}": Unsupported log format, want {formats}'
    if given["v"] < 0:
        yield f"--v {given['v']} must not be negative"


def begin(given: Mapping[str, Any]) -> None:
    """Log as they say."""
    logs.to_standard_error(given["logging-format"], verbosity.level(given["v"]))
