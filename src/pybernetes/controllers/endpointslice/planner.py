"""Which EndpointSlices a Service should have: pure, pods and slices in, changes out.

Endpoints stay in the slice they are in; what is new fills slices that change anyway, then the fullest one that has
room for all of it, then new ones. So a change of one pod writes one slice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from pybernetes.api import codecs, names
from pybernetes.api.types import core_v1, discovery_v1, meta_v1
from pybernetes.controllers import owners, pods, services
from pybernetes.controllers.endpointslice import topology as topologies
from pybernetes.informers import key_of

MANAGER = "endpointslice-controller.k8s.io"
MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
SERVICE_NAME = "kubernetes.io/service-name"
LIMIT = 100
_RESERVED = frozenset((MANAGED_BY, SERVICE_NAME, services.HEADLESS_LABEL))

Slices = list[discovery_v1.EndpointSlice]
PortKey = tuple[tuple[str, str, int, str], ...]


@dataclass(slots=True)
class Plan:
    """What to write."""

    create: Slices = field(default_factory=list)
    update: Slices = field(default_factory=list)
    delete: Slices = field(default_factory=list)
    events: list[topologies.Event] = field(default_factory=list)


@dataclass(slots=True)
class _Group:
    """The endpoints that have the same ports, by the pod's uid."""

    ports: list[discovery_v1.EndpointPort]
    endpoints: dict[str, discovery_v1.Endpoint] = field(default_factory=dict)


def plan(
    service: core_v1.Service,
    selected: Iterable[core_v1.Pod],
    existing: Slices,
    nodes: Mapping[str, core_v1.Node],
    topology: topologies.Topology,
    *,
    limit: int = LIMIT,
) -> Plan:
    """The changes that bring the existing slices in line; none holds more endpoints than the limit."""
    result = Plan()
    selected = list(selected)
    families = services.families(service)
    result.delete = [one for one in existing if one.addressType not in families]
    for family in families:
        of_family = [one for one in existing if one.addressType == family]
        planned = Plan()
        _plan_family(planned, service, family, _groups(service, selected, nodes, family), of_family, limit)
        _hint(planned, service, family, of_family, topology)
        result.create += planned.create
        result.update += planned.update
        result.delete += planned.delete
        result.events += planned.events
    return result


def _hint(
    planned: Plan, service: core_v1.Service, family: str, existing: Slices, topology: topologies.Topology
) -> None:
    """Have the slices of a family say which zones and nodes they are for."""
    touched = {one.metadata.name for one in (*planned.update, *planned.delete)}
    changes = topologies.Changes(
        planned.create, planned.update, [one for one in existing if one.metadata.name not in touched]
    )
    key = key_of(service)
    if topologies.is_auto(service):
        topology.spread(changes, key, family)
    else:
        if topology.forget(key, family):
            message = f"{topologies.DISABLED}, addressType: {family}"
            changes.events.append(("Warning", "TopologyAwareHintsDisabled", message))
        if topologies.is_close(service):
            topologies.close(changes, service)
        else:
            topologies.clear(changes)
    planned.update, planned.events = changes.update, changes.events


def _plan_family(
    result: Plan,
    service: core_v1.Service,
    family: str,
    groups: dict[PortKey, _Group],
    existing: Slices,
    limit: int,
) -> None:
    by_ports: dict[PortKey, Slices] = {}
    stale: Slices = []
    for one in existing:
        if owners.is_controlled_by(one, service):
            by_ports.setdefault(port_key(one.ports), []).append(one)
        else:
            stale.append(one)
    created: Slices = []
    for key, group in groups.items():
        created += _plan_group(result, service, family, group, by_ports.pop(key, []), stale, limit)
    for slices in by_ports.values():
        stale += slices
    if len(stale) == len(existing) and not created:
        # A Service keeps at least one slice, so that it can be told from one nobody has looked at yet.
        placeholder = _new_slice(service, family, [])
        if len(stale) == 1 and not stale[0].endpoints and not stale[0].ports and _labels_right(stale[0], service):
            stale = []
        else:
            created.append(placeholder)
    if created and stale:
        # Write over what would go instead of deleting and creating.
        created, stale = _reuse(result, service, created, stale)
    result.create += created
    result.delete += stale


def _reuse(result: Plan, service: core_v1.Service, created: Slices, stale: Slices) -> tuple[Slices, Slices]:
    usable = [one for one in stale if owners.is_controlled_by(one, service)]
    for fresh, old in zip(created, usable, strict=False):
        copy = codecs.copy(old)
        copy.ports, copy.endpoints, copy.metadata.labels = fresh.ports, fresh.endpoints, fresh.metadata.labels
        result.update.append(copy)
    used = {id(one) for one in usable[: len(created)]}
    return created[len(usable) :], [one for one in stale if id(one) not in used]


def _plan_group(
    result: Plan,
    service: core_v1.Service,
    family: str,
    group: _Group,
    existing: Slices,
    stale: Slices,
    limit: int,
) -> Slices:
    missing = dict(group.endpoints)
    changed: Slices = []
    unchanged: Slices = []
    for one in existing:
        kept = [_kept(endpoint, missing.pop(uid)) for endpoint in one.endpoints if (uid := _uid(endpoint)) in missing]
        if kept == one.endpoints and _labels_right(one, service):
            unchanged.append(one)
            continue
        copy = codecs.copy(one)
        copy.endpoints = kept
        copy.metadata.labels = _labels(service)
        changed.append(copy)
    left = list(missing.values())
    for one in changed:
        room = limit - len(one.endpoints)
        one.endpoints += left[:room]
        left = left[room:]
    if left and len(left) < limit:
        fitting = [one for one in unchanged if len(one.endpoints) + len(left) <= limit]
        if fitting:
            copy = codecs.copy(max(fitting, key=lambda one: len(one.endpoints)))
            copy.endpoints += left
            changed.append(copy)
            left = []
    for one in changed:
        (result.update if one.endpoints else stale).append(one)
    created = []
    for start in range(0, len(left), limit):
        fresh = _new_slice(service, family, group.ports)
        fresh.endpoints = left[start : start + limit]
        created.append(fresh)
    return created


def _kept(old: discovery_v1.Endpoint, fresh: discovery_v1.Endpoint) -> discovery_v1.Endpoint:
    """The endpoint as it is now, with the hints that it has."""
    return old if topologies.same_but_for_hints(old, fresh) else fresh


def _groups(
    service: core_v1.Service, selected: list[core_v1.Pod], nodes: Mapping[str, core_v1.Node], family: str
) -> dict[PortKey, _Group]:
    groups: dict[PortKey, _Group] = {}
    for pod in selected:
        if not services.serves(pod, terminating=True):
            continue
        found = services.addresses(pod, family)
        if not found:
            continue
        ports = _ports(service, pod)
        group = groups.setdefault(port_key(ports), _Group(ports))
        group.endpoints[pod.metadata.uid] = _endpoint(service, pod, found, nodes.get(pod.spec.nodeName))
    return groups


def _endpoint(
    service: core_v1.Service, pod: core_v1.Pod, found: list[str], node: core_v1.Node | None
) -> discovery_v1.Endpoint:
    serving = pods.is_ready(pod)
    terminating = pod.metadata.deletionTimestamp is not None
    zone = node.metadata.labels.get(topologies.ZONE) if node is not None else None
    return discovery_v1.Endpoint(
        addresses=found,
        conditions=discovery_v1.EndpointConditions(
            ready=service.spec.publishNotReadyAddresses or (serving and not terminating),
            serving=serving,
            terminating=terminating,
        ),
        targetRef=core_v1.ObjectReference(
            kind="Pod", namespace=pod.metadata.namespace, name=pod.metadata.name, uid=pod.metadata.uid
        ),
        nodeName=pod.spec.nodeName or None,
        zone=zone or None,
        hostname=pod.spec.hostname if services.sets_hostname(service, pod) else None,
    )


def _ports(service: core_v1.Service, pod: core_v1.Pod) -> list[discovery_v1.EndpointPort]:
    found = []
    for port in service.spec.ports:
        number = services.find_port(pod, port)
        if number is not None:
            found.append(
                discovery_v1.EndpointPort(
                    name=port.name, port=number, protocol=port.protocol or "TCP", appProtocol=port.appProtocol
                )
            )
    return found


def port_key(ports: list[discovery_v1.EndpointPort]) -> PortKey:
    """Equal for slices that may share endpoints."""
    return tuple(sorted((p.name or "", p.protocol or "", p.port or 0, p.appProtocol or "") for p in ports))


def service_key(one: discovery_v1.EndpointSlice) -> str:
    """The Service that a slice says it belongs to, as `namespace/name`."""
    return f"{one.metadata.namespace}/{one.metadata.labels.get(SERVICE_NAME, '')}"


def _uid(endpoint: discovery_v1.Endpoint) -> str:
    return endpoint.targetRef.uid if endpoint.targetRef is not None else ""


def _labels(service: core_v1.Service) -> dict[str, str]:
    labels = {key: value for key, value in service.metadata.labels.items() if key not in _RESERVED}
    labels[SERVICE_NAME] = service.metadata.name
    labels[MANAGED_BY] = MANAGER
    if services.is_headless(service):
        labels[services.HEADLESS_LABEL] = ""
    return labels


def _labels_right(one: discovery_v1.EndpointSlice, service: core_v1.Service) -> bool:
    return one.metadata.labels == _labels(service)


def _new_slice(
    service: core_v1.Service, family: str, ports: list[discovery_v1.EndpointPort]
) -> discovery_v1.EndpointSlice:
    prefix = f"{service.metadata.name}-"
    if names.dns_subdomain(f"{prefix}x"):
        prefix = service.metadata.name
    return discovery_v1.EndpointSlice(
        metadata=meta_v1.ObjectMeta(
            generateName=prefix,
            namespace=service.metadata.namespace,
            labels=_labels(service),
            ownerReferences=[owners.reference_to(service)],
        ),
        addressType=family,
        ports=ports,
    )
