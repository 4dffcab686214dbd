"""Flags: how kubelets are reached."""

from __future__ import annotations

from pybernetes.cluster.hyperkube import values
from pybernetes.cluster.hyperkube.flags import Flag

GROUP = "Kubelet flags"

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
)
