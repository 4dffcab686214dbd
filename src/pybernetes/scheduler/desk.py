"""What plugins may write and wait for before a pod is bound: see `plugin.Desk`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping

from pybernetes.api import codecs, times
from pybernetes.api.types import core_v1, meta_v1, resource_v1
from pybernetes.client import Client, transport
from pybernetes.informers import Recorder
from pybernetes.kits.chance import Chance
from pybernetes.kits.clock import Clock
from pybernetes.scheduler import metrics, volumes, watching, writes
from pybernetes.scheduler.devices import results
from pybernetes.scheduler.plugins import plugin

log = logging.getLogger(__name__)

# Keeps a claim until nobody uses its devices any more.
FINALIZER = "resource.kubernetes.io/delete-protection"


class Desk:
    """Writes through a client, waits for what the informers tell."""

    def __init__(
        self,
        client: Client,
        cluster: watching.Watching,
        *,
        recorders: Mapping[str, Recorder],
        clock: Clock,
        chance: Chance,
        counted: metrics.Metrics,
    ) -> None:
        self._client, self._cluster, self._recorders = client, cluster, recorders
        self._clock, self._chance, self._metrics = clock, chance, counted

    async def bind(self, pod: core_v1.Pod, node: str) -> None:
        """Raises StatusError, ConnectionError or TimeoutError."""
        meta = pod.metadata
        binding = core_v1.Binding(
            metadata=meta_v1.ObjectMeta(name=meta.name, namespace=meta.namespace, uid=meta.uid),
            target=core_v1.ObjectReference(kind="Node", name=node),
        )
        await self._client.post(core_v1.Pod, meta.name, meta.namespace, "binding", binding)

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
    ) -> resource_v1.ResourceClaim:
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
            copy.status.allocation = self._named(allocation)
        elif held.status.allocation is None:
            raise plugin.BindingFailed(f"{about} got deallocated elsewhere in the meantime")
        user = resource_v1.ResourceClaimConsumerReference(resource="pods", name=pod.metadata.name, uid=pod.metadata.uid)
        if all(one.uid != user.uid for one in copy.status.reservedFor):
            copy.status.reservedFor.append(user)
        return await self._client.update_status(copy)

    def _named(self, allocation: resource_v1.AllocationResult) -> resource_v1.AllocationResult:
        """With the time, and a name for each share of a device."""
        copy = codecs.copy(allocation)
        copy.allocationTimestamp = times.to_time(self._clock.time())
        for one in copy.devices.results:
            if one.shareID == results.UNNAMED:
                one.shareID = self._chance.uuid()
        return copy

    async def release_claim(self, claim: resource_v1.ResourceClaim, pod: core_v1.Pod) -> None:
        """Write that a pod does not use a claim after all; failures are logged."""
        meta = claim.metadata
        gone = {"$patch": "delete", "uid": pod.metadata.uid}
        patch = {"metadata": {"uid": meta.uid}, "status": {"reservedFor": [gone]}}
        try:
            await self._client.patch(
                resource_v1.ResourceClaim,
                meta.name,
                meta.namespace,
                patch,
                kind=transport.STRATEGIC_PATCH,
                subresource="status",
            )
        except writes.FAILURES as error:
            log.info("claim %s/%s was not released: %s", meta.namespace, meta.name, error)

    async def give_back(self, claim: resource_v1.ResourceClaim) -> None:
        """Take a claim's devices from it, so that others can be had."""
        copy = codecs.copy(claim)
        copy.status = resource_v1.ResourceClaimStatus()
        await self._client.update_status(copy)

    async def create_claim(self, claim: resource_v1.ResourceClaim) -> resource_v1.ResourceClaim:
        try:
            made = await self._client.create(claim)
        except BaseException:
            self._metrics.claim_created("failure")
            raise
        self._metrics.claim_created("success")
        return made

    async def delete_claim(self, claim: resource_v1.ResourceClaim) -> None:
        """Nobody uses it; failures are logged, and the next attempt to place its pod finds it."""
        meta = claim.metadata
        try:
            copy = codecs.copy(await self._client.get(resource_v1.ResourceClaim, meta.name, meta.namespace))
            if FINALIZER in copy.metadata.finalizers:
                copy.metadata.finalizers.remove(FINALIZER)
                await self._client.update(copy)
            await self._client.delete(resource_v1.ResourceClaim, meta.name, meta.namespace)
        except writes.FAILURES as error:
            log.info("claim %s/%s was not deleted: %s", meta.namespace, meta.name, error)

    async def map_resources(self, pod: core_v1.Pod, status: core_v1.PodExtendedResourceClaimStatus) -> None:
        """Say on the pod which claim has the devices for its extended resources."""
        meta = pod.metadata
        patch = {"metadata": {"uid": meta.uid}, "status": {"extendedResourceClaimStatus": codecs.to_tree(status)}}
        await self._client.patch(
            core_v1.Pod, meta.name, meta.namespace, patch, kind=transport.STRATEGIC_PATCH, subresource="status"
        )

    def event(self, pod: core_v1.Pod, kind: str, reason: str, message: str) -> None:
        self._recorders[self._cluster.profile_of(pod)].event(pod, kind, reason, message)

    def waited_for_devices(
        self, pod: core_v1.Pod, claims: Iterable[resource_v1.ResourceClaim], outcome: str, seconds: float
    ) -> None:
        self._metrics.waited_for_devices(self._cluster.profile_of(pod), claims, outcome, seconds)

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
