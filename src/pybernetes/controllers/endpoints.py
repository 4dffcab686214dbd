"""Writes v1 Endpoints, the older form of EndpointSlices, for clients that still read them."""

from __future__ import annotations

from collections.abc import Iterable

from pybernetes.api import codecs, errors
from pybernetes.api.types import core_v1, meta_v1
from pybernetes.controllers import pods, services
from pybernetes.controllers.context import Context
from pybernetes.informers import key_of, split_key

NAME = "endpoints-controller"
MANAGED_BY = "endpoints.kubernetes.io/managed-by"
MANAGER = "endpoint-controller"
OVER_CAPACITY = "endpoints.kubernetes.io/over-capacity"
LIMIT = 1000

_Port = tuple[str, int, str, str]
_Address = tuple[str, str]


def subsets(service: core_v1.Service, selected: Iterable[core_v1.Pod]) -> list[core_v1.EndpointSubset]:
    """Addresses grouped by the ports they have, in a stable order."""
    family = services.families(service)[0]
    ports_of: dict[tuple[bool, _Address], set[_Port]] = {}
    known: dict[_Address, core_v1.EndpointAddress] = {}
    for pod in selected:
        found = services.addresses(pod, family)
        if not services.serves(pod, terminating=service.spec.publishNotReadyAddresses) or not found:
            continue
        ports = _ports(service, pod)
        if not ports and not (services.is_headless(service) and not service.spec.ports):
            continue
        address = (found[0], pod.metadata.uid)
        known[address] = _address(service, pod, found[0])
        ready = service.spec.publishNotReadyAddresses or pods.is_ready(pod)
        ports_of.setdefault((ready, address), set()).update(ports)
    groups: dict[tuple[_Port, ...], dict[bool, list[_Address]]] = {}
    for (ready, address), ports_set in ports_of.items():
        groups.setdefault(tuple(sorted(ports_set)), {True: [], False: []})[ready].append(address)
    return [
        core_v1.EndpointSubset(
            addresses=[known[address] for address in sorted(groups[ports][True])],
            notReadyAddresses=[known[address] for address in sorted(groups[ports][False])],
            ports=[
                core_v1.EndpointPort(name=name, port=number, protocol=protocol, appProtocol=app or None)
                for name, number, protocol, app in ports
            ],
        )
        for ports in sorted(groups)
    ]


def _ports(service: core_v1.Service, pod: core_v1.Pod) -> set[_Port]:
    found = set()
    for port in service.spec.ports:
        number = services.find_port(pod, port)
        if number is not None:
            found.add((port.name, number, port.protocol or "TCP", port.appProtocol or ""))
    return found


def _address(service: core_v1.Service, pod: core_v1.Pod, ip: str) -> core_v1.EndpointAddress:
    return core_v1.EndpointAddress(
        ip=ip,
        nodeName=pod.spec.nodeName or None,
        hostname=pod.spec.hostname if services.sets_hostname(service, pod) else "",
        targetRef=core_v1.ObjectReference(
            kind="Pod", namespace=pod.metadata.namespace, name=pod.metadata.name, uid=pod.metadata.uid
        ),
    )


def truncate(found: list[core_v1.EndpointSubset]) -> bool:
    """Cut to at most LIMIT addresses in place, ready ones first; answers whether anything was cut."""
    left, cut = LIMIT, False
    for which in ("addresses", "notReadyAddresses"):
        for subset in found:
            listed = getattr(subset, which)
            cut = cut or len(listed) > left
            setattr(subset, which, listed[:left])
            left = max(left - len(listed), 0)
    return cut


def wanted(
    service: core_v1.Service, selected: Iterable[core_v1.Pod], current: core_v1.Endpoints | None
) -> core_v1.Endpoints | None:
    """The Endpoints to write; None where the current ones are right."""
    fresh = codecs.copy(current) if current is not None else core_v1.Endpoints()
    fresh.metadata.name, fresh.metadata.namespace = service.metadata.name, service.metadata.namespace
    fresh.metadata.labels = dict(service.metadata.labels)
    fresh.metadata.labels.pop(services.HEADLESS_LABEL, None)
    if services.is_headless(service):
        fresh.metadata.labels[services.HEADLESS_LABEL] = ""
    fresh.metadata.labels[MANAGED_BY] = MANAGER
    fresh.subsets = subsets(service, selected)
    if truncate(fresh.subsets):
        fresh.metadata.annotations[OVER_CAPACITY] = "truncated"
    else:
        fresh.metadata.annotations.pop(OVER_CAPACITY, None)
    return fresh if fresh != current else None


class Endpoints:
    """The controller. Work items are Services."""

    def __init__(self, context: Context) -> None:
        self._context, self._client = context, context.client
        self._recorder = context.recorder("endpoint-controller")
        self._queue = context.queue(NAME)
        self._services = context.informers.of(core_v1.Service)
        self._pods = context.informers.of(core_v1.Pod)
        self._endpoints = context.informers.of(core_v1.Endpoints)
        self._watcher = services.Watcher(self._services, self._pods, self._queue.add)
        self._endpoints.on_change(lambda old, new: self._queue.add(key_of(new or old), "Endpoints changed"))

    async def run(self) -> None:
        after = (self._services, self._pods, self._endpoints)
        await self._context.reconcile(NAME, self._queue, self.reconcile, after=after)

    async def reconcile(self, key: str) -> None:
        namespace, name = split_key(key)
        service = self._services.cache.get(name, namespace)
        current = self._endpoints.cache.get(name, namespace)
        if service is None:
            if current is not None and current.metadata.labels.get(MANAGED_BY) == MANAGER:
                await self._client.delete(core_v1.Endpoints, name, namespace, uid=current.metadata.uid)
            return
        if not services.has_endpoints(service):
            return
        fresh = wanted(service, self._watcher.pods_of(service), current)
        if fresh is None:
            return
        try:
            await (self._client.create(fresh) if current is None else self._client.update(fresh))
        except errors.StatusError as error:
            if pods.has_cause(error, pods.NAMESPACE_TERMINATING):
                return
            if error.reason not in ("Conflict", "AlreadyExists"):
                what, verb = (
                    ("FailedToCreateEndpoint", "create") if current is None else ("FailedToUpdateEndpoint", "update")
                )
                about = core_v1.Endpoints(metadata=meta_v1.ObjectMeta(name=name, namespace=namespace))
                for_what = f"for service {key}" if current is None else key
                self._recorder.event(about, "Warning", what, f"Failed to {verb} endpoint {for_what}: {error}")
            raise
