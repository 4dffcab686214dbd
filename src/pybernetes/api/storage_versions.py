"""In which versions resources are stored: what discovery tells of it, and what records in StorageVersions come to."""

from __future__ import annotations

import base64
import hashlib

from pybernetes.api import codecs
from pybernetes.api.types import apiserverinternal_v1alpha1

AGREED = "AllEncodingVersionsEqual"

StorageVersion = apiserverinternal_v1alpha1.StorageVersion
Record = apiserverinternal_v1alpha1.ServerStorageVersion


def digest(stored: str) -> str:
    """Of `apps/v1/Deployment`, the `storageVersionHash` of discovery: tells clients that have seen it before whether
    objects are stored in another version since."""
    return base64.b64encode(hashlib.sha256(stored.encode()).digest()[:8]).decode()


def with_records(version: StorageVersion, records: list[Record], now: str) -> StorageVersion:
    """A copy with these records, and with what they have in common, also as a condition."""
    copy = codecs.copy(version)
    status = copy.status
    before = status.commonEncodingVersion
    written = {record.encodingVersion for record in records}
    status.storageVersions = records
    status.commonEncodingVersion = common = written.pop() if len(written) == 1 else None
    word = "Unset" if common is None else "Set"
    condition = apiserverinternal_v1alpha1.StorageVersionCondition(
        type=AGREED,
        status="False" if common is None else "True",
        observedGeneration=copy.metadata.generation or 0,
        reason=f"CommonEncodingVersion{word}",
        message=f"Common encoding version {word.lower()}",
        lastTransitionTime=now,
    )
    known = next((one for one in status.conditions if one.type == AGREED), None)
    if known is None:
        status.conditions = [*status.conditions, condition]
        return copy
    # From one version to another is a transition, too.
    moved = before is not None and common is not None and before != common
    if known.status == condition.status and not moved:
        condition.lastTransitionTime = known.lastTransitionTime
    status.conditions = [condition if one is known else one for one in status.conditions]
    return copy
