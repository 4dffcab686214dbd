"""Flags: what is served, and from which ranges addresses come."""

from __future__ import annotations

from pybernetes.cluster.hyperkube import values
from pybernetes.cluster.hyperkube.flags import Flag

GROUP = "API enablement flags"

TABLE = (
    Flag(
        "runtime-config",
        values.STRINGS,
        [],
        "Versions and resources of the GROUP to switch on or off: api/all=true, api/ga, api/beta, api/alpha, "
        "apps/v1beta1=true, batch/v1/cronjobs=false.",
        GROUP,
    ),
    Flag(
        "service-cluster-ip-range",
        values.NETWORKS,
        "10.0.0.0/24",
        "The range that Services have their cluster IPs from, or one of each IP family, the default one first. No node "
        "and no pod may have an address in it.",
        GROUP,
    ),
    Flag(
        "service-node-port-range", values.PORTS, (30000, 32767), "The ports that Services of type NodePort get.", GROUP
    ),
)
