"""One Service and its EndpointSlices -> its share of the rules. Pure: text in nft's language, keyed for diffing.

    service-ips      (address, protocol, port) -> the Service's chain
    service-nodeports           (protocol, port) -> the Service's external chain
    no-endpoints...  the same keys, for Services that nobody answers: reject, or drop where the policy is Local
    firewall-ips     load balancer addresses that only some sources may use

A chain `svc-X` spreads over the endpoint chains `ep-X`; `svl-X` does so over the endpoints of this node; `ext-X` is
where traffic from outside enters, and decides on masquerading.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from pybernetes.api.types import core_v1, discovery_v1
from pybernetes.proxy import endpoints

SERVICE_IPS = "service-ips"
SERVICE_NODEPORTS = "service-nodeports"
NO_ENDPOINT_SERVICES = "no-endpoint-services"
NO_ENDPOINT_NODEPORTS = "no-endpoint-nodeports"
FIREWALL_IPS = "firewall-ips"
MARK = "mark-for-masquerade"
REJECT = "reject-chain"
AFFINITY_SECONDS = 10800


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """`cluster_cidr` holds all pods; empty where that is not known, and then nobody counts as from outside.
    `masquerade_local`: the kernel does not see bridged replies, so that pods must not talk past their Service."""

    node_name: str
    cluster_cidr: str
    masquerade_local: bool = False


@dataclass(slots=True)
class Share:
    """What one Service contributes: chains (name -> rules), map elements (map -> key -> verdict), sets (name -> body).

    `udp` is (address, port, endpoints) of UDP ports, for the connections that the kernel remembers.
    """

    chains: dict[str, tuple[str, ...]] = field(default_factory=dict)
    elements: dict[tuple[str, str], str] = field(default_factory=dict)
    sets: dict[str, str] = field(default_factory=dict)
    udp: dict[tuple[str, int], frozenset[endpoints.Endpoint]] = field(default_factory=dict)


def is_proxied(service: core_v1.Service) -> bool:
    """Headless Services, external names and those of another proxy are not ours."""
    labels = service.metadata.labels
    if "service.kubernetes.io/service-proxy-name" in labels:
        return False
    return service.spec.type != "ExternalName" and service.spec.clusterIP not in ("", "None")


def plan(service: core_v1.Service, slices: Iterable[discovery_v1.EndpointSlice], options: Options) -> Share:
    """The Service's share; an empty one when it is not proxied."""
    share = Share()
    if not is_proxied(service):
        return share
    slices = list(slices)
    for port in service.spec.ports:
        _Port(service, port, endpoints.choose(slices, port, options.node_name), options, share).plan()
    return share


def _v4(addresses: Iterable[str]) -> list[str]:
    found = []
    for address in addresses:
        try:
            found.append(str(ipaddress.IPv4Address(address)))
        except ValueError:
            continue
    return found


class _Port:
    """One port of a Service."""

    def __init__(
        self,
        service: core_v1.Service,
        port: core_v1.ServicePort,
        choice: endpoints.Choice,
        options: Options,
        share: Share,
    ) -> None:
        self._service, self._port, self._choice = service, port, choice
        self._options, self._share = options, share
        self._protocol = (port.protocol or "TCP").lower()
        meta = service.metadata
        self._shown = f"{meta.namespace}/{meta.name}/{self._protocol}/{port.name}"
        self._id = _hash(self._shown)

    def plan(self) -> None:
        spec = self._service.spec
        internal_local = spec.internalTrafficPolicy == "Local"
        external_local = spec.externalTrafficPolicy == "Local"
        cluster_ips = _v4(spec.clusterIPs or [spec.clusterIP])
        outside = _v4(spec.externalIPs)
        balanced = _v4(ingress.ip for ingress in self._service.status.loadBalancer.ingress if ingress.ipMode != "Proxy")
        for ip in cluster_ips:
            verdict = self._internal(internal_local)
            self._map(SERVICE_IPS, NO_ENDPOINT_SERVICES, ip, verdict, local=internal_local)
        for ip in [*outside, *balanced]:
            self._map(SERVICE_IPS, NO_ENDPOINT_SERVICES, ip, self._external(external_local), local=external_local)
        for ip in balanced:
            self._firewall(ip)
        if self._port.nodePort:
            verdict = self._external(external_local)
            key = f"{self._protocol} . {self._port.nodePort}"
            if verdict:
                self._share.elements[SERVICE_NODEPORTS, key] = verdict
            else:
                self._share.elements[NO_ENDPOINT_NODEPORTS, key] = self._nobody(external_local)
        if self._protocol == "udp":
            for ip in [*cluster_ips, *outside, *balanced]:
                self._share.udp[ip, self._port.port] = frozenset(self._choice.cluster)
            if self._port.nodePort:
                self._share.udp["", self._port.nodePort] = frozenset(self._choice.cluster)

    def _map(self, services: str, nobody: str, ip: str, verdict: str, *, local: bool) -> None:
        key = f"{ip} . {self._protocol} . {self._port.port}"
        if verdict:
            self._share.elements[services, key] = verdict
        else:
            self._share.elements[nobody, key] = self._nobody(local)

    def _nobody(self, local: bool) -> str:
        """A Service without endpoints refuses; one that has them elsewhere only must look as if the node were gone."""
        return "drop" if local and self._choice.exist else f"goto {REJECT}"

    def _internal(self, local: bool) -> str:
        targets = self._choice.local if local else self._choice.cluster
        if not targets:
            return ""
        name = f"svl-{self._id}" if local else f"svc-{self._id}"
        self._spread(name, targets)
        first = []
        outside = f" ip saddr != {self._options.cluster_cidr}" if self._options.cluster_cidr else ""
        if self._options.masquerade_local or outside:
            source = "" if self._options.masquerade_local else outside
            for ip in _v4(self._service.spec.clusterIPs or [self._service.spec.clusterIP]):
                match = f"ip daddr {ip} {self._protocol} dport {self._port.port}"
                first.append(f"{match}{source} jump {MARK}")
        self._share.chains[name] = (*first, *(r for r in self._share.chains[name] if r not in first))
        return f"goto {name}"

    def _external(self, local: bool) -> str:
        targets = self._choice.local if local else self._choice.cluster
        if not targets and not (local and self._choice.cluster):
            return ""
        name = f"ext-{self._id}"
        if not local:
            self._spread(f"svc-{self._id}", self._choice.cluster)
            self._share.chains[name] = (f"jump {MARK}", f"goto svc-{self._id}")
            return f"goto {name}"
        # The cluster itself may use all endpoints by the outside address; outsiders keep their source address.
        self._spread(f"svc-{self._id}", self._choice.cluster)
        cluster = self._options.cluster_cidr
        rules = [
            *([f"ip saddr {cluster} goto svc-{self._id}"] if cluster else []),
            f"fib saddr type local jump {MARK}",
            f"fib saddr type local goto svc-{self._id}",
        ]
        if targets:
            self._spread(f"svl-{self._id}", targets)
            rules.append(f"goto svl-{self._id}")
        else:
            rules.append("drop")
        self._share.chains[name] = tuple(rules)
        return f"goto {name}"

    def _spread(self, name: str, targets: Sequence[endpoints.Endpoint]) -> None:
        if name in self._share.chains:
            return
        rules = []
        chains = [self._endpoint(target) for target in targets]
        if self._affinity():
            rules += [f"ip saddr @{chain}-clients goto {chain}" for chain in chains]
        verdicts = ", ".join(f"{at} : goto {chain}" for at, chain in enumerate(chains))
        rules.append(f"numgen random mod {len(chains)} vmap {{ {verdicts} }}")
        self._share.chains[name] = tuple(rules)

    def _affinity(self) -> int:
        """Seconds, 0 for none."""
        if self._service.spec.sessionAffinity != "ClientIP":
            return 0
        config = self._service.spec.sessionAffinityConfig
        if config is None or config.clientIP is None or config.clientIP.timeoutSeconds is None:
            return AFFINITY_SECONDS
        return config.clientIP.timeoutSeconds

    def _endpoint(self, target: endpoints.Endpoint) -> str:
        name = f"ep-{_hash(f'{self._shown}/{target.ip}:{target.port}')}"
        # A pod that reaches itself through its Service must see another source, or it would answer itself directly.
        rules = [f"ip saddr {target.ip} jump {MARK}"]
        if seconds := self._affinity():
            clients = f"{name}-clients"
            self._share.sets[clients] = f"type ipv4_addr; flags dynamic,timeout; timeout {seconds}s;"
            rules.append(f"update @{clients} {{ ip saddr }}")
        rules.append(f"meta l4proto {self._protocol} dnat to {target.ip}:{target.port}")
        self._share.chains[name] = tuple(rules)
        return name

    def _firewall(self, ip: str) -> None:
        ranges = [text.strip() for text in self._service.spec.loadBalancerSourceRanges]
        allowed = sorted({str(ipaddress.IPv4Network(text, strict=False)) for text in ranges if ":" not in text})
        if not allowed or "0.0.0.0/0" in allowed:
            return
        name = f"fw-{self._id}"
        self._share.chains[name] = (f"ip saddr != {{ {', '.join(allowed)} }} drop",)
        self._share.elements[FIREWALL_IPS, f"{ip} . {self._protocol} . {self._port.port}"] = f"goto {name}"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
