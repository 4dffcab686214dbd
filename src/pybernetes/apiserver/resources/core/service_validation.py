"""Validation of Services."""

from __future__ import annotations

import ipaddress

from pybernetes.api import fields, names
from pybernetes.api.types import core_v1
from pybernetes.apiserver.resources import checks
from pybernetes.apiserver.resources.core import pod_validation

_SPEC = fields.Path("spec")
_TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
_PROTOCOLS = ("SCTP", "TCP", "UDP")
_CIDR = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
_DAY = 86400
_ONCE = "may not change once set"


def externally_accessible(spec: core_v1.ServiceSpec) -> bool:
    """Reached from outside the cluster one way or another."""
    return spec.type in ("LoadBalancer", "NodePort") or (spec.type == "ClusterIP" and bool(spec.externalIPs))


def needs_health_check(spec: core_v1.ServiceSpec) -> bool:
    return spec.type == "LoadBalancer" and spec.externalTrafficPolicy == "Local"


def is_headless(spec: core_v1.ServiceSpec) -> bool:
    return len(spec.clusterIPs) == 1 and spec.clusterIPs[0] == "None"


def validate(service: core_v1.Service) -> checks.Errors:
    spec = service.spec
    problems: checks.Errors = []
    headless = is_headless(spec)
    if not spec.ports and not headless and spec.type != "ExternalName":
        problems.append(fields.required(_SPEC["ports"]))
    if headless and spec.type in ("LoadBalancer", "NodePort"):
        words = f"may not be set to 'None' for {spec.type} services"
        problems.append(fields.invalid(_SPEC["clusterIPs"][0], "None", words))
    if spec.type == "ExternalName":
        problems += _external_name(spec)
    problems += _ports(spec)
    problems += checks.labels(spec.selector, _SPEC["selector"])
    problems += checks.required_one_of(spec.sessionAffinity, ("ClientIP", "None"), _SPEC["sessionAffinity"])
    problems += _affinity(spec)
    if spec.type != "ExternalName":
        problems += validate_addresses(spec)
    for index, address in enumerate(spec.externalIPs):
        at = _SPEC["externalIPs"][index]
        problems += pod_validation.ip(address, at) or endpoint_ip(address, at)
    problems += checks.required_one_of(spec.type, _TYPES, _SPEC["type"])
    return problems + _balancing(spec) + _traffic(spec)


def _external_name(spec: core_v1.ServiceSpec) -> checks.Errors:
    problems = [
        fields.forbidden(_SPEC[name], "may not be set for ExternalName services")
        for name in ("clusterIPs", "ipFamilies", "ipFamilyPolicy")
        if getattr(spec, name)
    ]
    name = spec.externalName.removesuffix(".")
    if not name:
        return [*problems, fields.required(_SPEC["externalName"])]
    return problems + checks.named(name, names.dns_subdomain, _SPEC["externalName"])


def _ports(spec: core_v1.ServiceSpec) -> checks.Errors:
    problems: checks.Errors = []
    seen_names: set[str] = set()
    node_ports: set[tuple[str, int]] = set()
    ports: set[tuple[str, int]] = set()
    later: checks.Errors = []
    for index, port in enumerate(spec.ports):
        at = _SPEC["ports"][index]
        if not port.name:
            if len(spec.ports) > 1:
                problems.append(fields.required(at["name"]))
        else:
            problems += checks.named(port.name, names.dns_label, at["name"])
            if port.name in seen_names:
                problems.append(fields.duplicate(at["name"], port.name))
            seen_names.add(port.name)
        problems += checks.port(port.port, at["port"])
        problems += checks.required_one_of(port.protocol, _PROTOCOLS, at["protocol"])
        problems += checks.port_or_name(port.targetPort, at["targetPort"])
        if port.appProtocol is not None:
            problems += checks.named(port.appProtocol, names.qualified_name, at["appProtocol"])
        if port.nodePort:
            if spec.type == "ClusterIP":
                words = "may not be used when `type` is 'ClusterIP'"
                later.append(fields.forbidden(at["nodePort"], words))
            if (port.protocol, port.nodePort) in node_ports:
                later.append(fields.duplicate(at["nodePort"], port.nodePort))
            node_ports.add((port.protocol, port.nodePort))
        if (port.protocol, port.port) in ports:
            shown = {"port": port.port, "protocol": port.protocol}
            later.append(fields.duplicate(at, shown))
        ports.add((port.protocol, port.port))
    return problems + later


def _affinity(spec: core_v1.ServiceSpec) -> checks.Errors:
    path, config = _SPEC["sessionAffinityConfig"], spec.sessionAffinityConfig
    if spec.sessionAffinity == "None":
        words = "must not be set when session affinity is None"
        return [fields.forbidden(path, words)] if config is not None else []
    if spec.sessionAffinity != "ClientIP":
        return []
    words = "when session affinity type is ClientIP"
    if config is None:
        return [fields.required(path, words)]
    if config.clientIP is None:
        return [fields.required(path["clientIP"], words)]
    seconds = config.clientIP.timeoutSeconds
    if seconds is None:
        return [fields.required(path["clientIP"]["timeoutSeconds"], words)]
    if not 0 < seconds <= _DAY:
        words = f"must be greater than 0 and less than {_DAY}"
        return [fields.invalid(path["clientIP"]["timeoutSeconds"], seconds, words)]
    return []


def validate_addresses(spec: core_v1.ServiceSpec) -> checks.Errors:
    """Cluster IPs and families, of services that have them; also before they are allocated."""
    problems: checks.Errors = []
    path = _SPEC["clusterIPs"]
    if spec.clusterIP:
        if not spec.clusterIPs:
            problems.append(fields.required(path))
        elif spec.clusterIPs[0] != spec.clusterIP:
            problems.append(fields.invalid(path, spec.clusterIPs, "first value must match `clusterIP`"))
    elif spec.clusterIPs:
        words = "must be empty when `clusterIP` is not specified"
        problems.append(fields.invalid(path, spec.clusterIPs, words))
    for index, family in enumerate(spec.ipFamilies):
        at = _SPEC["ipFamilies"][index]
        problems += checks.one_of(family, ("IPv4", "IPv6"), at)
        if family in spec.ipFamilies[:index]:
            problems.append(fields.duplicate(at, family))
    if spec.ipFamilyPolicy is not None:
        policies = ("PreferDualStack", "RequireDualStack", "SingleStack")
        problems += checks.one_of(spec.ipFamilyPolicy, policies, _SPEC["ipFamilyPolicy"])
    broken = False
    for index, address in enumerate(spec.clusterIPs):
        if index == 0 and address == "None":
            if len(spec.clusterIPs) > 1:
                broken = True
                problems.append(fields.invalid(path, spec.clusterIPs, "'None' must be the first and only value"))
            continue
        wrong = pod_validation.ip(address, path[index])
        broken = broken or bool(wrong)
        problems += wrong
    if len(spec.clusterIPs) > 2:
        problems.append(fields.invalid(path, spec.clusterIPs, "may only hold up to 2 values"))
    if broken or is_headless(spec):
        return problems
    versions = [ipaddress.ip_address(address).version for address in spec.clusterIPs]
    if len(versions) > 1 and len(set(versions)) != len(versions):
        words = "may specify no more than one IP for each IP family"
        problems.append(fields.invalid(path, spec.clusterIPs, words))
    for index, (version, family) in enumerate(zip(versions, spec.ipFamilies, strict=False)):
        if family in ("IPv4", "IPv6") and family != f"IPv{version}":
            words = f"expected an {family} value as indicated by `ipFamilies[{index}]`"
            problems.append(fields.invalid(path[index], spec.clusterIPs[index], words))
    return problems


def endpoint_ip(address: str, path: fields.Path) -> checks.Errors:
    """An address that traffic can be sent to; it is known to be one."""
    value = ipaddress.ip_address(address)
    shown: list[str] = []
    if value.is_unspecified:
        shown.append(f"may not be unspecified ({value})")
    if value.is_loopback:
        shown.append("may not be in the loopback range (127.0.0.0/8, ::1/128)")
    if value.is_link_local:
        shown.append("may not be in the link-local range (169.254.0.0/16, fe80::/10)")
    if value.is_multicast:
        shown.append("may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)")
    return [fields.invalid(path, address, text) for text in shown]


def _balancing(spec: core_v1.ServiceSpec) -> checks.Errors:
    problems: checks.Errors = []
    only = "may only be used when `type` is 'LoadBalancer'"
    path = _SPEC["LoadBalancerSourceRanges"]
    if spec.loadBalancerSourceRanges and spec.type != "LoadBalancer":
        problems.append(fields.forbidden(path, only))
    for index, value in enumerate(spec.loadBalancerSourceRanges):
        try:
            ipaddress.ip_network(value.strip(), strict=False)
        except ValueError:
            problems.append(fields.invalid(path[index], value, _CIDR))
    allocate = spec.allocateLoadBalancerNodePorts
    if allocate is not None and spec.type != "LoadBalancer":
        problems.append(fields.forbidden(_SPEC["allocateLoadBalancerNodePorts"], only))
    if allocate is None and spec.type == "LoadBalancer":
        problems.append(fields.required(fields.Path("allocateLoadBalancerNodePorts")))
    if spec.loadBalancerClass is not None:
        at = _SPEC["loadBalancerClass"]
        if spec.type != "LoadBalancer":
            problems.append(fields.forbidden(at, only))
        problems += checks.named(spec.loadBalancerClass, names.qualified_name, at)
    return problems


def _traffic(spec: core_v1.ServiceSpec) -> checks.Errors:
    problems: checks.Errors = []
    path, policy = _SPEC["externalTrafficPolicy"], spec.externalTrafficPolicy
    if externally_accessible(spec):
        problems += checks.required_one_of(policy, ("Cluster", "Local"), path)
    elif policy:
        words = "may only be set for externally-accessible services"
        problems.append(fields.invalid(path, policy, words))
    path, port = _SPEC["healthCheckNodePort"], spec.healthCheckNodePort
    if needs_health_check(spec):
        problems += [fields.required(path)] if not port else checks.port(port, path)
    elif port:
        words = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"
        problems.append(fields.invalid(path, port, words))
    internal = spec.internalTrafficPolicy
    if internal is not None:
        problems += checks.one_of(internal, ("Cluster", "Local"), _SPEC["internalTrafficPolicy"])
    elif spec.type in ("ClusterIP", "NodePort", "LoadBalancer"):
        problems.append(fields.required(_SPEC["internalTrafficPolicy"]))
    if spec.trafficDistribution is not None:
        allowed = ("PreferClose", "PreferSameZone", "PreferSameNode")
        problems += checks.one_of(spec.trafficDistribution, allowed, _SPEC["trafficDistribution"], in_order=True)
    return problems


def validate_update(new: core_v1.Service, old: core_v1.Service) -> checks.Errors:
    spec, was = new.spec, old.spec
    problems: checks.Errors = []
    if "ExternalName" not in (spec.type, was.type):
        if not (is_headless(spec) and is_headless(was)):
            problems += _updated_addresses(spec, was)
        if not is_headless(spec) and not is_headless(was):
            problems += _updated_families(spec, was)
    if spec.type == "LoadBalancer" and was.type == "LoadBalancer" and spec.loadBalancerClass != was.loadBalancerClass:
        problems.append(fields.invalid(_SPEC["loadBalancerClass"], spec.loadBalancerClass, _ONCE))
    if needs_health_check(spec) and needs_health_check(was) and spec.healthCheckNodePort != was.healthCheckNodePort:
        problems.append(fields.forbidden(_SPEC["healthCheckNodePort"], "field is immutable"))
    return problems


def _updated_addresses(spec: core_v1.ServiceSpec, was: core_v1.ServiceSpec) -> checks.Errors:
    """The first stays; a second may come and go."""
    path, now, before = _SPEC["clusterIPs"], spec.clusterIPs, was.clusterIPs
    if len(now) == len(before):
        changed = (index for index, pair in enumerate(zip(now, before, strict=True)) if pair[0] != pair[1])
        return [fields.invalid(path[index], now, _ONCE) for index in changed]
    problems: checks.Errors = []
    if not now:
        problems.append(fields.invalid(path[0], now, "primary clusterIP can not be unset"))
    elif before and now[0] != before[0]:
        problems.append(fields.invalid(path[0], now, _ONCE))
    if len(before) > len(now) == 1 and spec.ipFamilyPolicy != "SingleStack":
        words = "must be set to 'SingleStack' when releasing the secondary clusterIP"
        problems.append(fields.invalid(_SPEC["ipFamilyPolicy"], spec.ipFamilyPolicy, words))
    return problems


def _updated_families(spec: core_v1.ServiceSpec, was: core_v1.ServiceSpec) -> checks.Errors:
    path, now, before = _SPEC["ipFamilies"][0], spec.ipFamilies, was.ipFamilies
    if len(now) == len(before):
        return [fields.invalid(path, now, _ONCE) for one, other in zip(now, before, strict=True) if one != other]
    problems: checks.Errors = []
    if now and before and now[0] != before[0]:
        problems.append(fields.invalid(path, spec.clusterIPs, _ONCE))
    if len(before) > len(now) == 1 and spec.ipFamilyPolicy != "SingleStack":
        words = "must be set to 'SingleStack' when releasing the secondary ipFamily"
        problems.append(fields.invalid(_SPEC["ipFamilyPolicy"], spec.ipFamilyPolicy, words))
    return problems


def validate_status(new: core_v1.Service, _: core_v1.Service) -> checks.Errors:
    problems: checks.Errors = []
    path = fields.Path("status")["loadBalancer"]["ingress"]
    if new.spec.type != "LoadBalancer" and new.status.loadBalancer.ingress:
        words = "may only be used when `spec.type` is LoadBalancer"
        return [fields.forbidden(path, words)]
    for index, ingress in enumerate(new.status.loadBalancer.ingress):
        if ingress.ip:
            problems += pod_validation.ip(ingress.ip, path[index]["ip"])
        if ingress.ipMode is not None:
            problems += checks.one_of(ingress.ipMode, ("Proxy", "VIP"), path[index]["ipMode"])
            if not ingress.ip:
                words = "may not be specified when `ip` is not set"
                problems.append(fields.forbidden(path[index]["ipMode"], words))
        elif ingress.ip:
            problems.append(fields.required(path[index]["ipMode"], "must be specified when `ip` is set"))
        if ingress.hostname:
            problems += checks.named(ingress.hostname, names.dns_subdomain, path[index]["hostname"])
    return problems
