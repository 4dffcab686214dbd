"""What migrations of one resource come to, as objects in and objects out."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybernetes.api import codecs, errors, scheme
from pybernetes.api.types import apiextensions_v1, core_v1, meta_v1, storagemigration_v1beta1
from pybernetes.controllers.storagemigration import decide, definitions

NOW = "2026-06-15T12:00:00Z"
Migration = storagemigration_v1beta1.StorageVersionMigration
Definition = apiextensions_v1.CustomResourceDefinition


def migration(name: str, *true: str, created: str = NOW) -> Migration:
    conditions = [{"type": kind, "status": "True", "reason": "r", "message": "m"} for kind in true]
    tree = {
        "metadata": {"name": name, "creationTimestamp": created, "generation": 1},
        "status": {"conditions": conditions},
    }
    return codecs.from_tree(Migration, tree)


def names(agenda: decide.Agenda) -> tuple[list[str], str, list[str]]:
    chosen = agenda.next.metadata.name if agenda.next is not None else ""
    return [m.metadata.name for m in agenda.ended], chosen, [m.metadata.name for m in agenda.active]


@pytest.mark.parametrize(
    ("listed", "expected"),
    [
        ([], ([], "", [])),
        ([migration("b"), migration("a")], ([], "a", [])),
        ([migration("a"), migration("b", created="2026-06-15T11:59:59Z")], ([], "b", [])),
        ([migration("a"), migration("b", "Running")], ([], "", ["b"])),
        # One that is being cleaned up after is in nobody's way.
        ([migration("a"), migration("b", "Running", "Succeeded")], (["b"], "a", [])),
        ([migration("a", "Succeeded"), migration("b", "Failed")], ([], "", [])),
        ([migration("a", "Failed", "Running"), migration("b", "Running"), migration("c")], (["a"], "", ["b"])),
    ],
)
def test_the_agenda(listed: list[Migration], expected: Any) -> None:
    assert names(decide.agenda(listed)) == expected


def test_statuses_from_beginning_to_end() -> None:
    one = migration("m")
    running = decide.begun(one, NOW)
    assert one.status.conditions == []
    assert codecs.to_tree(running.status) == {
        "conditions": [
            {
                "type": "Running", "status": "True", "reason": "MigrationRunning",
                "message": "The migration is running", "lastTransitionTime": NOW,
            }
        ]
    }  # fmt: skip
    # Said once, it stays as it was said.
    assert decide.begun(running, "2027-01-01T00:00:00Z") == running
    done = decide.succeeded(running, NOW)
    assert [(c.type, c.status, c.reason, c.message) for c in done.status.conditions][1:] == [
        ("Succeeded", "True", "StorageVersionMigrationSucceeded", "")
    ]
    over = decide.ended(done, NOW)
    assert codecs.to_tree(over.status)["conditions"][0] == {
        "type": "Running", "status": "False", "reason": "MigrationCompleted", "message": "Migration completed",
        "lastTransitionTime": NOW, "observedGeneration": 1,
    }  # fmt: skip
    assert names(decide.agenda([over])) == ([], "", [])
    lost = decide.failed(running, "no", NOW)
    assert [(c.type, c.reason, c.message) for c in lost.status.conditions][1:] == [
        ("Failed", "StorageVersionMigrationFailed", "no")
    ]


def test_the_apply_that_changes_nothing() -> None:
    meta = meta_v1.ObjectMeta(name="a", namespace="b", uid="u", resourceVersion="7", labels={"x": "y"})
    assert decide.rewriting(scheme.by_type(core_v1.Pod), meta) == {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"uid": "u", "resourceVersion": "7"},
    }  # fmt: skip


@pytest.mark.parametrize("text", ["", "0", "07", "-1", "1a", "\u00b9", "\u0661"])
def test_malformed_revisions(text: str) -> None:
    with pytest.raises(ValueError, match=f"^resource version is not well formed: {text}$"):
        decide.revision(text)


@given(st.integers(min_value=1))
def test_revisions(number: int) -> None:
    assert decide.revision(str(number)) == number


@pytest.mark.parametrize(
    ("error", "retriable", "seconds"),
    [
        (errors.too_many_requests("wait", 3), True, 3.0),
        (errors.unavailable("no"), True, 0.0),
        (errors.internal("oh"), True, 0.0),
        (errors.forbidden("", "pods", "a", "no"), False, 0.0),
        (errors.invalid("", "Pod", "a", []), False, 0.0),
    ],
)
def test_what_is_tried_again(error: errors.StatusError, retriable: bool, seconds: float) -> None:
    assert (decide.is_retriable(error), decide.delay(error)) == (retriable, seconds)


def definition(*, generation: int = 2, observed: int | None = 2) -> Definition:
    marked = {"type": "StorageMigrating", "status": "True", "observedGeneration": observed}
    tree = {
        "metadata": {"name": "widgets.example.com", "generation": generation, "resourceVersion": "5"},
        "spec": {"versions": [{"name": "v1", "storage": False}, {"name": "v2", "storage": True}]},
        "status": {"conditions": [] if observed is None else [marked], "storedVersions": ["v1", "v2"]},
    }
    return codecs.from_tree(Definition, tree)


def test_what_a_definition_is_told_of_the_beginning() -> None:
    assert definitions.begun(definition(observed=None), "m", NOW) == {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.example.com", "resourceVersion": "5"},
        "status": {
            "conditions": [
                {
                    "type": "StorageMigrating", "status": "True", "reason": "MigrationRunning",
                    "message": "Migration m is running", "lastTransitionTime": NOW, "observedGeneration": 2,
                }
            ],
            "storedVersions": ["v1", "v2"],
        },
    }  # fmt: skip


UPDATED = "The migration has succeeded and the stored versions have been updated"
MISMATCH = "The migration has succeeded but the stored versions have not been updated due to a generation mismatch"


@pytest.mark.parametrize(
    ("one", "succeeded", "reason", "message", "stored"),
    [
        (definition(), True, "MigrationSucceeded", UPDATED, ["v2"]),
        (definition(generation=3), True, "MigrationSucceeded", MISMATCH, ["v1", "v2"]),
        (definition(observed=None), True, "MigrationSucceeded", MISMATCH, ["v1", "v2"]),
        (definition(), False, "MigrationFailed", "The migration has failed", ["v1", "v2"]),
    ],
)
def test_what_a_definition_is_told_of_the_end(
    one: Definition, succeeded: bool, reason: str, message: str, stored: list[str]
) -> None:
    status = definitions.ended(one, succeeded=succeeded, now=NOW)["status"]
    (condition,) = status["conditions"]
    assert (condition["status"], condition["reason"], condition["message"]) == ("False", reason, message)
    assert condition["observedGeneration"] == one.metadata.generation
    assert status["storedVersions"] == stored
