"""Flags: where objects are kept, and in which form."""

from __future__ import annotations

from pybernetes.cluster.hyperkube import values
from pybernetes.cluster.hyperkube.flags import Flag

MEDIA_TYPE = "application/json"
GROUP = "Etcd flags"

TABLE = (
    Flag(
        "etcd-servers",
        values.STRINGS,
        [],
        "The etcd servers (http://host:2379 or https://...), separated by commas. Without them the objects are kept "
        "as --store says.",
        GROUP,
    ),
    Flag("etcd-cafile", values.STRING, "", "The authority of etcd's certificates.", GROUP),
    Flag("etcd-certfile", values.STRING, "", "This server's client certificate for etcd.", GROUP),
    Flag("etcd-keyfile", values.STRING, "", "The key of --etcd-certfile.", GROUP),
    Flag("etcd-prefix", values.STRING, "/registry", "What the keys of all objects begin with.", GROUP),
    Flag(
        "etcd-compaction-interval",
        values.DURATION,
        300.0,
        "How often history older than one interval is forgotten, in any store. 0 keeps it.",
        GROUP,
    ),
    Flag("storage-media-type", values.STRING, MEDIA_TYPE, f"The form of stored objects; {MEDIA_TYPE} only.", GROUP),
    Flag(
        "encryption-provider-config",
        values.STRING,
        "",
        "An EncryptionConfiguration: which resources are kept sealed, and with which keys.",
        GROUP,
    ),
    Flag("event-ttl", values.DURATION, 3600.0, "How long events are kept.", GROUP),
)
