"""Keeps pods to nodes where the devices that they claim are, and gives devices to claims that have none yet."""

from __future__ import annotations

from typing import Any, NamedTuple

from pybernetes.api import fields
from pybernetes.api.types import resource_v1
from pybernetes.scheduler import changes, devices
from pybernetes.scheduler import nodes as tables
from pybernetes.scheduler import shape as shapes
from pybernetes.scheduler.plugins import arguments, plugin

ELSEWHERE = "resourceclaim not available on the node"
NOT_ALL = "cannot allocate all claims"
IN_USE = "resourceclaim in use"
# Pods that may share a claim.
SHARERS = 256


class Args(arguments.Args, kw_only=True):
    """`pluginConfig` of DynamicResources; durations are Go's."""

    filterTimeout: str = "10s"
    bindingTimeout: str = "10m"

    def problems(self, path: fields.Path) -> list[fields.FieldError]:
        return []


class _Wanted(NamedTuple):
    claim: resource_v1.ResourceClaim
    needs: devices.Claim


class _State(NamedTuple):
    held: tuple[resource_v1.ResourceClaim, ...]
    wanted: tuple[_Wanted, ...]
    elsewhere: int
    lacking: int
    search: devices.Allocation | None


class Plan(NamedTuple):
    """Claims to reserve for the pod, with the allocation of those that have none yet."""

    claims: tuple[tuple[resource_v1.ResourceClaim, resource_v1.AllocationResult | None], ...]


class DynamicResources(plugin.Plugin):
    name = "DynamicResources"
    weight = 2
    helped_by = changes.Change.NODE_ADDED | changes.Change.NODE_LABELS | changes.Change.DEVICES
    Args = Args

    def prepare(self, shape: shapes.Shape, nodes: tables.Nodes) -> _State | None:
        if not shape.spec.resourceClaims:
            return None
        held: list[resource_v1.ResourceClaim] = []
        wanted: list[_Wanted] = []
        elsewhere = 0
        for claim in _claims(shape, nodes):
            allocation = claim.status.allocation
            reserved = claim.status.reservedFor
            if claim.metadata.uid in nodes.world.devices_taken:
                name = f"{claim.metadata.namespace}/{claim.metadata.name}"
                raise plugin.Rejected(f"resource claim {name} is in the process of being allocated")
            if len(reserved) >= SHARERS and all(one.uid != shape.uid for one in reserved):
                raise plugin.Rejected(IN_USE)
            if allocation is None:
                wanted.append(_Wanted(claim, _needs(claim, nodes)))
                continue
            held.append(claim)
            if allocation.nodeSelector is not None:
                elsewhere |= nodes.alive & ~devices.selected(allocation.nodeSelector, nodes)
        search, lacking = None, 0
        if wanted:
            search = self._search(wanted, nodes)
            lacking = _lacking(search, nodes, nodes.alive & ~elsewhere)
        return _State(tuple(held), tuple(wanted), elsewhere, lacking, search)

    def _search(self, wanted: list[_Wanted], nodes: tables.Nodes) -> devices.Allocation:
        world = nodes.world
        used = {key for keys in world.devices_taken.values() for key in keys}
        for claim in world.of(resource_v1.ResourceClaim):
            if claim.status.allocation is not None:
                used |= _keys(claim.status.allocation)
        stock = devices.inventory(world.of(resource_v1.ResourceSlice), nodes)
        return devices.Allocation(stock, frozenset(used), [one.needs for one in wanted])

    def reject(self, state: _State, nodes: tables.Nodes, rows: Any) -> list[plugin.Rejection]:
        pairs = ((ELSEWHERE, state.elsewhere), (NOT_ALL, state.lacking))
        return [plugin.Rejection(reason, nodes.mask(bits)[rows], True) for reason, bits in pairs if bits]

    def reserve(self, state: _State, nodes: tables.Nodes, row: int) -> Plan:
        found = state.search.on(row) if state.search is not None else []
        claims: list[tuple[resource_v1.ResourceClaim, resource_v1.AllocationResult | None]] = []
        for one, given in zip(state.wanted, found or [], strict=True):
            allocation = _result(one.claim, given, nodes)
            nodes.world.devices_taken[one.claim.metadata.uid] = frozenset(_keys(allocation))
            claims.append((one.claim, allocation))
        return Plan((*claims, *((claim, None) for claim in state.held)))

    def unreserve(self, plan: Plan, nodes: tables.Nodes) -> None:
        for claim, _ in plan.claims:
            nodes.world.devices_taken.pop(claim.metadata.uid, None)

    async def before_binding(self, plan: Plan, pod: Any, nodes: tables.Nodes, desk: plugin.Desk) -> None:
        for claim, allocation in plan.claims:
            if allocation is not None or all(one.uid != pod.metadata.uid for one in claim.status.reservedFor):
                await desk.reserve_claim(claim, allocation, pod)
        known = nodes.world.of(resource_v1.ResourceClaim)

        def told() -> bool:
            # Until the informer knows, another pod could be given the same devices.
            for claim, allocation in plan.claims:
                now = known.get(claim.metadata.name, claim.metadata.namespace)
                if allocation is not None and now is not None and now.status.allocation is None:
                    return False
            return True

        await desk.wait(told, 60.0)


def _claims(shape: shapes.Shape, nodes: tables.Nodes) -> list[resource_v1.ResourceClaim]:
    """The claims of a pod. Raises `plugin.Rejected` where one is not there, or going."""
    found = []
    for name, own in shape.device_claims:
        if name is None:
            raise plugin.Rejected(f'pod "{shape.namespace}/{shape.name}": ResourceClaim not created yet')
        if not name:
            continue
        claim = nodes.world.of(resource_v1.ResourceClaim).get(name, shape.namespace)
        if claim is None:
            raise plugin.Rejected(f'resourceclaim.resource.k8s.io "{name}" not found')
        if claim.metadata.deletionTimestamp is not None:
            raise plugin.Rejected(f'resourceclaim "{name}" is being deleted')
        if own and not any(owner.controller and owner.uid == shape.uid for owner in claim.metadata.ownerReferences):
            text = f"ResourceClaim {shape.namespace}/{name} was not created for Pod {shape.namespace}/{shape.name}"
            raise plugin.Rejected(f"{text} (Pod is not owner)")
        found.append(claim)
    return found


def _needs(claim: resource_v1.ResourceClaim, nodes: tables.Nodes) -> devices.Claim:
    requests: list[tuple[devices.Request, ...]] = []
    for request in claim.spec.devices.requests:
        if request.exactly is not None:
            admin = bool(request.exactly.adminAccess)
            requests.append((_request(request.name, request.exactly, nodes, admin=admin),))
        else:
            alternatives = [
                _request(f"{request.name}/{one.name}", one, nodes, admin=False) for one in request.firstAvailable
            ]
            requests.append(tuple(alternatives))
    return devices.Claim(tuple(requests), tuple(claim.spec.devices.constraints))


def _request(
    name: str,
    asked: resource_v1.ExactDeviceRequest | resource_v1.DeviceSubRequest,
    nodes: tables.Nodes,
    *,
    admin: bool,
) -> devices.Request:
    kind = nodes.world.of(resource_v1.DeviceClass).get(asked.deviceClassName)
    if kind is None:
        raise plugin.Rejected(f"request {name}: device class {asked.deviceClassName} does not exist")
    selectors = (*kind.spec.selectors, *asked.selectors)
    number = 0 if asked.allocationMode == "All" else asked.count or 1
    capacity = asked.capacity.requests if asked.capacity is not None else {}
    expressions = tuple(one.cel.expression for one in selectors if one.cel is not None)
    return devices.Request(name, expressions, number, admin, asked.tolerations, capacity)


def _lacking(search: devices.Allocation, nodes: tables.Nodes, among: int) -> int:
    """The nodes where not all claims can be served."""
    bits = 0
    for row in range(nodes.size):
        if among >> row & 1 and search.on(row) is None:
            bits |= 1 << row
    return bits


def _keys(allocation: resource_v1.AllocationResult) -> set[devices.Key]:
    return {(one.driver, one.pool, one.device) for one in allocation.devices.results if not one.adminAccess}


def _result(
    claim: resource_v1.ResourceClaim, given: list[devices.Given], nodes: tables.Nodes
) -> resource_v1.AllocationResult:
    results = []
    for request, item in given:
        driver, pool, device = item.key
        results.append(
            resource_v1.DeviceRequestAllocationResult(
                request=request.name,
                driver=driver,
                pool=pool,
                device=device,
                adminAccess=request.admin or None,
                tolerations=list(request.tolerations),
            )
        )
    return resource_v1.AllocationResult(
        devices=resource_v1.DeviceAllocationResult(results=results, config=_config(claim, given, nodes)),
        nodeSelector=devices.node_selector(given),
    )


def _config(
    claim: resource_v1.ResourceClaim, given: list[devices.Given], nodes: tables.Nodes
) -> list[resource_v1.DeviceAllocationConfiguration]:
    """The classes' configuration for each request, then the claim's own."""
    chosen = {one.request.name for one in given}
    found = []
    for name, class_name in _classes(claim):
        kind = nodes.world.of(resource_v1.DeviceClass).get(class_name) if name in chosen else None
        found += [
            resource_v1.DeviceAllocationConfiguration(source="FromClass", requests=[name], opaque=config.opaque)
            for config in (kind.spec.config if kind is not None else ())
        ]
    for own in claim.spec.devices.config:
        named = {name for name in chosen if name in own.requests or name.partition("/")[0] in own.requests}
        if not own.requests or named:
            found.append(
                resource_v1.DeviceAllocationConfiguration(
                    source="FromClaim", requests=list(own.requests), opaque=own.opaque
                )
            )
    return found


def _classes(claim: resource_v1.ResourceClaim) -> list[tuple[str, str]]:
    """Requests and alternatives by name, with their device classes."""
    found = []
    for request in claim.spec.devices.requests:
        if request.exactly is not None:
            found.append((request.name, request.exactly.deviceClassName))
        found += [(f"{request.name}/{one.name}", one.deviceClassName) for one in request.firstAvailable]
    return found
