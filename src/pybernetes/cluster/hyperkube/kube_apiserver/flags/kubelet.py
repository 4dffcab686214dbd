"""Flags: how kubelets, and servers of aggregated APIs, are reached."""

from __future__ import annotations

from pybernetes.cluster.hyperkube import values
from pybernetes.cluster.hyperkube.flags import Flag

GROUP = "Kubelet flags"
PROXY = "Aggregation flags"

TABLE = (
    Flag("kubelet-client-certificate", values.STRING, "", "This server's client certificate for kubelets.", GROUP),
    Flag("kubelet-client-key", values.STRING, "", "The key of --kubelet-client-certificate.", GROUP),
    Flag(
        "kubelet-certificate-authority",
        values.STRING,
        "",
        "The authority of the kubelets' certificates. Without it they are not checked.",
        GROUP,
    ),
    Flag("kubelet-port", values.INT, None, "Accepted: nodes say it. Upstream had it until 1.24.", GROUP),
    Flag(
        "proxy-client-cert-file",
        values.STRING,
        "",
        "This server's client certificate for the servers of aggregated APIs, by which they believe it who asks.",
        PROXY,
    ),
    Flag("proxy-client-key-file", values.STRING, "", "The key of --proxy-client-cert-file.", PROXY),
)
