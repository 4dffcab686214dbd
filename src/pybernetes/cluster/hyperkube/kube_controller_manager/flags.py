"""The flags of `hyperkube kube-controller-manager`: upstream's names and defaults."""

from __future__ import annotations

from pybernetes.cluster.hyperkube import connection, values
from pybernetes.cluster.hyperkube.flags import Flag
from pybernetes.cluster.hyperkube.ports import flags as ports

GENERIC = "Generic flags"
IPAM, LIFECYCLE, COLLECTION = "Nodeipam controller flags", "Nodelifecycle controller flags", "Podgc controller flags"
SLICES, SERVICES = "Endpointslice controller flags", "Service lb controller flags"
SIGNING = "Certificatesigningrequest signing controller flags"
TOKENS, OLD_TOKENS = "Serviceaccount controller flags", "Legacy serviceaccount token cleaner controller flags"
AUTOSCALING = "Horizontal pod autoscaler controller flags"

# How many of its objects a controller looks at at a time: the flag, the controller, upstream's number.
WORKERS = (
    ("concurrent-cron-job-syncs", "cronjob-controller", 5),
    ("concurrent-daemonset-syncs", "daemonset-controller", 2),
    ("concurrent-deployment-syncs", "deployment-controller", 5),
    ("concurrent-endpoint-syncs", "endpoints-controller", 5),
    ("concurrent-ephemeralvolume-syncs", "ephemeral-volume-controller", 5),
    ("concurrent-gc-syncs", "garbage-collector-controller", 20),
    ("concurrent-job-syncs", "job-controller", 5),
    ("concurrent-namespace-syncs", "namespace-controller", 10),
    ("concurrent-rc-syncs", "replication-controller", 5),
    ("concurrent-replicaset-syncs", "replicaset-controller", 5),
    ("concurrent-resource-quota-syncs", "resourcequota-controller", 5),
    ("concurrent-resourceclaim-syncs", "resourceclaim-controller", 10),
    ("concurrent-service-endpoint-syncs", "endpointslice-controller", 5),
    ("concurrent-service-syncs", "service-lb-controller", 1),
    ("concurrent-serviceaccount-token-syncs", "serviceaccount-token-controller", 5),
    ("concurrent-statefulset-syncs", "statefulset-controller", 5),
    ("concurrent-ttl-after-finished-syncs", "ttl-after-finished-controller", 5),
    ("concurrent-validating-admission-policy-status-syncs", "validatingadmissionpolicy-status-controller", 5),
    ("mirroring-concurrent-service-endpoint-syncs", "endpointslice-mirroring-controller", 5),
)


def _group(controller: str) -> str:
    """The heading of a controller's flags, as upstream makes it of the name."""
    return f"{controller.removesuffix('-controller').replace('-', ' ').capitalize()} controller flags"


def _workers() -> tuple[Flag, ...]:
    words = "How many of its objects are looked at at a time."
    return tuple(Flag(flag, values.INT, usual, words, _group(controller)) for flag, controller, usual in WORKERS)


TABLE = (
    Flag(
        "controllers",
        values.STRINGS,
        None,
        "Which controllers run: * all, `foo` that one, `-foo` not that one; * if it is left out.",
        GENERIC,
    ),
    Flag("terminated-pod-gc-threshold", values.INT, 12500, "More ended pods than this are deleted.", COLLECTION),
    Flag("cluster-cidr", values.NETWORK, None, "Where the nodes' ranges of pod addresses are taken from.", GENERIC),
    Flag("allocate-node-cidrs", values.BOOL, False, "Give each node such a range.", GENERIC),
    Flag("node-cidr-mask-size", values.INT, 24, "The mask of such a range.", IPAM),
    Flag(
        "node-monitor-grace-period",
        values.DURATION,
        50.0,
        "How long a node may be silent until it is lost.",
        LIFECYCLE,
    ),
    Flag("max-endpoints-per-slice", values.INT, 100, "No EndpointSlice has more endpoints than this.", SLICES),
    Flag("node-startup-grace-period", values.DURATION, 60.0, "As much for a node that is only starting.", LIFECYCLE),
    Flag("node-eviction-rate", values.FLOAT, 0.1, "Lost nodes of a zone that lose their pods, per second.", LIFECYCLE),
    Flag(
        "secondary-node-eviction-rate",
        values.FLOAT,
        0.01,
        "As many where most of a zone is lost; none in zones that are not large.",
        LIFECYCLE,
    ),
    Flag("unhealthy-zone-threshold", values.FLOAT, 0.55, "What share of a zone is most of it; at least 3.", LIFECYCLE),
    Flag("large-cluster-size-threshold", values.INT, 50, "Zones of more nodes than this are large.", LIFECYCLE),
    Flag(
        "concurrent-horizontal-pod-autoscaler-syncs",
        values.INT,
        5,
        "How many autoscalers are looked at at a time.",
        AUTOSCALING,
    ),
    Flag(
        "horizontal-pod-autoscaler-sync-period",
        values.DURATION,
        15.0,
        "Each autoscaler is looked at once in this time.",
        AUTOSCALING,
    ),
    Flag(
        "horizontal-pod-autoscaler-downscale-stabilization",
        values.DURATION,
        300.0,
        "No scaling below what was recommended within this time.",
        AUTOSCALING,
    ),
    Flag(
        "horizontal-pod-autoscaler-tolerance",
        values.FLOAT,
        0.1,
        "How far from its target a metric may be, as a share of it, before anything is scaled.",
        AUTOSCALING,
    ),
    Flag(
        "horizontal-pod-autoscaler-cpu-initialization-period",
        values.DURATION,
        300.0,
        "How long after a pod's start its use of CPU may be that of starting.",
        AUTOSCALING,
    ),
    Flag(
        "horizontal-pod-autoscaler-initial-readiness-delay",
        values.DURATION,
        30.0,
        "A pod that becomes unready so soon after its start has not been ready yet.",
        AUTOSCALING,
    ),
    Flag(
        "load-balancer-pool",
        values.STRINGS,
        None,
        "Addresses for Services of type LoadBalancer: 10.0.0.0/28, 10.0.0.1-10.0.0.9 or single ones.",
        SERVICES,
    ),
    Flag(
        "root-ca-file",
        values.STRING,
        "",
        "The authority of the API server's certificate, put into every namespace for pods.",
        TOKENS,
    ),
    Flag(
        "service-account-private-key-file",
        values.STRING,
        "",
        "The key that tokens in Secrets are signed with.",
        TOKENS,
    ),
    Flag(
        "legacy-service-account-tokens",
        values.BOOL,
        False,
        "Make a token Secret for every service account, as clusters did before 1.24.",
        TOKENS,
    ),
    Flag(
        "legacy-service-account-token-clean-up-period",
        values.DURATION,
        365 * 86400.0,
        "Token Secrets that the cluster made are invalid when nobody used them for this long, and deleted later.",
        OLD_TOKENS,
    ),
    Flag(
        "use-service-account-credentials",
        values.BOOL,
        False,
        "Each controller works as a service account of its own, with no more rights than it needs.",
        GENERIC,
    ),
    Flag(
        "cluster-signing-cert-file",
        values.STRING,
        "",
        "The authority (PEM) that signs what CertificateSigningRequests ask of the cluster's own signers.",
        SIGNING,
    ),
    Flag("cluster-signing-key-file", values.STRING, "", "Its key (PEM); without one nothing is signed.", SIGNING),
    Flag("cluster-signing-duration", values.DURATION, 365 * 86400.0, "How long what it signs lasts at most.", SIGNING),
    Flag("service-cluster-ip-range", values.STRING, "", "Accepted: no node's range is taken from it anyway.", IPAM),
    Flag("cluster-name", values.STRING, "kubernetes", "Accepted: only clouds want it.", GENERIC),
    Flag("min-resync-period", values.DURATION, 43200.0, "Accepted: nothing is looked at again for nothing.", GENERIC),
    *_workers(),
    *ports.table(ports.CONTROLLER_MANAGER),
    *connection.TABLE,
)
