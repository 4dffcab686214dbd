"""What plugins may write and wait for before a pod is bound: see `plugin.Desk`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from pybernetes.api.types import core_v1
from pybernetes.client import Client, transport
from pybernetes.kits.clock import Clock
from pybernetes.scheduler import volumes, watching


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
