"""Keeps pods to nodes where their volumes can be used, and binds claims that waited for a node to be chosen.

`reserve` keeps the chosen volumes from others at once; `before_binding` writes the choice and waits until the binder,
or the provisioner, has done its part.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from pybernetes.api import fields
from pybernetes.api.types import core_v1
from pybernetes.scheduler import changes, volumes
from pybernetes.scheduler import nodes as tables
from pybernetes.scheduler import shape as shapes
from pybernetes.scheduler.plugins import arguments, plugin

UNBOUND = "pod has unbound immediate PersistentVolumeClaims"
NO_MATCH = "node(s) didn't find available persistent volumes to bind"
ELSEWHERE = "node(s) didn't match PersistentVolume's node affinity"
NO_SPACE = "node(s) did not have enough free storage"
GONE = "node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)"


class Args(arguments.Args, kw_only=True):
    """`pluginConfig` of VolumeBinding."""

    bindTimeoutSeconds: int = 600
    shape: list[arguments.Point] | None = None

    def problems(self, path: fields.Path) -> list[fields.FieldError]:
        found = []
        if self.bindTimeoutSeconds < 0:
            detail = "invalid BindTimeoutSeconds, should not be a negative value"
            found.append(fields.invalid(path["bindTimeoutSeconds"], self.bindTimeoutSeconds, detail))
        if self.shape is not None:
            detail = "unexpected field `shape`, remove it or turn on the feature gate StorageCapacityScoring"
            found.append(fields.invalid(path["shape"], self.shape, detail))
        return found


class Plan(NamedTuple):
    """What is to be written for the chosen node: volumes for claims, and claims to make volumes for."""

    node: str
    bindings: tuple[tuple[core_v1.PersistentVolume, core_v1.PersistentVolumeClaim], ...]
    provisions: tuple[core_v1.PersistentVolumeClaim, ...]


class _Delayed(NamedTuple):
    """A claim to be bound; volumes with the nodes that they can be used on."""

    claim: core_v1.PersistentVolumeClaim
    kept: tuple[tuple[core_v1.PersistentVolume, int], ...]
    free: tuple[tuple[core_v1.PersistentVolume, int], ...]
    selected: str
    provision: volumes.Provision


class _State(NamedTuple):
    delayed: tuple[_Delayed, ...]
    gone: bool
    elsewhere: int
    unmatched: int
    crowded: int


class VolumeBinding(plugin.Plugin):
    name = "VolumeBinding"
    helped_by = changes.Change.NODE_ADDED | changes.Change.NODE_LABELS | changes.Change.STORAGE
    Args = Args

    def prepare(self, shape: shapes.Shape, nodes: tables.Nodes) -> _State | None:
        if not shape.claims:
            return None
        claims = volumes.claims_of(shape, nodes.world)
        if claims.immediate:
            raise plugin.Rejected(UNBOUND)
        gone = False
        reachable = nodes.alive
        for claim in claims.bound:
            volume = nodes.world.of(core_v1.PersistentVolume).get(claim.spec.volumeName)
            if volume is None:
                gone = True
            else:
                reachable &= volumes.reach(volume, nodes)
        delayed = tuple(_look(claim, nodes) for claim in sorted(claims.delayed, key=volumes.asked))
        unmatched, crowded = _unserved(delayed, nodes)
        return _State(delayed, gone, nodes.alive & ~reachable, unmatched, crowded)

    def reject(self, state: _State, nodes: tables.Nodes, rows: Any) -> list[plugin.Rejection]:
        found = [
            plugin.Rejection(reason, nodes.mask(bits)[rows], True)
            for reason, bits in ((ELSEWHERE, state.elsewhere), (NO_MATCH, state.unmatched), (NO_SPACE, state.crowded))
            if bits
        ]
        if state.gone:
            found.append(plugin.Rejection(GONE, nodes.mask(nodes.alive)[rows], True))
        return found

    def reserve(self, state: _State, nodes: tables.Nodes, row: int) -> Plan | None:
        """Keeps what the pod needs there; None: all is bound already."""
        if not state.delayed:
            return None
        bindings, provisions = _choose(state.delayed, nodes, row)
        plan = Plan(nodes.names[row], tuple(bindings), tuple(provisions))
        for volume, claim in bindings:
            nodes.world.volumes_taken[volume.metadata.name] = volumes.key(claim)
        for claim in provisions:
            nodes.world.claims_placed[volumes.key(claim)] = plan.node
        return plan

    def unreserve(self, plan: Plan, nodes: tables.Nodes) -> None:
        for volume, _ in plan.bindings:
            nodes.world.volumes_taken.pop(volume.metadata.name, None)
        for claim in plan.provisions:
            nodes.world.claims_placed.pop(volumes.key(claim), None)

    async def before_binding(self, plan: Plan, pod: core_v1.Pod, nodes: tables.Nodes, desk: plugin.Desk) -> None:
        """Writes the choice and waits for its effect. Raises what the writes raise, TimeoutError, or BindingFailed."""
        for volume, claim in plan.bindings:
            await desk.claim_volume(volume, claim)
        for claim in plan.provisions:
            if claim.metadata.annotations.get(volumes.SELECTED_NODE) != plan.node:
                await desk.select_node(claim, plan.node)
        await desk.wait(lambda: _done(plan, nodes), float(self.args.bindTimeoutSeconds))


def _look(claim: core_v1.PersistentVolumeClaim, nodes: tables.Nodes) -> _Delayed:
    selected = claim.metadata.annotations.get(volumes.SELECTED_NODE, "")
    selected = selected or nodes.world.claims_placed.get(volumes.key(claim), "")
    kept, free = volumes.candidates(claim, nodes.world) if not selected else ([], [])
    return _Delayed(
        claim,
        tuple((volume, volumes.reach(volume, nodes)) for volume in kept),
        tuple((volume, volumes.reach(volume, nodes)) for volume in free),
        selected,
        volumes.provision(claim, nodes),
    )


def _unserved(delayed: tuple[_Delayed, ...], nodes: tables.Nodes) -> tuple[int, int]:
    """The nodes where a claim finds no volume and none can be made, and those with too little space to make one."""
    unmatched = crowded = 0
    contested = sum(bool(one.kept or one.free) for one in delayed) > 1
    for one in delayed:
        if one.selected:
            unmatched |= nodes.alive & ~(1 << nodes.rows[one.selected] if one.selected in nodes.rows else 0)
    for one in delayed:
        matched = 0
        for _, bits in (*one.kept, *one.free):
            matched |= bits
        left = nodes.alive & ~matched & ~unmatched
        unmatched |= left & ~one.provision.allowed
        crowded |= left & one.provision.allowed & ~one.provision.roomy
    if contested:
        # Two claims may want the same volume: node by node.
        for row in range(nodes.size):
            bit = 1 << row
            if nodes.alive & bit and not (unmatched | crowded) & bit:
                for claim in _choose(delayed, nodes, row)[1]:
                    where = next(one.provision for one in delayed if one.claim is claim)
                    unmatched |= bit & ~where.allowed
                    crowded |= bit & where.allowed & ~where.roomy
    return unmatched, crowded & ~unmatched


def _choose(
    delayed: tuple[_Delayed, ...], nodes: tables.Nodes, row: int
) -> tuple[list[tuple[core_v1.PersistentVolume, core_v1.PersistentVolumeClaim]], list[core_v1.PersistentVolumeClaim]]:
    """For one node: the smallest volume that does for each claim, none twice; the rest is to be made."""
    chosen: set[str] = set()
    bindings = []
    provisions = []
    for one in delayed:
        fitting = [
            volume for volume, bits in (*one.kept, *one.free) if bits >> row & 1 and volume.metadata.name not in chosen
        ]
        if fitting and not one.selected:
            chosen.add(fitting[0].metadata.name)
            bindings.append((fitting[0], one.claim))
        else:
            provisions.append(one.claim)
    return bindings, provisions


def _done(plan: Plan, nodes: tables.Nodes) -> bool:
    """Whether all claims are bound. Raises `plugin.BindingFailed` where they never will be."""
    claims, known = nodes.world.of(core_v1.PersistentVolumeClaim), nodes.world.of(core_v1.PersistentVolume)
    row = nodes.rows.get(plan.node)
    if row is None:
        raise plugin.BindingFailed(f'failed to get node "{plan.node}"')
    for volume, claim in plan.bindings:
        now, held = known.get(volume.metadata.name), claims.get(claim.metadata.name, claim.metadata.namespace)
        if now is None or held is None:
            raise plugin.BindingFailed(f"failed to check binding: {volumes.key(claim)} or its volume is gone")
        if not fits(now, nodes, row):
            text = f'pv "{now.metadata.name}" node affinity doesn\'t match node "{plan.node}"'
            raise plugin.BindingFailed(text)
        if not volumes.fully_bound(held):
            return False
    for claim in plan.provisions:
        held = claims.get(claim.metadata.name, claim.metadata.namespace)
        if held is None:
            raise plugin.BindingFailed(f'failed to check provisioning pvc: "{volumes.key(claim)}" not found')
        told = held.metadata.resourceVersion != claim.metadata.resourceVersion
        if told and held.metadata.annotations.get(volumes.SELECTED_NODE) != plan.node:
            # The provisioner gave the claim back: it cannot make a volume there.
            raise plugin.BindingFailed(f'provisioning failed for PVC "{held.metadata.name}"')
        if held.spec.volumeName:
            now = known.get(held.spec.volumeName)
            if now is not None and not fits(now, nodes, row):
                text = f'pv "{now.metadata.name}" node affinity doesn\'t match node "{plan.node}"'
                raise plugin.BindingFailed(text)
        if not volumes.fully_bound(held):
            return False
    return True


def fits(volume: core_v1.PersistentVolume, nodes: tables.Nodes, row: int) -> bool:
    return bool(volumes.reach(volume, nodes) >> row & 1)
