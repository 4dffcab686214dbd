"""The flags of the kubelet. What a KubeletConfiguration can say as well, it says under the names in `configuration`."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

from pybernetes.api import names
from pybernetes.cluster import node_marks
from pybernetes.cluster.hyperkube import features, logging_flags, values
from pybernetes.cluster.hyperkube.flags import Flag

API, NODE, PODS = "API server flags", "Node flags", "Pod flags"
SERVING, AUTHENTICATION, AUTHORIZATION = "Serving flags", "Authentication flags", "Authorization flags"
MISC = "Misc flags"
MODES = ("AlwaysAllow", "Webhook")
# What a kubelet may say of its node under names that are Kubernetes' own.
PREFIXES = ("kubelet.kubernetes.io", "node.kubernetes.io")
LABELS = (
    "beta.kubernetes.io/arch",
    "beta.kubernetes.io/instance-type",
    "beta.kubernetes.io/os",
    "failure-domain.beta.kubernetes.io/region",
    "failure-domain.beta.kubernetes.io/zone",
    "kubernetes.io/arch",
    "kubernetes.io/hostname",
    "kubernetes.io/os",
    "node.kubernetes.io/instance-type",
    "topology.kubernetes.io/region",
    "topology.kubernetes.io/zone",
)
FILES = ("config", "bootstrap-kubeconfig", "client-ca-file", "tls-cert-file", "tls-private-key-file")

TABLE = (
    Flag("config", values.STRING, "", "File with a KubeletConfiguration; flags go before what it says.", MISC),
    Flag("kubeconfig", values.STRING, "", "File that says where the API server is and who we are to it.", API),
    Flag(
        "bootstrap-kubeconfig",
        values.STRING,
        "",
        "File of somebody who may ask for a certificate. If --kubeconfig names no file yet, one is asked for as "
        "system:node:NAME, kept in --cert-dir, and the file is written.",
        API,
    ),
    Flag(
        "api-servers",
        values.STRINGS,
        [],
        "URLs of API servers that want no credentials; the first one is used where there is no --kubeconfig. Upstream "
        "had it until 1.8.",
        API,
    ),
    Flag("kube-api-qps", values.INT, None, "Accepted: the API server says how much it takes, not its clients.", API),
    Flag("kube-api-burst", values.INT, None, "Accepted, as --kube-api-qps.", API),
    Flag("hostname-override", values.STRING, "", "Name of the node (the host name).", NODE),
    Flag("node-ip", values.ADDRESS, "", "Address of the node (that of the default route's interface).", NODE),
    Flag("node-labels", values.STRINGS, [], "Labels of the node: key=value,...", NODE),
    Flag("register-node", values.BOOL, True, "Make the node object; else it is waited for.", NODE),
    Flag("register-with-taints", values.STRINGS, [], "Taints of the node when it is made: key=value:effect,...", NODE),
    Flag("provider-id", values.STRING, "", "What a cloud calls the machine.", NODE),
    Flag("max-pods", values.INT, 110, "How many pods may run here.", NODE),
    Flag(
        "node-status-update-frequency",
        values.DURATION,
        10.0,
        "How often it is seen whether the node's status has changed.",
        NODE,
    ),
    Flag(
        "container-runtime-endpoint",
        values.STRING,
        "unix:///run/containerd/containerd.sock",
        "The socket of containerd, or of another runtime that speaks CRI v1.",
        PODS,
    ),
    Flag("container-runtime", values.STRING, None, "Accepted: any that speaks CRI. Upstream had it until 1.27.", PODS),
    Flag(
        "pod-infra-container-image",
        values.STRING,
        None,
        "Accepted: the runtime's own configuration says it. Upstream had it until 1.35.",
        PODS,
    ),
    Flag("allow-privileged", values.BOOL, None, "Accepted: the API server decides. Upstream had it until 1.15.", PODS),
    Flag("root-dir", values.STRING, "/var/lib/kubelet", "Where volumes and other files of pods are kept.", PODS),
    Flag("pod-logs-dir", values.STRING, "/var/log/pods", "Where containers' logs are kept (`podLogsDir`).", PODS),
    Flag("cgroup-root", values.STRING, "/kubepods", "The cgroup that all pods are in.", PODS),
    Flag("cgroup-driver", values.STRING, None, "Accepted: cgroups are made by the runtime, as cgroupfs.", PODS),
    Flag("cluster-dns", values.STRINGS, [], "Addresses of the cluster's DNS servers, for pods.", PODS),
    Flag("cluster-domain", values.STRING, "cluster.local", "The domain that Services are found in.", PODS),
    Flag("resolv-conf", values.STRING, "/etc/resolv.conf", "What pods with DNS policy Default go by.", PODS),
    Flag("fail-swap-on", values.BOOL, None, "Accepted: swap is reported, and does not keep it from starting.", PODS),
    Flag("enable-server", values.BOOL, True, "Serve at all.", SERVING),
    Flag("address", values.ADDRESS, "0.0.0.0", "The address to listen on; 0.0.0.0 or :: for all.", SERVING),
    Flag("port", values.INT, 10250, "The port to serve HTTPS on.", SERVING),
    Flag("tls-cert-file", values.STRING, "", "The certificate (PEM), any intermediate ones after it.", SERVING),
    Flag("tls-private-key-file", values.STRING, "", "The key of --tls-cert-file (PEM).", SERVING),
    Flag(
        "cert-dir",
        values.STRING,
        "/var/lib/kubelet/pki",
        "Where a certificate is made and kept, with the ca.crt that signs it, if --tls-cert-file names none.",
        SERVING,
    ),
    Flag("healthz-bind-address", values.ADDRESS, "127.0.0.1", "The address of --healthz-port.", SERVING),
    Flag("healthz-port", values.INT, 10248, "Serve /healthz on it in plain HTTP; 0 for not at all.", SERVING),
    Flag(
        "anonymous-auth",
        values.BOOL,
        True,
        "Let in who shows neither certificate nor token, as system:anonymous. With --config only if that says so.",
        AUTHENTICATION,
    ),
    Flag(
        "authentication-token-webhook",
        values.BOOL,
        False,
        "Ask the API server whose a bearer token is. With --config that is done unless that says otherwise.",
        AUTHENTICATION,
    ),
    Flag(
        "client-ca-file",
        values.STRING,
        "",
        "Clients with a certificate of this authority are who it says.",
        AUTHENTICATION,
    ),
    Flag(
        "authorization-mode",
        values.STRING,
        "AlwaysAllow",
        "AlwaysAllow, or Webhook: ask the API server what somebody may do. With --config it is Webhook unless that "
        "says otherwise.",
        AUTHORIZATION,
    ),
    *features.TABLE,
    Flag("version", values.BOOL, False, "Say which version this is, and end.", MISC),
    *logging_flags.TABLE,
)


def problems(given: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with them, or does not go together."""
    yield from features.problems(given["feature-gates"])
    yield from logging_flags.problems(given)
    for flag in FILES:
        if given[flag] and not pathlib.Path(given[flag]).is_file():
            yield f"--{flag}: there is no file {given[flag]}"
    if bool(given["tls-cert-file"]) != bool(given["tls-private-key-file"]):
        yield "--tls-cert-file and --tls-private-key-file go together"
    if given["bootstrap-kubeconfig"] and not given["kubeconfig"]:
        yield "--bootstrap-kubeconfig wants --kubeconfig: the file to write"
    if not given["kubeconfig"] and not given["api-servers"]:
        yield "--kubeconfig says where the API server is, or --api-servers does"
    if not 0 < given["port"] <= 65535:
        yield f"--port {given['port']} must be between 1 and 65535, inclusive"
    if not 0 <= given["healthz-port"] <= 65535:
        yield f"--healthz-port {given['healthz-port']} must be between 0 and 65535, inclusive"
    if given["max-pods"] < 0:
        yield f"--max-pods {given['max-pods']} must not be a negative number"
    if given["authorization-mode"] not in MODES:
        mode = given["authorization-mode"]
        yield f"--authorization-mode: {mode!r} is not one of {', '.join(MODES)}"
    if not given["container-runtime-endpoint"].startswith(("unix://", "/")):
        yield "--container-runtime-endpoint must be a unix socket, as in unix:///run/containerd/containerd.sock"
    yield from _problems_of_labels(node_marks.labels(",".join(given["node-labels"])))
    try:
        node_marks.taints(",".join(given["register-with-taints"]))
    except ValueError as error:
        yield f"--register-with-taints: {error}"


def _problems_of_labels(labels: Mapping[str, str]) -> Iterator[str]:
    if unknown := sorted(key for key in labels if not _may_set(key)):
        yield f"unknown 'kubernetes.io' or 'k8s.io' labels specified with --node-labels: [{' '.join(unknown)}]"
        yield (
            f"--node-labels in the 'kubernetes.io' namespace must begin with an allowed prefix ({', '.join(PREFIXES)}) "
            f"or be in the specifically allowed set ({', '.join(LABELS)})"
        )
    wrong = [
        f"'{text}' - {', '.join(found)}"
        for key, value in labels.items()
        for text, found in ((key, names.qualified_name(key)), (value, names.label_value(value)))
        if found
    ]
    if wrong:
        yield f"invalid node labels: {'; '.join(wrong)}"


def _may_set(key: str) -> bool:
    prefix, slash, _ = key.partition("/")
    is_ours = bool(slash) and any(prefix == own or prefix.endswith(f".{own}") for own in ("kubernetes.io", "k8s.io"))
    return not is_ours or key in LABELS or any(prefix == own or prefix.endswith(f".{own}") for own in PREFIXES)
