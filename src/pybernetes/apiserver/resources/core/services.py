"""Services. Addresses and node ports are allocated by the endpoints; the rules of the fields are here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pybernetes.api import names
from pybernetes.api.types import core_v1
from pybernetes.apiserver.resources import cells, kind
from pybernetes.apiserver.resources.core import service_validation


def default(service: core_v1.Service) -> None:
    spec = service.spec
    spec.sessionAffinity = spec.sessionAffinity or "None"
    if spec.sessionAffinity == "None":
        spec.sessionAffinityConfig = None
    elif spec.sessionAffinity == "ClientIP":
        config = spec.sessionAffinityConfig
        if config is None or config.clientIP is None or config.clientIP.timeoutSeconds is None:
            client = core_v1.ClientIPConfig(timeoutSeconds=10800)
            spec.sessionAffinityConfig = core_v1.SessionAffinityConfig(clientIP=client)
    spec.type = spec.type or "ClusterIP"
    for port in spec.ports:
        port.protocol = port.protocol or "TCP"
        port.targetPort = port.targetPort or port.port
    if service_validation.externally_accessible(spec) and not spec.externalTrafficPolicy:
        spec.externalTrafficPolicy = "Cluster"
    if spec.internalTrafficPolicy is None and spec.type in ("ClusterIP", "NodePort", "LoadBalancer"):
        spec.internalTrafficPolicy = "Cluster"
    if spec.type == "LoadBalancer":
        if spec.allocateLoadBalancerNodePorts is None:
            spec.allocateLoadBalancerNodePorts = True
        for ingress in service.status.loadBalancer.ingress:
            if ingress.ip and ingress.ipMode is None:
                ingress.ipMode = "VIP"


def prepare_create(service: core_v1.Service) -> None:
    _normalize(service.spec)


def _normalize(spec: core_v1.ServiceSpec) -> None:
    """clusterIP is the first of clusterIPs; old clients state only the former."""
    if spec.clusterIP and not spec.clusterIPs:
        spec.clusterIPs = [spec.clusterIP]


def prepare_update(new: core_v1.Service, old: core_v1.Service) -> None:
    _carry_allocated(new.spec, old.spec)
    _drop_with_type(new, old)
    if new.spec.clusterIP != old.spec.clusterIP and new.spec.clusterIPs == old.spec.clusterIPs:
        # An old client changed the only one of the two fields that it knows.
        new.spec.clusterIPs = [new.spec.clusterIP] if new.spec.clusterIP else []
    _normalize(new.spec)


def _needs_address(spec: core_v1.ServiceSpec) -> bool:
    return spec.type in ("ClusterIP", "NodePort", "LoadBalancer")


def _needs_node_port(spec: core_v1.ServiceSpec) -> bool:
    return spec.type == "NodePort" or (spec.type == "LoadBalancer" and spec.allocateLoadBalancerNodePorts is not False)


def _carry_allocated(new: core_v1.ServiceSpec, old: core_v1.ServiceSpec) -> None:
    """What was allocated stays where the writer did not state it: a client's file need not know it."""
    if _needs_address(old) and _needs_address(new):
        new.clusterIP = new.clusterIP or old.clusterIP
        new.clusterIPs = new.clusterIPs or list(old.clusterIPs)
        new.ipFamilies = new.ipFamilies or list(old.ipFamilies)
        new.ipFamilyPolicy = new.ipFamilyPolicy or old.ipFamilyPolicy
    if _needs_node_port(old) and _needs_node_port(new):
        kept = {port.nodePort for port in old.ports} & {port.nodePort for port in new.ports}
        had = {port.name: port.nodePort for port in old.ports}
        for port in new.ports:
            if not port.nodePort and had.get(port.name, 0) not in kept:
                port.nodePort = had.get(port.name, 0)
    if service_validation.needs_health_check(old) and service_validation.needs_health_check(new):
        new.healthCheckNodePort = new.healthCheckNodePort or old.healthCheckNodePort


def _drop_with_type(new_service: core_v1.Service, old_service: core_v1.Service) -> None:
    """A change of type takes the fields with it that only the old type has, unless they were changed too."""
    new, old = new_service.spec, old_service.spec
    if _needs_address(old) and not _needs_address(new):
        if (new.clusterIP, new.clusterIPs) == (old.clusterIP, old.clusterIPs):
            new.clusterIP, new.clusterIPs = "", []
        if new.ipFamilies == old.ipFamilies:
            new.ipFamilies = []
        if new.ipFamilyPolicy == old.ipFamilyPolicy:
            new.ipFamilyPolicy = None
    if _needs_node_port(old) and not _needs_node_port(new):
        before = {(port.protocol, port.port): port.nodePort for port in old.ports}
        if all(port.nodePort in (0, before.get((port.protocol, port.port))) for port in new.ports):
            for port in new.ports:
                port.nodePort = 0
    health = service_validation.needs_health_check
    if health(old) and not health(new) and new.healthCheckNodePort == old.healthCheckNodePort:
        new.healthCheckNodePort = 0
    if old.type == "LoadBalancer" and new.type != "LoadBalancer":
        if new.allocateLoadBalancerNodePorts == old.allocateLoadBalancerNodePorts:
            new.allocateLoadBalancerNodePorts = None
        if new.loadBalancerClass == old.loadBalancerClass:
            new.loadBalancerClass = None
    external = service_validation.externally_accessible
    if external(old) and not external(new) and new.externalTrafficPolicy == old.externalTrafficPolicy:
        new.externalTrafficPolicy = ""
    if new.type != "LoadBalancer" and new_service.status.loadBalancer.ingress:
        # A new status, as the one at hand may still be the stored object's.
        new_service.status = core_v1.ServiceStatus(conditions=new_service.status.conditions)


def row(service: core_v1.Service, now: float) -> Sequence[kind.Cell]:
    spec = service.spec
    ports = ",".join(
        f"{port.port}:{port.nodePort}/{port.protocol}" if port.nodePort else f"{port.port}/{port.protocol}"
        for port in spec.ports
    )
    return (
        service.metadata.name,
        spec.type,
        spec.clusterIPs[0] if spec.clusterIPs else "<none>",
        _external(service),
        ports or "<none>",
        cells.age(service.metadata, now),
        cells.labels(spec.selector),
    )


def _external(service: core_v1.Service) -> str:
    spec = service.spec
    if spec.type == "ExternalName":
        return spec.externalName
    addresses = list(spec.externalIPs)
    if spec.type == "LoadBalancer":
        balanced = sorted({i.ip or i.hostname for i in service.status.loadBalancer.ingress} - {""})
        return ",".join(balanced + addresses) or "<pending>"
    return ",".join(addresses) or "<none>"


def warnings(service: core_v1.Service) -> Sequence[str]:
    spec = service.spec
    texts = []
    if spec.externalIPs:
        texts.append("spec.externalIPs is deprecated and may no longer be implemented in some clusters")
    if spec.trafficDistribution == "PreferClose":
        texts.append('spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"')
    return texts


def selectable(service: core_v1.Service) -> Mapping[str, str]:
    return {"spec.clusterIP": service.spec.clusterIP, "spec.type": service.spec.type}


KIND: kind.Kind[core_v1.Service] = kind.Kind(
    resource=kind.resource("", "v1", "services"),
    default=default,
    prepare_create=prepare_create,
    prepare_update=prepare_update,
    validate=service_validation.validate,
    validate_update=service_validation.validate_update,
    validate_status=service_validation.validate_status,
    warnings=warnings,
    check_name=names.dns_label,
    has_status=True,
    columns=(
        kind.NAME,
        kind.Column("Type"),
        kind.Column("Cluster-IP"),
        kind.Column("External-IP"),
        kind.Column("Port(s)"),
        kind.AGE,
        kind.Column("Selector", priority=1),
    ),
    row=row,
    field_labels=("spec.clusterIP", "spec.type"),
    selectable=selectable,
)
