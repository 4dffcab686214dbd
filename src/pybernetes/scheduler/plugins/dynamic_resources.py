"""Keeps pods to nodes where the devices that they claim are, and gives devices to claims that have none yet.

Extended resources that device classes stand behind are claimed for the pod, by a claim that is made when it is bound.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from pybernetes.api import device_quotas, fields, times
from pybernetes.api.types import core_v1, resource_v1, resource_v1beta2
from pybernetes.scheduler import changes
from pybernetes.scheduler import nodes as tables
from pybernetes.scheduler import shape as shapes
from pybernetes.scheduler.devices import allocation, conditions, extended, inventory, requests, results, usage
from pybernetes.scheduler.plugins import arguments, plugin

ELSEWHERE = "resourceclaim not available on the node"
NOT_ALL = "cannot allocate all claims"
IN_USE = "resourceclaim in use"
LEFT_OVER = "cannot schedule extended resource claim"
# Pods that may share a claim.
SHARERS = 256
# Stands for the uid of the claim for a pod's extended resources, before that of the pod.
_UNMADE = "extended resources of"
# Alternatives that a request may have: the first of them counts that much, the others less and less.
ALTERNATIVES = 8


class Args(arguments.Args, kw_only=True):
    """`pluginConfig` of DynamicResources; durations are Go's."""

    filterTimeout: str = "10s"
    bindingTimeout: str = "10m"

    def problems(self, path: fields.Path) -> list[fields.FieldError]:
        return []


class _Held(NamedTuple):
    """A claim that has its devices, and the nodes where they are of no use."""

    claim: resource_v1.ResourceClaim
    elsewhere: int


class _Offer(NamedTuple):
    """What can be had on nodes that lack the same extended resources; `extra` is claimed for those."""

    search: allocation.Allocation | None
    extra: extended.Wanted | None


class _State:
    """What the pod claims. `unavailable` are claims that keep it off a node by the devices that they have."""

    def __init__(
        self,
        shape: shapes.Shape,
        held: Sequence[_Held],
        wanted: Sequence[requests.Claim],
        backed: dict[str, resource_v1.DeviceClass],
        left_over: resource_v1.ResourceClaim | None,
        nodes: tables.Nodes,
    ) -> None:
        self.shape, self.held, self.wanted, self.backed, self.left_over = shape, held, wanted, backed, left_over
        self.unavailable: dict[str, resource_v1.ResourceClaim] = {}
        self.offers: dict[frozenset[str], _Offer] = {}
        self._pools: tuple[inventory.Pool, ...] | None = None
        self._used = usage.Usage(())
        self._nodes = nodes

    def offer(self, row: int) -> _Offer:
        """What the node can be asked for."""
        nodes = self._nodes
        lacking = frozenset(name for name in self.backed if not nodes.allocatable[row, nodes.columns[name]])
        known = self.offers.get(lacking)
        if known is None:
            known = self.offers[lacking] = self._offer(lacking)
        return known

    def _offer(self, lacking: frozenset[str]) -> _Offer:
        claims = list(self.wanted)
        extra = None
        if lacking:
            extra = extended.wanted(self.shape.spec, {name: self.backed[name] for name in lacking})
            shape = self.shape
            claim = extended.claim(shape.name, shape.namespace, shape.uid, extra)
            classes = {kind.metadata.name: kind for kind in self.backed.values()}
            claims.append(requests.of(claim, classes))
        if not claims:
            return _Offer(None, None)
        if self._pools is None:
            world = self._nodes.world
            rules = list(world.of(resource_v1beta2.DeviceTaintRule))
            self._pools = inventory.pools(world.of(resource_v1.ResourceSlice), rules, self._nodes)
            written = ((claim.metadata.uid, claim.status.allocation) for claim in world.of(resource_v1.ResourceClaim))
            told = {uid: allocation for uid, allocation in written if allocation is not None}
            # What is told of already is not to be counted twice.
            self._used = usage.Usage((world.devices_taken | told).values())
        return _Offer(allocation.Allocation(self._pools, self._used, claims), extra)


class Plan(NamedTuple):
    """Claims to reserve for the pod, with the allocation of those that have none yet, and the claim to be made.

    `taken` is what the world's `devices_taken` has for it, by the same keys; `written` collects the claims that say by
    now that the pod uses them.
    """

    node: str
    claims: tuple[tuple[resource_v1.ResourceClaim, resource_v1.AllocationResult | None], ...]
    extra: extended.Wanted | None
    taken: dict[str, resource_v1.AllocationResult]
    written: list[resource_v1.ResourceClaim]


class DynamicResources(plugin.Plugin):
    name = "DynamicResources"
    weight = 2
    late = True
    scale = plugin.Scale.MOST
    helped_by = changes.Change.NODE_ADDED | changes.Change.NODE_LABELS | changes.Change.DEVICES
    Args = Args

    def prepare(self, shape: shapes.Shape, nodes: tables.Nodes) -> _State | None:
        classes = nodes.world.of(resource_v1.DeviceClass)
        backed = {name: kind for name in shape.extended if (kind := extended.backed_by(classes, name)) is not None}
        if not shape.spec.resourceClaims and not backed:
            return None
        held: list[_Held] = []
        wanted: list[requests.Claim] = []
        for claim in _claims(shape, nodes):
            given = claim.status.allocation
            reserved = claim.status.reservedFor
            if given is None:
                if claim.metadata.uid in nodes.world.devices_taken:
                    name = f"{claim.metadata.namespace}/{claim.metadata.name}"
                    raise plugin.Rejected(f"resource claim {name} is in the process of being allocated")
                wanted.append(requests.of(claim, _classes(claim, nodes)))
                continue
            if len(reserved) >= SHARERS and all(one.uid != shape.uid for one in reserved):
                raise plugin.Rejected(IN_USE)
            reach = nodes.alive if given.nodeSelector is None else inventory.selected(given.nodeSelector, nodes)
            held.append(_Held(claim, nodes.alive if self._failed(claim, nodes) else nodes.alive & ~reach))
        left_over = None
        if backed:
            own = nodes.world.of(resource_v1.ResourceClaim).list(shape.namespace)
            left_over = extended.left_over(own, shape.name, shape.uid)
        return _State(shape, held, wanted, backed, left_over, nodes)

    def _failed(self, claim: resource_v1.ResourceClaim, nodes: tables.Nodes) -> bool:
        """Whether its devices did not become ready, so that others are to be had."""
        try:
            left = conditions.seconds_left(claim, self._binding_seconds, nodes.world.now())
            return not conditions.ready(claim) and left <= 0
        except conditions.Failed:
            return True

    @property
    def _binding_seconds(self) -> float:
        return times.duration(self.args.bindingTimeout)

    def reject(self, state: _State, nodes: tables.Nodes, rows: Any) -> list[plugin.Rejection]:
        numbers = np.arange(nodes.size)[rows]
        reasons: dict[str, tables.Bools] = {}
        for at, row in enumerate(numbers):
            reason = self._problem(state, int(row))
            if reason is not None:
                reasons.setdefault(reason, np.zeros(len(numbers), np.bool_))[at] = True
        return [plugin.Rejection(reason, mask, True) for reason, mask in reasons.items()]

    def _problem(self, state: _State, row: int) -> str | None:
        """What keeps the pod off that node. Raises `plugin.Failed`."""
        if state.left_over is not None:
            return LEFT_OVER
        search = state.offer(row).search
        try:
            if search is not None and search.on(row) is None:
                return NOT_ALL
        except allocation.InvalidPools as error:
            return str(error)
        except allocation.AllocationError as error:
            raise plugin.Failed(str(error)) from None
        away = [one.claim for one in state.held if one.elsewhere >> row & 1]
        state.unavailable.update((claim.metadata.uid, claim) for claim in away)
        return ELSEWHERE if away else None

    def score(self, state: _State, nodes: tables.Nodes, rows: Any) -> tables.Ints | None:
        """Nodes where the first alternatives can be had are better."""
        searches = [offer.search for offer in state.offers.values() if offer.search is not None]
        if not any(len(choices) > 1 for one in state.wanted for choices in one.requests):
            return None
        scores = np.zeros(nodes.size, np.int64)
        for search in searches:
            for row, given in search.solutions():
                scores[row] = _preference(search.claims, given)
        found: tables.Ints = scores[rows]
        return found

    async def after_filter(self, state: Any, pod: core_v1.Pod, nodes: tables.Nodes, desk: plugin.Desk) -> plugin.Room:
        """Takes devices from a claim that is of use nowhere, so that it can be given others."""
        if state is plugin.Unasked.UNASKED:
            raise plugin.Failed("not found")
        if state is None:
            return plugin.Room("no new claims to deallocate")
        for claim in state.unavailable.values():
            if all(one.uid == pod.metadata.uid for one in claim.status.reservedFor):
                await desk.give_back(claim)
                return plugin.Room("deallocation of ResourceClaim completed")
        if state.left_over is not None:
            await desk.delete_claim(state.left_over)
            return plugin.Room("deletion of ResourceClaim completed")
        return plugin.Room("still not schedulable")

    def reserve(self, state: _State, nodes: tables.Nodes, row: int) -> Plan | None:
        node = nodes.names[row]
        search, extra = state.offer(row)
        if search is None and not state.held:
            return None
        claims: list[tuple[resource_v1.ResourceClaim, resource_v1.AllocationResult | None]] = []
        taken: dict[str, resource_v1.AllocationResult] = {}
        for one, given in zip(search.claims, search.on(row) or (), strict=True) if search is not None else ():
            found = results.of(one, given, node)
            # The claim for extended resources has no identity of its own yet.
            taken[one.claim.metadata.uid or f"{_UNMADE} {state.shape.uid}"] = found
            claims.append((one.claim, found))
        claims += [(one.claim, None) for one in state.held]
        nodes.world.devices_taken.update(taken)
        return Plan(node, tuple(claims), extra, taken, [])

    def unreserve(self, plan: Plan, nodes: tables.Nodes) -> None:
        for key in plan.taken:
            nodes.world.devices_taken.pop(key, None)
        plan.taken.clear()

    async def before_binding(self, plan: Plan, pod: core_v1.Pod, nodes: tables.Nodes, desk: plugin.Desk) -> None:
        claims: list[resource_v1.ResourceClaim] = []
        for claim, given in plan.claims:
            mine = claim
            if given is None and any(one.uid == pod.metadata.uid for one in claim.status.reservedFor):
                claims.append(claim)
                continue
            special = not claim.metadata.name
            if special:
                mine = await desk.create_claim(claim)
                plan.written.append(mine)
                unmade = f"{_UNMADE} {pod.metadata.uid}"
                taken = nodes.world.devices_taken
                taken[mine.metadata.uid] = plan.taken[mine.metadata.uid] = plan.taken.pop(unmade)
                del taken[unmade]
            mine = await desk.reserve_claim(mine, given, pod)
            if special and plan.extra is not None:
                status = core_v1.PodExtendedResourceClaimStatus(
                    requestMappings=list(plan.extra.mappings), resourceClaimName=mine.metadata.name
                )
                await desk.map_resources(pod, status)
            else:
                plan.written.append(mine)
            claims.append(mine)
        known = nodes.world.of(resource_v1.ResourceClaim)

        def told() -> bool:
            # Until the informer knows, another pod could be given the same devices.
            for claim in claims:
                now = known.get(claim.metadata.name, claim.metadata.namespace)
                if now is None or now.status.allocation is None:
                    return False
            return True

        await desk.wait(told, 60.0)
        # From here on the claims speak for themselves; one that loses its devices can be given others.
        self.unreserve(plan, nodes)
        if any(conditions.needed(claim) for claim in claims):
            words = f"waiting for binding conditions for device on node {plan.node}"
            desk.event(pod, "Normal", "BindingConditionsPending", words)
            old = [claim for claim, given in plan.claims if given is None]
            await self._become_ready(pod, claims, old, nodes, desk)

    async def _become_ready(
        self,
        pod: core_v1.Pod,
        claims: Sequence[resource_v1.ResourceClaim],
        old: Sequence[resource_v1.ResourceClaim],
        nodes: tables.Nodes,
        desk: plugin.Desk,
    ) -> None:
        """Those in `old` had their devices before; of their time, some has passed. Raises `plugin.BindingFailed`."""
        seconds, late = self._binding_seconds, "context deadline exceeded"
        for claim in old:
            left = conditions.seconds_left(claim, self._binding_seconds, nodes.world.now())
            if left < seconds:
                seconds, late = left, f"claim={claim.metadata.name}"
        known = nodes.world.of(resource_v1.ResourceClaim)

        def ready() -> bool:
            for claim in claims:
                now = known.get(claim.metadata.name, claim.metadata.namespace)
                if now is None:
                    raise plugin.BindingFailed(f'resourceclaim.resource.k8s.io "{claim.metadata.name}" not found')
                if not conditions.ready(now):
                    return False
            return True

        began, outcome = nodes.world.now(), conditions.ERROR
        try:
            await desk.wait(ready, seconds)
            outcome = conditions.SUCCESS
        except TimeoutError:
            outcome = conditions.TIMEOUT
            raise plugin.BindingFailed(f"device binding timeout: {late}") from None
        except conditions.Failed as error:
            outcome = conditions.FAILURE
            raise plugin.BindingFailed(str(error)) from None
        finally:
            desk.waited_for_devices(pod, claims, outcome, nodes.world.now() - began)

    async def undo_binding(self, plan: Plan, pod: core_v1.Pod, desk: plugin.Desk) -> None:
        """The devices stay with their claims; the pod does not use them, and the claim made for it goes."""
        for claim in plan.written:
            if claim.metadata.annotations.get(device_quotas.ANNOTATION) == "true":
                await desk.delete_claim(claim)
            else:
                await desk.release_claim(claim, pod)


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


def _classes(claim: resource_v1.ResourceClaim, nodes: tables.Nodes) -> dict[str, resource_v1.DeviceClass]:
    """The classes that a claim names. Raises `plugin.Rejected` where one is not there."""
    found = {}
    for request, name in requests.named_classes(claim):
        kind = nodes.world.of(resource_v1.DeviceClass).get(name)
        if kind is None:
            raise plugin.Rejected(f"request {request}: device class {name} does not exist")
        found[name] = kind
    return found


def _preference(claims: Sequence[requests.Claim], given: allocation.Taken) -> int:
    """More for requests that have got an earlier alternative."""
    score = 0
    for claim, devices in zip(claims, given, strict=True):
        chosen = {one.request.full_name for one in devices}
        for choices in claim.requests:
            score += sum(ALTERNATIVES - at for at, one in enumerate(choices) if one.parent and one.full_name in chosen)
    return score
