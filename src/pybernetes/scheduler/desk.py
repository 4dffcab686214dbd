"""What plugins may write and wait for before a pod is bound: see `plugin.Desk`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from pybernetes.api import codecs, times
from pybernetes.api.types import core_v1, resource_v1
from pybernetes.client import Client, transport
from pybernetes.kits.clock import Clock
from pybernetes.scheduler import volumes, watching
from pybernetes.scheduler.plugins import plugin

# Keeps a claim until nobody uses its devices any more.
FINALIZER = "resource.kubernetes.io/delete-protection"


class Desk:
    """Writes through a client, waits for what the informers tell."""

    def __init__(self, client: Client, cluster: watching.Watching, clock: Clock) -> None:
        self._client, self._cluster, self._clock = client, cluster, clock

    async def claim_volume(self, volume: core_v1.PersistentVolume, claim: core_v1.PersistentVolumeClaim) -> None:
        """Keep a volume for a claim; the binder does the rest."""
        reference = {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "namespace": claim.metadata.namespace,
            "name": claim.metadata.name,
            "uid": claim.metadata.uid,
            "resourceVersion": claim.metadata.resourceVersion,
        }
        meta = {
            # Somebody else may have taken it since.
            "resourceVersion": volume.metadata.resourceVersion,
            "annotations": {volumes.BOUND_BY_CONTROLLER: "yes"},
        }
        patch = {"metadata": meta, "spec": {"claimRef": reference}}
        await self._client.patch(core_v1.PersistentVolume, volume.metadata.name, "", patch, kind=transport.MERGE_PATCH)

    async def select_node(self, claim: core_v1.PersistentVolumeClaim, node: str) -> None:
        """Ask for a volume to be made where that node can use it."""
        meta = {"uid": claim.metadata.uid, "annotations": {volumes.SELECTED_NODE: node}}
        await self._client.patch(
            core_v1.PersistentVolumeClaim,
            claim.metadata.name,
            claim.metadata.namespace,
            {"metadata": meta},
            kind=transport.MERGE_PATCH,
        )

    async def reserve_claim(
        self,
        claim: resource_v1.ResourceClaim,
        allocation: resource_v1.AllocationResult | None,
        pod: core_v1.Pod,
    ) -> None:
        """Write that a pod uses a claim, and which devices that has been given; None: it has them already."""
        meta = claim.metadata
        about = f"claim {meta.namespace}/{meta.name}"
        held = await self._client.get(resource_v1.ResourceClaim, meta.name, meta.namespace)
        if held.metadata.uid != meta.uid or held.metadata.deletionTimestamp is not None:
            raise plugin.BindingFailed(f"{about} got deleted in the meantime")
        copy = codecs.copy(held)
        if allocation is not None:
            if held.status.allocation is not None:
                raise plugin.BindingFailed(f"{about} got allocated elsewhere in the meantime")
            if FINALIZER not in copy.metadata.finalizers:
                copy.metadata.finalizers.append(FINALIZER)
                copy = codecs.copy(await self._client.update(copy))
            copy.status.allocation = allocation
            copy.status.allocation.allocationTimestamp = times.to_time(self._clock.time())
        elif held.status.allocation is None:
            raise plugin.BindingFailed(f"{about} got deallocated elsewhere in the meantime")
        user = resource_v1.ResourceClaimConsumerReference(resource="pods", name=pod.metadata.name, uid=pod.metadata.uid)
        if all(one.uid != user.uid for one in copy.status.reservedFor):
            copy.status.reservedFor.append(user)
        await self._client.update_status(copy)

    async def wait(self, done: Callable[[], bool], seconds: float) -> None:
        """Until `done`, which is asked after every change of storage or devices. Raises TimeoutError."""
        moved = asyncio.Event()
        self._cluster.listeners.add(moved)
        try:
            async with self._clock.timeout(seconds):
                while not done():
                    moved.clear()
                    await moved.wait()
        finally:
            self._cluster.listeners.discard(moved)
