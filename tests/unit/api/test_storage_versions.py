"""What the records of a StorageVersion come to."""

from __future__ import annotations

import pytest

from pybernetes.api import codecs, storage_versions

BEFORE, NOW = "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"


def record(server: str, version: str) -> storage_versions.Record:
    return storage_versions.Record(apiServerID=server, encodingVersion=version, decodableVersions=[version])


def said(common: str | None) -> storage_versions.StorageVersion:
    word = "Unset" if common is None else "Set"
    condition = {
        "type": "AllEncodingVersionsEqual", "status": "False" if common is None else "True",
        "reason": f"CommonEncodingVersion{word}", "message": f"Common encoding version {word.lower()}",
        "lastTransitionTime": BEFORE,
    }  # fmt: skip
    status = {"commonEncodingVersion": common, "conditions": [{"type": "Other", "status": "True"}, condition]}
    return codecs.from_tree(storage_versions.StorageVersion, {"metadata": {"name": "core.pods"}, "status": status})


@pytest.mark.parametrize(
    ("before", "records", "common", "since"),
    [
        ("v1", [record("a", "v1")], "v1", BEFORE),
        ("v1", [record("a", "v1"), record("b", "v1")], "v1", BEFORE),
        ("v1", [record("a", "v1"), record("b", "v2")], None, NOW),
        ("v1", [record("a", "v2")], "v2", NOW),
        (None, [record("a", "v2")], "v2", NOW),
        (None, [record("a", "v1"), record("b", "v2")], None, BEFORE),
        (None, [], None, BEFORE),
    ],
)
def test_what_they_have_in_common(
    before: str | None, records: list[storage_versions.Record], common: str | None, since: str
) -> None:
    given = said(before)
    made = storage_versions.with_records(given, records, NOW)
    assert given == said(before)
    assert made.status.storageVersions == records
    assert made.status.commonEncodingVersion == common
    assert [one.type for one in made.status.conditions] == ["Other", "AllEncodingVersionsEqual"]
    assert made.status.conditions[1].status == ("False" if common is None else "True")
    assert made.status.conditions[1].lastTransitionTime == since
    assert made.status.conditions[1].reason == said(common).status.conditions[1].reason


def test_the_first_record() -> None:
    made = storage_versions.with_records(storage_versions.StorageVersion(), [record("a", "v1")], NOW)
    (condition,) = made.status.conditions
    assert (condition.status, condition.lastTransitionTime) == ("True", NOW)
