"""Tells, in a StorageVersion for each built-in resource, in which version this API server writes it."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from pybernetes import client as clients
from pybernetes.api import errors, storage_versions, times
from pybernetes.api.types import meta_v1
from pybernetes.apiserver.resources import kind as kinds
from pybernetes.kits import clock as clocks

log = logging.getLogger(__name__)

RESOURCE = ("internal.apiserver.k8s.io", "v1alpha1", "storageversions")
ATTEMPTS = 3
RETRY_SECONDS = 1.0

StorageVersion = storage_versions.StorageVersion
Record = storage_versions.Record


def records(served: Iterable[kinds.Kind[Any]], server: str) -> dict[str, Record]:
    """By the names of StorageVersions (`apps.deployments`, `core.pods`): what the server of that name writes.

    What is served in several groups is told of in the one that it is stored as.
    """
    made: dict[str, Record] = {}
    for kind in served:
        resource = kind.resource
        stored = (kind if kind.stored_as is None else kind.stored_as.base).resource
        if resource.carrier is not None or "delete" not in resource.verbs:
            continue
        name = f"{stored.group or 'core'}.{stored.name}"
        record = made.setdefault(
            name,
            Record(apiServerID=server, encodingVersion=stored.api_version, decodableVersions=[stored.api_version]),
        )
        if resource.api_version not in record.decodableVersions:
            record.decodableVersions.append(resource.api_version)
        if resource.group == stored.group:
            record.servedVersions.append(resource.api_version)
    return made


async def tell(client: clients.Client, wanted: Mapping[str, Record], clock: clocks.Clock) -> None:
    """Write what is not said yet. What cannot be written is logged, and said at the next start."""
    for name, record in sorted(wanted.items()):
        for attempt in range(1, ATTEMPTS + 1):
            try:
                await _tell(client, name, record, times.to_time(clock.time()))
                break
            except errors.StatusError as error:
                log.warning("storage version of %s: %s", name, error)
                if attempt < ATTEMPTS:
                    await clock.sleep(RETRY_SECONDS)


async def _tell(client: clients.Client, name: str, record: Record, now: str) -> None:
    try:
        found = await client.get(StorageVersion, name)
    except errors.StatusError as error:
        if error.reason != "NotFound":
            raise
        found = await client.create(StorageVersion(metadata=meta_v1.ObjectMeta(name=name)))
    if record in found.status.storageVersions:
        return
    listed = [record if one.apiServerID == record.apiServerID else one for one in found.status.storageVersions]
    if record not in listed:
        listed.append(record)
    await client.update_status(storage_versions.with_records(found, listed, now))
