"""Flags: what may be written."""

from __future__ import annotations

from pybernetes.apiserver.admission import table as admission
from pybernetes.cluster.hyperkube import values
from pybernetes.cluster.hyperkube.flags import Flag

GROUP = "Admission flags"

TABLE = (
    Flag(
        "enable-admission-plugins",
        values.STRINGS,
        [],
        f"Plugins to ask beside those that are asked anyway. There are: {', '.join(admission.NAMES)}.",
        GROUP,
    ),
    Flag("disable-admission-plugins", values.STRINGS, [], "Plugins not to ask.", GROUP),
    Flag(
        "admission-control",
        values.STRINGS,
        [],
        "Exactly the plugins to ask, instead of the two before; as it was until 1.10.",
        GROUP,
    ),
    Flag(
        "admission-control-config-file",
        values.STRING,
        "",
        "An AdmissionConfiguration: what plugins are configured by, or the files that say so.",
        GROUP,
    ),
    Flag("allow-privileged", values.BOOL, False, "Allow privileged containers.", GROUP),
)
