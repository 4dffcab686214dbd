"""The flags of kube-proxy, and the fields of a KubeProxyConfiguration that stand for them."""

from __future__ import annotations

import ipaddress
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

from pybernetes.cluster.hyperkube import features, files, logging_flags, values
from pybernetes.cluster.hyperkube.flags import Flag

API, SERVING, RULES, MISC = "API server flags", "Serving flags", "Rule flags", "Misc flags"
MODES = ("", "nftables")
VERSION, KIND = "kubeproxy.config.k8s.io/v1alpha1", "KubeProxyConfiguration"

TABLE = (
    Flag(
        "config",
        values.STRING,
        "",
        "File with a KubeProxyConfiguration: what it says goes before the flags, but for --hostname-override.",
        MISC,
    ),
    Flag("cleanup", values.BOOL, False, "Take the rules away, and end.", MISC),
    Flag("kubeconfig", values.STRING, "", "File that says where the API server is and who we are to it.", API),
    Flag("master", values.STRING, "", "URL of the API server, instead of the one in --kubeconfig.", API),
    Flag("kube-api-qps", values.FLOAT, None, "Accepted: the API server says how much it takes, not its clients.", API),
    Flag("kube-api-burst", values.INT, None, "Accepted, as --kube-api-qps.", API),
    Flag("kube-api-content-type", values.STRING, None, "Accepted: JSON is what is spoken.", API),
    Flag("hostname-override", values.STRING, "", "Name of the node (the host name).", API),
    Flag("proxy-mode", values.STRING, "", "nftables, which is what empty means, too; others are not there.", RULES),
    Flag(
        "cluster-cidr",
        values.STRING,
        "",
        "The range that all pods have their addresses in. What comes to Services from elsewhere seems to pods to come "
        "from the node; without it, nobody counts as from elsewhere.",
        RULES,
    ),
    Flag("oom-score-adj", values.INT, None, "Accepted: whoever starts it says that.", RULES),
    Flag("bind-address", values.ADDRESS, None, "Accepted: the rules hold for the whole node.", RULES),
    Flag(
        "healthz-bind-address",
        values.STRING,
        "0.0.0.0:10256",
        "Serve /healthz and /livez there in plain HTTP; empty for not at all.",
        SERVING,
    ),
    Flag(
        "metrics-bind-address",
        values.STRING,
        "127.0.0.1:10249",
        "Serve /metrics, /configz and /proxyMode there in plain HTTP, to everybody; empty for not at all.",
        SERVING,
    ),
    Flag("profiling", values.BOOL, False, "Serve /debug/pprof at --metrics-bind-address, too.", SERVING),
    *features.TABLE,
    Flag("version", values.BOOL, False, "Say which version this is, and end.", MISC),
    *logging_flags.TABLE,
)

FIELDS: files.Fields = {
    "clientConnection.kubeconfig": ("kubeconfig", files.text),
    "hostnameOverride": ("hostname-override", files.text),
    "bindAddress": ("bind-address", files.text),
    "healthzBindAddress": ("healthz-bind-address", files.text),
    "metricsBindAddress": ("metrics-bind-address", files.text),
    "enableProfiling": ("profiling", files.boolean),
    "mode": ("proxy-mode", files.text),
    "clusterCIDR": ("cluster-cidr", files.text),
    "oomScoreAdj": ("oom-score-adj", files.whole),
    "featureGates": ("feature-gates", files.features),
    "logging.format": ("logging-format", files.text),
    "logging.verbosity": ("v", files.whole),
}
_FIELDS_OF_OTHERS = """
    bindAddressHardFail clientConnection.acceptContentTypes clientConnection.burst clientConnection.contentType
    clientConnection.qps configSyncPeriod conntrack detectLocal detectLocalMode iptables ipvs logging.flushFrequency
    logging.options logging.vmodule nftables nodePortAddresses portRange showHiddenMetricsForVersion
    windowsRunAsService winkernel
"""
_UNHEEDED = frozenset(_FIELDS_OF_OTHERS.split())


def configured(given: Mapping[str, Any]) -> tuple[Mapping[str, Any], list[str]]:
    """The flags with what the file says in their place, and what of it says nothing here. Raises FlagError."""
    if not given["config"]:
        return given, []
    found = files.read(given["config"], VERSION, KIND, FIELDS, _UNHEEDED)
    said = {**given, **found.flags}
    said["hostname-override"] = given["hostname-override"] or said["hostname-override"]
    return said, found.unheeded


def problems(given: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with them, or does not go together."""
    yield from features.problems(given["feature-gates"])
    yield from logging_flags.problems(given)
    if given["config"] and not pathlib.Path(given["config"]).is_file():
        yield f"--config: there is no file {given['config']}"
    if given["proxy-mode"] not in MODES:
        yield f"--proxy-mode: {given['proxy-mode']!r} is not there, only nftables is"
    for flag in ("healthz-bind-address", "metrics-bind-address"):
        try:
            endpoint(given[flag])
        except ValueError as error:
            yield f"--{flag}: {error}"
    if given["cluster-cidr"]:
        try:
            own_range(given["cluster-cidr"])
        except ValueError as error:
            yield f"--cluster-cidr: {error}"


def endpoint(text: str) -> tuple[str, int] | None:
    """`10.0.0.1:10256` or `[::]:10256`; None for nothing. Raises ValueError."""
    if not text:
        return None
    host, _, port = text.rpartition(":")
    found = values.integer(port)
    if not 0 <= found <= 65535:
        raise ValueError("the port must lie between 0 and 65535")
    return (values.address(host.removeprefix("[").removesuffix("]")), found) if found else None


def own_range(text: str) -> str:
    """The IPv4 range of one, or of two with a comma between them, as dual-stack clusters have. Raises ValueError."""
    ranges = [ipaddress.ip_network(one.strip(), strict=False) for one in text.split(",")]
    return next((str(one) for one in ranges if one.version == 4), "")
