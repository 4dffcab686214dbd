from __future__ import annotations

from typing import Any

import pytest

from pybernetes.api import codecs, errors
from pybernetes.api.types import storagemigration_v1beta1
from pybernetes.apiserver.resources.storagemigration import storageversionmigrations
from tests.fakes import apiserver as fakes

Migration = storagemigration_v1beta1.StorageVersionMigration
LABEL = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, "
    "and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is "
    "'[a-z]([-a-z0-9]*[a-z0-9])?')"
)


def migration(group: str = "example.com", resource: str = "widgets", **status: Any) -> Migration:
    tree = {
        "metadata": {"name": "m"},
        "spec": {"resource": {"group": group, "resource": resource}},
        "status": {name.replace("_", ""): value for name, value in status.items()},
    }
    return codecs.from_tree(Migration, tree)


def condition(kind: str, status: str = "True") -> dict[str, str]:
    return {
        "type": kind, "status": status, "reason": "R", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (migration(), []),
        (migration(group=""), []),
        (migration(resource=""), ["spec.resource.resource: Required value: resource is required to be set"]),
        (migration(resource="a.b"), [f'spec.resource.resource: Invalid value: "a.b": {LABEL}']),
    ],
)
def test_validation(one: Migration, expected: list[str]) -> None:
    assert [str(problem) for problem in storageversionmigrations.validate(one)] == expected


def test_the_group_and_that_it_is_for_life() -> None:
    (problem,) = storageversionmigrations.validate(migration(group="A"))
    assert str(problem).startswith(
        'spec.resource.group: Invalid value: "A": a lowercase RFC 1123 subdomain must consist'
    )
    (problem,) = storageversionmigrations.validate_update(migration(), migration(group=""))
    assert problem.field == "spec"
    assert problem.message.endswith(": field is immutable")


@pytest.mark.parametrize(
    ("new", "old", "expected"),
    [
        ({"resourceVersion": "7"}, {}, []),
        ({"resourceVersion": "7"}, {"resourceVersion": "7"}, []),
        (
            {"resourceVersion": "07"},
            {},
            [("status.resourceVersion", "resource version is not well formed: 07")],
        ),
        ({"resourceVersion": "8"}, {"resourceVersion": "7"}, [("status.resourceVersion", "field is immutable")]),
        ({"conditions": [condition("Succeeded")]}, {"conditions": [condition("Running")]}, []),
        (
            {"conditions": [condition("Succeeded"), condition("Failed")]},
            {},
            [("status.conditions", "Both success and failed conditions cannot be true at the same time")],
        ),
        (
            {"conditions": [condition("Succeeded", "False")]},
            {"conditions": [condition("Succeeded")]},
            [("status.conditions", "Success condition cannot be set to false once it is true")],
        ),
        (
            {},
            {"conditions": [condition("Failed")]},
            [("status.conditions", "Failed condition cannot be set to false once it is true")],
        ),
    ],
)
def test_a_status(new: dict[str, Any], old: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    problems = storageversionmigrations.validate_status(migration(**new), migration(**old))
    assert [problem.field for problem in problems] == [path for path, _ in expected]
    assert all(problem.message.endswith(f": {words}") for problem, (_, words) in zip(problems, expected, strict=True))


@pytest.mark.parametrize(
    ("conditions", "group", "cells"),
    [
        ([], "example.com", ("m", "widgets.example.com", "Unknown")),
        ([condition("Running")], "", ("m", "widgets", "Running")),
        ([condition("Running", "False"), condition("Failed")], "", ("m", "widgets", "Failed")),
        ([condition("Other")], "", ("m", "widgets", "Unknown")),
    ],
)
def test_a_row(conditions: list[dict[str, str]], group: str, cells: tuple[str, ...]) -> None:
    assert storageversionmigrations.row(migration(group, conditions=conditions), 0.0) == cells


async def test_who_writes_what() -> None:
    on = {"storagemigration.k8s.io/v1beta1": True}
    async with fakes.FakeServer(runtime_config=on) as server:
        made = await server.client.create(migration(resourceVersion="7"))
        assert made.status == storagemigration_v1beta1.StorageVersionMigrationStatus()
        wanted = codecs.copy(made)
        wanted.spec.resource.resource = "gadgets"
        wanted.status.resourceVersion = "7"
        written = await server.client.update_status(wanted)
        assert (written.spec, written.status.resourceVersion) == (made.spec, "7")
        wanted.metadata.resourceVersion = ""
        with pytest.raises(errors.StatusError, match=r"metadata\.resourceVersion: Invalid value: 0: must be specified"):
            await server.client.update_status(wanted)
    async with fakes.FakeServer() as server:
        with pytest.raises(errors.StatusError, match="could not find the requested resource"):
            await server.client.create(migration())
