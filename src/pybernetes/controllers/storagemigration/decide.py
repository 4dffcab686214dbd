"""What is to be done about the migrations of one resource, and what their statuses say; objects in, objects out."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from pybernetes.api import codecs, errors, scheme
from pybernetes.api.types import meta_v1, storagemigration_v1beta1
from pybernetes.controllers import conditions

_WELL_FORMED = re.compile(r"[1-9][0-9]*")
Migration = storagemigration_v1beta1.StorageVersionMigration

RUNNING, SUCCEEDED, FAILED = "Running", "Succeeded", "Failed"
# What has to be possible with the objects of a resource.
VERBS = ("update", "patch", "list")
# Reasons to try the whole pass once more; another refusal ends the migration.
RETRIABLE = frozenset(("ServerTimeout", "TooManyRequests", "ServiceUnavailable", "InternalError", "Timeout"))


class Agenda(NamedTuple):
    """Of one resource: those that have ended and still say that they run, the one to begin, those under way."""

    ended: list[Migration]
    next: Migration | None
    active: list[Migration]


def agenda(migrations: Iterable[Migration]) -> Agenda:
    """One runs at a time; the oldest comes first."""
    ended: list[Migration] = []
    waiting: list[Migration] = []
    active: list[Migration] = []
    for migration in migrations:
        if is_true(migration, RUNNING):
            (ended if is_over(migration) else active).append(migration)
        elif not is_over(migration):
            waiting.append(migration)
    waiting.sort(key=lambda one: (one.metadata.creationTimestamp or "", one.metadata.name))
    return Agenda(ended, None if active or not waiting else waiting[0], active)


def is_over(migration: Migration) -> bool:
    return is_true(migration, SUCCEEDED) or is_true(migration, FAILED)


def is_true(migration: Migration, kind: str) -> bool:
    found = conditions.find(migration.status.conditions, kind)
    return found is not None and found.status == "True"


def begun(migration: Migration, now: str) -> Migration:
    return _with(migration, RUNNING, "MigrationRunning", "The migration is running", now)


def succeeded(migration: Migration, now: str) -> Migration:
    return _with(migration, SUCCEEDED, "StorageVersionMigrationSucceeded", "", now)


def failed(migration: Migration, why: str, now: str) -> Migration:
    return _with(migration, FAILED, "StorageVersionMigrationFailed", why, now)


def ended(migration: Migration, now: str) -> Migration:
    """No longer running, in the place where it said that it was."""
    copy = codecs.copy(migration)
    over = meta_v1.Condition(
        type=RUNNING,
        status="False",
        reason="MigrationCompleted",
        message="Migration completed",
        observedGeneration=migration.metadata.generation or 0,
        lastTransitionTime=now,
    )
    copy.status.conditions = [over if known.type == RUNNING else known for known in copy.status.conditions]
    return copy


def _with(migration: Migration, kind: str, reason: str, message: str, now: str) -> Migration:
    """A condition is set once, whatever it has come to say since."""
    copy = codecs.copy(migration)
    known = conditions.find(copy.status.conditions, kind)
    if known is None or known.status not in ("True", "False"):
        condition = meta_v1.Condition(type=kind, status="True", reason=reason, message=message, lastTransitionTime=now)
        copy.status.conditions = [*copy.status.conditions, condition]
    return copy


def refusal(resource: scheme.Resource) -> str:
    """Why the objects of a resource cannot be written anew; "" where they can."""
    if set(VERBS).issubset(resource.verbs):
        return ""
    shown = f"{resource.group}/{resource.version}, Resource={resource.name}"
    return f'resource "{shown}" does not support discovery operations: [{" ".join(VERBS)}]'


def revision(text: str) -> int:
    """A resourceVersion as a number, by which those of one resource can be compared. Raises ValueError."""
    if not _WELL_FORMED.fullmatch(text):
        raise ValueError(f"resource version is not well formed: {text}")
    return int(text)


def rewriting(resource: scheme.Resource, meta: meta_v1.ObjectMeta) -> dict[str, Any]:
    """The apply that changes nothing.

    Its uid makes one of an object that has gone a conflict rather than a new object, and its resourceVersion one of an
    object that was written or made anew in between, which the version of now is stored of.
    """
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": {"uid": meta.uid, "resourceVersion": meta.resourceVersion},
    }


def is_retriable(error: errors.StatusError) -> bool:
    return error.reason in RETRIABLE


def delay(error: errors.StatusError) -> float:
    """How long the server asked to be left alone, in seconds; 0: it did not say."""
    details = error.status.details
    return float(details.retryAfterSeconds) if details is not None else 0.0
