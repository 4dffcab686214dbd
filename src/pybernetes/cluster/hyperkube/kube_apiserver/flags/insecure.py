"""Flags: plain HTTP without any credentials, as clusters of old had it."""

from __future__ import annotations

from pybernetes.cluster.hyperkube import values
from pybernetes.cluster.hyperkube.flags import Flag

GROUP = "Insecure serving flags"

TABLE = (
    Flag(
        "insecure-port",
        values.INT,
        0,
        "Serve plain HTTP on this port, too, where everybody may do everything; 0 for not at all. Upstream had it "
        "until 1.24. Keep others away from it.",
        GROUP,
        aliases=("port",),
    ),
    Flag(
        "insecure-bind-address",
        values.ADDRESS,
        "127.0.0.1",
        "The address of --insecure-port.",
        GROUP,
        aliases=("address",),
    ),
)
