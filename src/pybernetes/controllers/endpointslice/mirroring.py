"""EndpointSlices for Endpoints that somebody else writes, so that proxies need to read slices only."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field

from pybernetes.api import codecs, errors, names
from pybernetes.api.types import core_v1, discovery_v1, meta_v1
from pybernetes.controllers import owners, pods
from pybernetes.controllers.context import Context
from pybernetes.controllers.endpointslice import planner
from pybernetes.controllers.expectations import Expectations
from pybernetes.informers import key_of, split_key

NAME = "endpointslice-mirroring-controller"
MANAGER = "endpointslicemirroring-controller.k8s.io"
SKIP = "endpointslice.kubernetes.io/skip-mirror"
LEADER = "control-plane.alpha.kubernetes.io/leader"
# Addresses of one subset that are mirrored; one slice holds them all.
LIMIT = 1000
_NOT_MIRRORED = ("endpoints.kubernetes.io/last-change-trigger-time", "kubectl.kubernetes.io/last-applied-configuration")

_Group = tuple[str, planner.PortKey]


@dataclass(slots=True)
class Mirror:
    """What the Endpoints come to: slices to write, and how many addresses are no addresses, or too many."""

    plan: planner.Plan = field(default_factory=planner.Plan)
    invalid: int = 0
    skipped: int = 0


def is_mirrored(endpoints: core_v1.Endpoints | None, service: core_v1.Service | None) -> bool:
    """Whether the Endpoints are somebody's own, of a Service that does not select pods."""
    if endpoints is None or service is None or service.spec.selector:
        return False
    meta = endpoints.metadata
    return meta.labels.get(SKIP) != "true" and LEADER not in meta.annotations


def mirror(endpoints: core_v1.Endpoints, existing: planner.Slices) -> Mirror:
    """The changes that make the existing slices say what the Endpoints say: a slice per family and set of ports."""
    result = Mirror()
    wanted: dict[_Group, discovery_v1.EndpointSlice] = {}
    seen: set[tuple[_Group, str, str]] = set()
    for subset in endpoints.subsets:
        ports = [
            discovery_v1.EndpointPort(
                name=port.name, port=port.port, protocol=port.protocol or "TCP", appProtocol=port.appProtocol
            )
            for port in subset.ports
        ]
        taken = 0
        every = [(one, True) for one in subset.addresses] + [(one, False) for one in subset.notReadyAddresses]
        for address, ready in every:
            ip = _parsed(address.ip)
            if ip is None:
                result.invalid += 1
                continue
            if taken >= LIMIT:
                result.skipped += 1
                continue
            taken += 1
            group = f"IPv{ip.version}", planner.port_key(ports)
            target = address.targetRef.uid if address.targetRef is not None else ""
            if (group, str(ip), target) in seen:
                continue
            seen.add((group, str(ip), target))
            if group not in wanted:
                wanted[group] = _slice(endpoints, group[0], ports)
            wanted[group].endpoints.append(_endpoint(address, str(ip), ready=ready))
    _plan(result.plan, wanted, existing)
    return result


def _plan(plan: planner.Plan, wanted: dict[_Group, discovery_v1.EndpointSlice], existing: planner.Slices) -> None:
    for one in existing:
        fresh = wanted.pop((one.addressType, planner.port_key(one.ports)), None)
        if fresh is None:
            plan.delete.append(one)
        elif not _same(one, fresh):
            plan.update.append(_over(one, fresh))
    for fresh in wanted.values():
        # Write over what would go instead of deleting and creating.
        spare = next((one for one in plan.delete if one.addressType == fresh.addressType), None)
        if spare is None:
            plan.create.append(fresh)
        else:
            plan.delete.remove(spare)
            plan.update.append(_over(spare, fresh))


def _over(old: discovery_v1.EndpointSlice, fresh: discovery_v1.EndpointSlice) -> discovery_v1.EndpointSlice:
    copy = codecs.copy(old)
    copy.ports, copy.endpoints = fresh.ports, fresh.endpoints
    copy.metadata.labels, copy.metadata.annotations = fresh.metadata.labels, fresh.metadata.annotations
    copy.metadata.ownerReferences = fresh.metadata.ownerReferences
    return copy


def _same(one: discovery_v1.EndpointSlice, other: discovery_v1.EndpointSlice) -> bool:
    return (
        one.endpoints == other.endpoints
        and one.metadata.labels == other.metadata.labels
        and one.metadata.annotations == other.metadata.annotations
        and one.metadata.ownerReferences == other.metadata.ownerReferences
    )


def _parsed(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return mapped or found


def _endpoint(address: core_v1.EndpointAddress, ip: str, *, ready: bool) -> discovery_v1.Endpoint:
    return discovery_v1.Endpoint(
        addresses=[ip],
        conditions=discovery_v1.EndpointConditions(ready=ready),
        targetRef=address.targetRef,
        nodeName=address.nodeName,
        hostname=address.hostname or None,
    )


def _slice(
    endpoints: core_v1.Endpoints, family: str, ports: list[discovery_v1.EndpointPort]
) -> discovery_v1.EndpointSlice:
    meta = endpoints.metadata
    prefix = meta.name if names.dns_subdomain(f"{meta.name}-x") else f"{meta.name}-"
    return discovery_v1.EndpointSlice(
        metadata=meta_v1.ObjectMeta(
            generateName=prefix,
            namespace=meta.namespace,
            labels=meta.labels | {planner.SERVICE_NAME: meta.name, planner.MANAGED_BY: MANAGER},
            annotations={key: value for key, value in meta.annotations.items() if key not in _NOT_MIRRORED},
            ownerReferences=[owners.reference_to(endpoints)],
        ),
        addressType=family,
        ports=ports,
    )


class Mirroring:
    """The controller. Work items are Endpoints, which have the name of their Service."""

    def __init__(self, context: Context) -> None:
        self._context, self._client = context, context.client
        self._recorder = context.recorder("endpoint-slice-mirroring-controller")
        self._queue = context.queue(NAME)
        self._expected = Expectations(context.clock)
        self._endpoints = context.informers.of(core_v1.Endpoints)
        self._services = context.informers.of(core_v1.Service)
        self._slices = context.informers.of(discovery_v1.EndpointSlice, labels=f"{planner.MANAGED_BY}={MANAGER}")
        self._slices.add_index("service", lambda one: (planner.service_key(one),))
        self._endpoints.on_change(self._endpoints_changed)
        self._services.on_change(self._service_changed)
        self._slices.on_change(self._slice_changed)

    async def run(self) -> None:
        after = (self._endpoints, self._services, self._slices)
        await self._context.reconcile(NAME, self._queue, self.reconcile, after=after)

    def _endpoints_changed(self, old: core_v1.Endpoints | None, new: core_v1.Endpoints | None) -> None:
        self._queue.add(key_of(new or old), "Endpoints changed")

    def _service_changed(self, old: core_v1.Service | None, new: core_v1.Service | None) -> None:
        if old is None or new is None or bool(old.spec.selector) != bool(new.spec.selector):
            self._queue.add(key_of(new or old), "Service changed")

    def _slice_changed(self, old: discovery_v1.EndpointSlice | None, new: discovery_v1.EndpointSlice | None) -> None:
        one = new or old
        if one is None:
            return
        key = planner.service_key(one)
        if old is None:
            self._expected.creation_observed(key)
        self._queue.add(key, f"EndpointSlice {key_of(one)} changed")

    async def reconcile(self, key: str) -> None:
        if not self._expected.satisfied(key):
            return
        namespace, name = split_key(key)
        endpoints = self._endpoints.cache.get(name, namespace)
        existing = [one for one in self._slices.cache.index("service", key) if one.metadata.deletionTimestamp is None]
        if endpoints is None or not is_mirrored(endpoints, self._services.cache.get(name, namespace)):
            await self._write(key, planner.Plan(delete=existing))
            return
        found = mirror(endpoints, existing)
        plan = found.plan
        if endpoints.metadata.deletionTimestamp is not None:
            plan.create = []
        if plan.create or plan.update or plan.delete:
            self._tell(endpoints, found)
        try:
            await self._write(key, plan)
        except errors.StatusError as error:
            if not pods.has_cause(error, pods.NAMESPACE_TERMINATING):
                raise

    def _tell(self, endpoints: core_v1.Endpoints, found: Mirror) -> None:
        if found.invalid:
            message = f"Skipped {found.invalid} invalid IP addresses when mirroring to EndpointSlices"
            self._recorder.event(endpoints, "Warning", "InvalidIPAddress", message)
        if found.skipped:
            message = (
                f"A max of {LIMIT} addresses can be mirrored to EndpointSlices per Endpoints subset. "
                f"{found.skipped + found.invalid} addresses were skipped"
            )
            self._recorder.event(endpoints, "Warning", "TooManyAddressesToMirror", message)

    async def _write(self, key: str, plan: planner.Plan) -> None:
        for one in plan.create:
            self._expected.expect_creations(key, 1)
            try:
                await self._client.create(one)
            except BaseException:
                self._expected.creation_observed(key)
                raise
        for one in plan.update:
            await self._client.update(one)
        for one in plan.delete:
            try:
                await self._client.delete(discovery_v1.EndpointSlice, one.metadata.name, one.metadata.namespace)
            except errors.StatusError as error:
                if error.reason != "NotFound":
                    raise
