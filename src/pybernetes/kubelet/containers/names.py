"""How a pod sees names: its hostname, /etc/hosts and resolv.conf. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from pybernetes.api.types import core_v1
from pybernetes.kits import resolver as resolvers
from pybernetes.runtime import protocol

MAX_HOSTNAME = 63
_MANAGED = "# Kubernetes-managed hosts file.\n"
_MANAGED_HOST = "# Kubernetes-managed hosts file (host network).\n"
_COMMON = (
    "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::0\tip6-localnet\n"
    "fe00::0\tip6-mcastprefix\nfe00::1\tip6-allnodes\nfe00::2\tip6-allrouters\n"
)
MAX_NAMESERVERS = 3
MAX_SEARCHES = 32


def host_name(pod: core_v1.Pod, domain: str) -> tuple[str, str]:
    """(hostname, fully qualified name); the latter is empty without a subdomain."""
    name = pod.spec.hostname or pod.metadata.name
    name = name[:MAX_HOSTNAME].rstrip("-.")
    if pod.spec.hostnameOverride is not None:
        return pod.spec.hostnameOverride, ""
    if pod.spec.subdomain:
        return name, f"{name}.{pod.spec.subdomain}.{pod.metadata.namespace}.svc.{domain}"
    return name, ""


def hosts_file(pod: core_v1.Pod, ips: Sequence[str], domain: str, node_hosts: str) -> str:
    """/etc/hosts of the pod's containers; on the node's network it starts from the node's own."""
    if pod.spec.hostNetwork:
        text = _MANAGED_HOST + node_hosts
    else:
        name, qualified = host_name(pod, domain)
        names = f"{qualified}\t{name}" if qualified else name
        text = _MANAGED + _COMMON + "".join(f"{ip}\t{names}\n" for ip in ips)
    if pod.spec.hostAliases:
        text += "\n# Entries added by HostAliases.\n"
        text += "".join(f"{alias.ip}\t" + "\t".join(alias.hostnames) + "\n" for alias in pod.spec.hostAliases)
    return text


def dns(pod: core_v1.Pod, node: resolvers.Resolver, *, cluster_dns: Sequence[str], domain: str) -> protocol.DNS:
    """By dnsPolicy; ClusterFirst is the node's while the cluster has no DNS of its own."""
    policy = pod.spec.dnsPolicy or "ClusterFirst"
    servers: list[str] = []
    searches: list[str] = []
    options: list[str] = []
    cluster = policy == "ClusterFirstWithHostNet" or (policy == "ClusterFirst" and not pod.spec.hostNetwork)
    if cluster and cluster_dns:
        namespace = pod.metadata.namespace
        servers = list(cluster_dns)
        searches = [f"{namespace}.svc.{domain}", f"svc.{domain}", domain, *node.searches]
        options = ["ndots:5"]
    elif policy != "None":
        servers, searches, options = list(node.servers), list(node.searches), list(node.options)
    if (extra := pod.spec.dnsConfig) is not None:
        servers += extra.nameservers
        searches += extra.searches
        given = {option.name for option in extra.options}
        options = [option for option in options if option.split(":")[0] not in given]
        options += [
            option.name if option.value is None else f"{option.name}:{option.value}" for option in extra.options
        ]
    return protocol.DNS(
        servers=list(dict.fromkeys(servers))[:MAX_NAMESERVERS],
        searches=list(dict.fromkeys(searches))[:MAX_SEARCHES],
        options=options,
    )
