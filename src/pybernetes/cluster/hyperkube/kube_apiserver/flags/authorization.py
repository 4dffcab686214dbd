"""Flags: who may do what."""

from __future__ import annotations

from pybernetes.apiserver.authz import modes
from pybernetes.cluster.hyperkube import values
from pybernetes.cluster.hyperkube.flags import Flag

GROUP = "Authorization flags"

TABLE = (
    Flag(
        "authorization-mode",
        values.STRINGS,
        None,
        f"Who decides, in this order, what is allowed: a list of {', '.join(modes.MODES)}. If it is left out, "
        "AlwaysAllow.",
        GROUP,
    ),
)
