"""The flags of `hyperkube kube-controller-manager`: upstream's names and defaults."""

from __future__ import annotations

from pybernetes.cluster.hyperkube import connection, values
from pybernetes.cluster.hyperkube.flags import Flag

CONTROLLERS, NODES, TOKENS = "Controller flags", "Node flags", "Service account flags"
SERVICES = "Service flags"
AUTOSCALING = "Autoscaling flags"

TABLE = (
    Flag(
        "controllers",
        values.STRINGS,
        None,
        "Which controllers run: * all, `foo` that one, `-foo` not that one; * if it is left out.",
        CONTROLLERS,
    ),
    Flag("terminated-pod-gc-threshold", values.INT, 12500, "More ended pods than this are deleted.", CONTROLLERS),
    Flag("cluster-cidr", values.NETWORK, None, "Where the nodes' ranges of pod addresses are taken from.", NODES),
    Flag("allocate-node-cidrs", values.BOOL, False, "Give each node such a range.", NODES),
    Flag("node-cidr-mask-size", values.INT, 24, "The mask of such a range.", NODES),
    Flag("node-monitor-grace-period", values.DURATION, 50.0, "How long a node may be silent before it is lost.", NODES),
    Flag("max-endpoints-per-slice", values.INT, 100, "No EndpointSlice has more endpoints than this.", SERVICES),
    Flag("node-startup-grace-period", values.DURATION, 60.0, "As much for a node that is only starting.", NODES),
    Flag("node-eviction-rate", values.FLOAT, 0.1, "Lost nodes of a zone that lose their pods, per second.", NODES),
    Flag(
        "secondary-node-eviction-rate",
        values.FLOAT,
        0.01,
        "As many where most of a zone is lost; none in zones that are not large.",
        NODES,
    ),
    Flag("unhealthy-zone-threshold", values.FLOAT, 0.55, "What share of a zone is most of it; at least 3.", NODES),
    Flag("large-cluster-size-threshold", values.INT, 50, "Zones of more nodes than this are large.", NODES),
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
        "legacy-service-account-token-clean-up-period",
        values.DURATION,
        365 * 86400.0,
        "Token Secrets that the cluster made are invalid when nobody used them for this long, and deleted later.",
        TOKENS,
    ),
    Flag(
        "use-service-account-credentials",
        values.BOOL,
        False,
        "Each controller works as a service account of its own, with no more rights than it needs.",
        TOKENS,
    ),
    *connection.TABLE,
)
