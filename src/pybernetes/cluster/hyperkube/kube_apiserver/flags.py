"""The flags of `hyperkube kube-apiserver`: upstream's names and defaults, and a few of our own."""

from __future__ import annotations

from pybernetes.apiserver.admission import table as admission
from pybernetes.apiserver.authz import modes
from pybernetes.cluster import layout
from pybernetes.cluster.hyperkube import values
from pybernetes.cluster.hyperkube.flags import Flag

STORES = ("sqlite", "memory", "etcd")
MEDIA_TYPE = "application/json"
SERVING, STORAGE = "Secure serving flags", "Storage flags"
AUTHENTICATION, AUTHORIZATION = "Authentication flags", "Authorization flags"
ADMISSION, KUBELET, API = "Admission flags", "Kubelet flags", "API flags"
OURS, GENERAL = "Flags that upstream does not have", "General flags"

TABLE = (
    Flag(
        "advertise-address",
        values.ADDRESS,
        None,
        "The address at which the other members of the cluster reach this server. If it is left out, the bind address, "
        "or the address of the interface that the default route leaves by.",
        SERVING,
    ),
    Flag("bind-address", values.ADDRESS, "0.0.0.0", "The address to listen on; 0.0.0.0 or :: for all.", SERVING),
    Flag("secure-port", values.INT, 6443, "The port to serve HTTPS on.", SERVING),
    Flag(
        "tls-cert-file",
        values.STRING,
        "",
        "The server's certificate (PEM), with any intermediate ones after it.",
        SERVING,
    ),
    Flag("tls-private-key-file", values.STRING, "", "The key of --tls-cert-file (PEM).", SERVING),
    Flag(
        "cert-dir",
        values.STRING,
        "",
        "Where keys are made that no flag names: apiserver.crt, signed by a ca.crt beside it, and sa.key for tokens. "
        "If it is left out, `pki` in --data-dir.",
        SERVING,
    ),
    Flag(
        "etcd-servers",
        values.STRINGS,
        [],
        "The etcd servers (http://host:2379 or https://...), separated by commas. Without them the objects are kept "
        "as --store says.",
        STORAGE,
    ),
    Flag("etcd-cafile", values.STRING, "", "The authority of etcd's certificates.", STORAGE),
    Flag("etcd-certfile", values.STRING, "", "This server's client certificate for etcd.", STORAGE),
    Flag("etcd-keyfile", values.STRING, "", "The key of --etcd-certfile.", STORAGE),
    Flag("etcd-prefix", values.STRING, "/registry", "What the keys of all objects begin with.", STORAGE),
    Flag(
        "etcd-compaction-interval",
        values.DURATION,
        300.0,
        "How often history older than one interval is forgotten, in any store. 0 keeps it.",
        STORAGE,
    ),
    Flag("storage-media-type", values.STRING, MEDIA_TYPE, f"The form of stored objects; {MEDIA_TYPE} only.", STORAGE),
    Flag("event-ttl", values.DURATION, 3600.0, "How long events are kept.", STORAGE),
    Flag(
        "anonymous-auth",
        values.BOOL,
        True,
        "Take requests without credentials as the user system:anonymous in the group system:unauthenticated. Off in "
        "any case where AlwaysAllow is an --authorization-mode.",
        AUTHENTICATION,
    ),
    Flag(
        "client-ca-file",
        values.STRING,
        "",
        "The authorities whose client certificates are good: their common name is the user, their organizations are "
        "the groups.",
        AUTHENTICATION,
    ),
    Flag(
        "token-auth-file",
        values.STRING,
        "",
        'Static bearer tokens: lines of token,user,uid,"group1,group2".',
        AUTHENTICATION,
    ),
    Flag(
        "service-account-signing-key-file",
        values.STRING,
        "",
        "The RSA or ECDSA private key that signs service-account tokens. If it is left out, one is made in --cert-dir.",
        AUTHENTICATION,
    ),
    Flag(
        "service-account-key-file",
        values.ARRAY,
        [],
        "RSA or ECDSA keys, private or public, whose service-account tokens are good; the signing key is one of them "
        "in any case. Repeat it for more files.",
        AUTHENTICATION,
    ),
    Flag(
        "service-account-issuer",
        values.ARRAY,
        [],
        "The issuer of service-account tokens. Repeat it for others whose tokens are good. If it is left out, "
        "https://kubernetes.default.svc.cluster.local.",
        AUTHENTICATION,
    ),
    Flag(
        "api-audiences",
        values.STRINGS,
        [],
        "What service-account tokens must be meant for. If it is left out, the first issuer.",
        AUTHENTICATION,
    ),
    Flag(
        "authorization-mode",
        values.STRINGS,
        None,
        f"Who decides, in this order, what is allowed: a list of {', '.join(modes.MODES)}. If it is left out, "
        "AlwaysAllow.",
        AUTHORIZATION,
    ),
    Flag(
        "enable-admission-plugins",
        values.STRINGS,
        [],
        f"Plugins to ask beside those that are asked anyway. There are: {', '.join(admission.NAMES)}.",
        ADMISSION,
    ),
    Flag("disable-admission-plugins", values.STRINGS, [], "Plugins not to ask.", ADMISSION),
    Flag("allow-privileged", values.BOOL, False, "Allow privileged containers.", ADMISSION),
    Flag("kubelet-client-certificate", values.STRING, "", "This server's client certificate for kubelets.", KUBELET),
    Flag("kubelet-client-key", values.STRING, "", "The key of --kubelet-client-certificate.", KUBELET),
    Flag(
        "kubelet-certificate-authority",
        values.STRING,
        "",
        "The authority of the kubelets' certificates. Without it they are not checked.",
        KUBELET,
    ),
    Flag(
        "runtime-config",
        values.STRINGS,
        [],
        "Versions and resources of the API to switch on or off: api/all=true, api/ga, api/beta, api/alpha, "
        "apps/v1beta1=true, batch/v1/cronjobs=false.",
        API,
    ),
    Flag(
        "service-cluster-ip-range",
        values.NETWORK,
        "10.0.0.0/24",
        "The range that Services have their cluster IPs from. No node and no pod may have an address in it.",
        API,
    ),
    Flag("service-node-port-range", values.PORTS, (30000, 32767), "The ports that Services of type NodePort get.", API),
    Flag(
        "store",
        values.STRING,
        "",
        f"Where objects are kept: {', '.join(STORES)}. If it is left out, etcd where --etcd-servers names some, and "
        "otherwise sqlite: a file in --data-dir.",
        OURS,
    ),
    Flag("data-dir", values.STRING, str(layout.default_data_dir() / "kube-apiserver"), "This server's files.", OURS),
    Flag("v", values.INT, 0, "How much is logged: from 4 on, everything.", GENERAL, "v"),
    Flag("version", values.BOOL, False, "Print the version and end.", GENERAL),
)
