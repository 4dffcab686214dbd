"""Flags: what this server listens on, and with which certificate."""

from __future__ import annotations

from pybernetes.cluster.hyperkube import values
from pybernetes.cluster.hyperkube.flags import Flag

GROUP = "Secure serving flags"

TABLE = (
    Flag(
        "advertise-address",
        values.ADDRESS,
        None,
        "The address at which the other members of the cluster reach this server. If it is left out, the bind address, "
        "or the address of the interface that the default route leaves by.",
        GROUP,
    ),
    Flag("bind-address", values.ADDRESS, "0.0.0.0", "The address to listen on; 0.0.0.0 or :: for all.", GROUP),
    Flag("secure-port", values.INT, 6443, "The port to serve HTTPS on.", GROUP),
    Flag(
        "tls-cert-file",
        values.STRING,
        "",
        "The server's certificate (PEM), with any intermediate ones after it.",
        GROUP,
    ),
    Flag("tls-private-key-file", values.STRING, "", "The key of --tls-cert-file (PEM).", GROUP),
    Flag(
        "cert-dir",
        values.STRING,
        "",
        "Where keys are made that no flag names: apiserver.crt, signed by a ca.crt beside it, and sa.key for tokens. "
        "If it is left out, `pki` in --data-dir.",
        GROUP,
    ),
)
