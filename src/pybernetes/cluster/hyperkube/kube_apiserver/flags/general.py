"""Flags: what upstream has not, and what every component has."""

from __future__ import annotations

from pybernetes.cluster import layout
from pybernetes.cluster.hyperkube import values
from pybernetes.cluster.hyperkube.flags import Flag

STORES = ("sqlite", "memory", "etcd")
OURS, GENERAL = "Flags that upstream does not have", "General flags"

TABLE = (
    Flag(
        "store",
        values.STRING,
        "",
        f"Where objects are kept: {', '.join(STORES)}. If it is left out, etcd where --etcd-servers names some, and "
        "otherwise sqlite: a file in --data-dir.",
        OURS,
    ),
    Flag("data-dir", values.STRING, str(layout.default_data_dir() / "kube-apiserver"), "This server's files.", OURS),
    Flag(
        "profiling",
        values.BOOL,
        True,
        "Serve /debug/pprof and /debug/flags/v, to those who may get these paths.",
        GENERAL,
    ),
    Flag("version", values.BOOL, False, "Print the version and end.", GENERAL),
)
