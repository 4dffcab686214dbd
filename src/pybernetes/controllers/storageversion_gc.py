"""Takes out of StorageVersions what API servers said that are gone, and deletes those that nobody says anything in.

An API server is there as long as its identity lease is. The caches only say where to look.
"""

from __future__ import annotations

from collections.abc import Collection

from pybernetes.api import errors, storage_versions, times
from pybernetes.api.types import coordination_v1
from pybernetes.controllers.context import Context

NAME = "storageversion-garbage-collector-controller"
NAMESPACE = "kube-system"
LABEL, COMPONENT = "apiserver.kubernetes.io/identity", "kube-apiserver"

Lease = coordination_v1.Lease
StorageVersion = storage_versions.StorageVersion
Record = storage_versions.Record


def is_identity(lease: Lease | None) -> bool:
    return lease is not None and lease.metadata.labels.get(LABEL) == COMPONENT


def without(version: StorageVersion, gone: Collection[str]) -> list[Record] | None:
    """What is left to be said when these servers are gone; None where they said nothing."""
    left = [record for record in version.status.storageVersions if record.apiServerID not in gone]
    return None if len(left) == len(version.status.storageVersions) else left


class StorageVersionGC:
    """The controller. Work items are `server/<lease>` of a server that may be gone, and `version/<name>`."""

    def __init__(self, context: Context) -> None:
        self._context, self._client = context, context.client
        self._queue = context.queue(NAME)
        self._leases = context.informers.of(Lease, namespace=NAMESPACE, labels=f"{LABEL}={COMPONENT}")
        self._versions = context.informers.of(StorageVersion)
        self._leases.on_change(self._lease_changed)
        self._versions.on_change(self._version_changed)

    async def run(self) -> None:
        after = (self._leases, self._versions)
        await self._context.reconcile(NAME, self._queue, self.reconcile, after=after, workers=1)

    def _lease_changed(self, old: Lease | None, new: Lease | None) -> None:
        if new is None and old is not None:
            self._queue.add(f"server/{old.metadata.name}", "identity Lease deleted")

    def _version_changed(self, old: StorageVersion | None, new: StorageVersion | None) -> None:
        if new is not None:
            self._queue.add(f"version/{new.metadata.name}", "StorageVersion changed")

    async def reconcile(self, key: str) -> None:
        what, _, name = key.partition("/")
        if what == "server":
            await self._server_gone(name)
            return
        version = self._versions.cache.get(name)
        records = version.status.storageVersions if version is not None else []
        if any(self._leases.cache.get(record.apiServerID, NAMESPACE) is None for record in records):
            await self._check(name)

    async def _server_gone(self, server: str) -> None:
        try:
            await self._client.get(Lease, server, NAMESPACE)
        except errors.StatusError as error:
            if error.reason != "NotFound":
                raise
            for version in (await self._client.list(StorageVersion)).items:
                await self._take_out(version, {server})

    async def _check(self, name: str) -> None:
        try:
            version = await self._client.get(StorageVersion, name)
        except errors.StatusError as error:
            if error.reason != "NotFound":
                raise
            return
        servers = [record.apiServerID for record in version.status.storageVersions]
        await self._take_out(version, {server for server in servers if not await self._is_there(server)})

    async def _is_there(self, server: str) -> bool:
        try:
            return is_identity(await self._client.get(Lease, server, NAMESPACE))
        except errors.StatusError as error:
            if error.reason != "NotFound":
                raise
            return False

    async def _take_out(self, version: StorageVersion, gone: Collection[str]) -> None:
        left = without(version, gone)
        if left is None:
            return
        if left:
            now = times.to_time(self._context.clock.time())
            await self._client.update_status(storage_versions.with_records(version, left, now))
            return
        meta = version.metadata
        # A server that has come meanwhile may have said something.
        await self._client.delete(StorageVersion, meta.name, uid=meta.uid, revision=meta.resourceVersion)
