"""What a new cluster begins with: system namespaces, RBAC policy, priority classes, flow control, the `kubernetes`
service, and an APIService for each version served."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from pybernetes import client as clients
from pybernetes.api import codecs, errors, scheme
from pybernetes.api.types import apiregistration_v1, core_v1, discovery_v1, meta_v1, scheduling_v1
from pybernetes.apiserver import settings as settings_
from pybernetes.apiserver.authn import legacy_tokens, trust
from pybernetes.apiserver.authz import bootstrap
from pybernetes.apiserver.resources.apiregistration import local
from pybernetes.apiserver.resources.flowcontrol import mandatory
from pybernetes.kits import clock as clocks

# How long another API server may take for what both make at their start.
APPEARS_SECONDS = 10.0
NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")
PRIORITY_CLASSES = (
    (
        "system-node-critical",
        2_000_001_000,
        "Used for system critical pods that must not be moved from their current node.",
    ),
    (
        "system-cluster-critical",
        2_000_000_000,
        "Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.",
    ),
)


async def run(
    client: clients.Client,
    settings: settings_.Settings,
    served: Collection[tuple[str, str, str]],
    *,
    clock: clocks.Clock,
) -> None:
    """Create what is missing, and bring the bootstrap policy up to date. Safe to run at every start.

    `served` are the (group, version, resource) that are; what has no place among them is left out.
    """

    def among(objects: Iterable[Any]) -> Iterator[Any]:
        for obj in objects:
            of: type = type(obj)
            resource = scheme.by_type(of)
            if (resource.group, resource.version, resource.name) in served:
                yield obj

    versions = {(group, version) for group, version, _ in served}
    await asyncio.gather(*(ensure(client, obj) for obj in among(map(_namespace, NAMESPACES))))
    policy = [
        *bootstrap.cluster_roles(served),
        *bootstrap.cluster_role_bindings(served),
        *bootstrap.roles(),
        *bootstrap.role_bindings(),
    ]
    others = [
        legacy_tokens.tracking(clock.time()),
        *(_priority_class(*row) for row in PRIORITY_CLASSES),
        *_flow_control(versions),
    ]
    who = settings.authentication
    trusted = trust.data(who.client_ca, who.proxy) if ("", "v1", "configmaps") in served else {}
    await asyncio.gather(
        trust.write(client, trusted),
        *(_reconcile(client, obj) for obj in among(policy)),
        *(ensure(client, obj) for obj in among(others)),
        *(_ensure_service(client, service, clock) for service in among([_kubernetes_service(settings)])),
        *(replace(client, obj, names) for obj, names in _kubernetes_endpoints(settings) if list(among([obj]))),
        _local_services(client, versions),
    )


async def _ensure_service(client: clients.Client, service: core_v1.Service, clock: clocks.Clock) -> None:
    try:
        await ensure(client, service)
    except errors.StatusError as error:
        if error.reason != "Invalid":
            raise
        # Another API server that starts right now has taken the address, and will have made the service in a moment.
        try:
            async with clock.timeout(APPEARS_SECONDS):
                await _appears(client, service)
        except TimeoutError:
            raise error from None


async def _appears(client: clients.Client, service: core_v1.Service) -> None:
    async with client.watch(core_v1.Service, service.metadata.namespace, initial_events=True) as stream:
        while True:
            for event in await stream.next():
                if event.type == "ADDED" and event.object.metadata.name == service.metadata.name:
                    return


async def ensure(client: clients.Client, obj: Any) -> Any:
    """The stored object, created where there was none."""
    try:
        return await client.get(type(obj), obj.metadata.name, obj.metadata.namespace)
    except errors.StatusError as error:
        if error.reason != "NotFound":
            raise
    try:
        return await client.create(obj)
    except errors.StatusError as error:
        if error.reason != "AlreadyExists":
            raise
        return await client.get(type(obj), obj.metadata.name, obj.metadata.namespace)


async def _reconcile(client: clients.Client, wanted: Any) -> None:
    """Rules and subjects that the policy has and the stored object lacks are added; nothing is taken away."""
    found = await ensure(client, wanted)
    if found.metadata.annotations.get("rbac.authorization.kubernetes.io/autoupdate") == "false":
        return
    field = "rules" if hasattr(wanted, "rules") else "subjects"
    if getattr(wanted, "aggregationRule", None) is not None:
        return
    lacking = [entry for entry in getattr(wanted, field) if entry not in getattr(found, field)]
    if lacking:
        changed = codecs.copy(found)
        getattr(changed, field).extend(lacking)
        await client.update(changed)


def _flow_control(versions: Collection[tuple[str, str]]) -> list[Any]:
    if ("flowcontrol.apiserver.k8s.io", "v1") not in versions:
        return []
    return [codecs.copy(obj) for obj in (*mandatory.priority_levels(), *mandatory.flow_schemas())]


async def _local_services(client: clients.Client, versions: Collection[tuple[str, str]]) -> None:
    """An APIService for what is served; those of an earlier start with other versions go."""
    if ("apiregistration.k8s.io", "v1") not in versions:
        return
    wanted = local.services(versions)
    await asyncio.gather(*(ensure(client, service) for service in wanted))
    names = {service.metadata.name for service in wanted}
    found = await client.list(apiregistration_v1.APIService, labels=local.SELECTOR)
    for service in found.items:
        if service.metadata.name not in names:
            await client.delete(apiregistration_v1.APIService, service.metadata.name)


def _namespace(name: str) -> core_v1.Namespace:
    return core_v1.Namespace(metadata=meta_v1.ObjectMeta(name=name))


def _priority_class(name: str, value: int, description: str) -> scheduling_v1.PriorityClass:
    return scheduling_v1.PriorityClass(metadata=meta_v1.ObjectMeta(name=name), value=value, description=description)


def service_address(cidr: str) -> str:
    """The first address of the service range, the first of two: the API server's own."""
    return str(ipaddress.ip_network(cidr.partition(",")[0])[1])


def _kubernetes_service(settings: settings_.Settings) -> core_v1.Service:
    return core_v1.Service(
        metadata=meta_v1.ObjectMeta(
            name="kubernetes", namespace="default", labels={"component": "apiserver", "provider": "kubernetes"}
        ),
        spec=core_v1.ServiceSpec(
            clusterIP=service_address(settings.service_cidr),
            ports=[core_v1.ServicePort(name="https", port=443, protocol="TCP", targetPort=settings.advertise[1])],
            sessionAffinity="None",
            type="ClusterIP",
        ),
    )


def _kubernetes_endpoints(settings: settings_.Settings) -> Iterator[tuple[Any, tuple[str, ...]]]:
    """Where the service leads, in both its forms, each with the fields that say so."""
    host, port = settings.advertise
    endpoints = core_v1.Endpoints(
        metadata=meta_v1.ObjectMeta(
            name="kubernetes",
            namespace="default",
            labels={"endpointslice.kubernetes.io/skip-mirror": "true"},
        ),
        subsets=[
            core_v1.EndpointSubset(
                addresses=[core_v1.EndpointAddress(ip=host)],
                ports=[core_v1.EndpointPort(name="https", port=port, protocol="TCP")],
            )
        ],
    )
    yield endpoints, ("subsets",)
    slice_ = discovery_v1.EndpointSlice(
        metadata=meta_v1.ObjectMeta(
            name="kubernetes", namespace="default", labels={"kubernetes.io/service-name": "kubernetes"}
        ),
        addressType="IPv6" if ":" in host else "IPv4",
        endpoints=[discovery_v1.Endpoint(addresses=[host], conditions=discovery_v1.EndpointConditions(ready=True))],
        ports=[discovery_v1.EndpointPort(name="https", port=port, protocol="TCP")],
    )
    yield slice_, ("endpoints", "ports")


async def replace(client: clients.Client, wanted: Any, names: tuple[str, ...]) -> None:
    """Have the object be there with these fields: the address may be another one than at the last start."""
    found = await ensure(client, wanted)
    if any(getattr(found, name) != getattr(wanted, name) for name in names):
        changed = codecs.copy(found)
        for name in names:
            setattr(changed, name, getattr(wanted, name))
        await client.update(changed)
