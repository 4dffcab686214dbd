from __future__ import annotations

from typing import Any

import pytest

from pybernetes.api import codecs
from pybernetes.api.types import apiserverinternal_v1alpha1
from pybernetes.apiserver.resources.internal_apiserver import storageversions

StorageVersion = apiserverinternal_v1alpha1.StorageVersion


def version(*servers: dict[str, Any], **status: Any) -> StorageVersion:
    tree = {"metadata": {"name": "core.pods"}, "status": {"storageVersions": list(servers), **status}}
    return codecs.from_tree(StorageVersion, tree)


def server(name: str = "a", encoding: str = "apps/v1", *more: str, served: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        "apiServerID": name, "encodingVersion": encoding, "decodableVersions": [encoding, *more],
        "servedVersions": list(served),
    }  # fmt: skip


COMMON = "status.commonEncodingVersion"
NOT_COMMON = (
    "should be nil if servers do not agree on the same encoding version, or if there is no server reporting the "
    "supported versions yet"
)


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (version(), []),
        (version(server(), server("b", served=("apps/v1",)), commonEncodingVersion="apps/v1"), []),
        (version(server(), server("b", "v1")), []),
        (version(commonEncodingVersion="v1"), [(COMMON, NOT_COMMON)]),
        (version(server()), [(COMMON, "the common encoding version is apps/v1")]),
        (version(server(), commonEncodingVersion="v1"), [(COMMON, "the actual common encoding version is apps/v1")]),
        (
            version(server(), server(), commonEncodingVersion="apps/v1"),
            [("status.storageVersions[1].apiServerID", "")],
        ),
        (
            version(server(encoding="/"), commonEncodingVersion="/"),
            [
                (
                    f"status.storageVersions[0].{where}",
                    "group part: must be non-empty,version part: must be non-empty",
                )
                for where in ("encodingVersion", "decodableVersions[0]")
            ],
        ),
        (
            version({"apiServerID": "a", "encodingVersion": "v1"}, commonEncodingVersion="v1"),
            [("status.storageVersions[0].decodableVersions", "decodableVersions must include encodingVersion v1")],
        ),
        (
            version(server("a", "v1", "v2", served=("v3",)), commonEncodingVersion="v1"),
            [
                (
                    "status.storageVersions[0].servedVersions[0]",
                    "individual served version : v3 must be included in decodableVersions : [v1 v2]",
                )
            ],
        ),
        (
            version(conditions=[{"type": "A", "status": "True", "reason": "R", "message": "m"}, {"type": "A"}]),
            [
                ("status[1].type", "the type of the condition is not unique, it also appears in conditions[0]"),
                ("status[1].status", "name part must be non-empty"),
                ("status[1].status", "name part must consist of alphanumeric characters, '-', '_' or '.', and must"),
                ("status[1].reason", ""),
                ("status[1].message", ""),
            ],
        ),
    ],
)
def test_a_status(one: StorageVersion, expected: list[tuple[str, str]]) -> None:
    found = storageversions.validate_status(one, version())
    assert [problem.field for problem in found] == [path for path, _ in expected]
    for problem, (_, words) in zip(found, expected, strict=True):
        assert words in problem.message


@pytest.mark.parametrize(
    ("name", "problems"),
    [
        ("core.pods", []),
        ("apps.example.com.widgets", []),
        ("pods", ["name must be in the form of <group>.<resource>"]),
        (".pods", ["the group segment a lowercase RFC 1123 subdomain must consist"]),
        ("core.Pods", ["the resource segment a DNS-1035 label must consist"]),
    ],
)
def test_names(name: str, problems: list[str]) -> None:
    found = storageversions.check_name(name)
    assert len(found) == len(problems)
    assert all(text.startswith(words) for text, words in zip(found, problems, strict=True))


@pytest.mark.parametrize(
    ("one", "cells"),
    [
        (version(), ("<unset>", "<unset>")),
        (version(server(), commonEncodingVersion="apps/v1"), ("apps/v1", "a=apps/v1")),
        (version(*(server(name, "v1") for name in "abcde")), ("<unset>", "a=v1,b=v1,c=v1 + 2 more...")),
    ],
)
def test_a_row(one: StorageVersion, cells: tuple[str, str]) -> None:
    assert tuple(storageversions.row(one, 0.0))[1:3] == cells
