"""What a migration tells of itself in the status of a CustomResourceDefinition: applied, by whom upstream does it."""

from __future__ import annotations

from typing import Any

from pybernetes.api import storage_versions
from pybernetes.api.types import apiextensions_v1
from pybernetes.controllers import conditions

Definition = apiextensions_v1.CustomResourceDefinition

MANAGER = "migration-runner-controller"
MIGRATING = "StorageMigrating"


def digest(definition: Definition) -> str:
    """What discovery says of the resource once it is served as the definition has it."""
    spec = definition.spec
    stored = next(version.name for version in spec.versions if version.storage)
    return storage_versions.digest(f"{spec.group}/{stored}/{definition.status.acceptedNames.kind}")


def begun(definition: Definition, migration: str, now: str) -> dict[str, Any]:
    """The apply that says that the migration of that name runs.

    The stored versions are in it, for an earlier migration may have come to own them: who no longer names what he owns
    alone takes it away, and nothing would keep a version that objects are stored in from being removed.
    """
    message = f"Migration {migration} is running"
    return _apply(definition, "True", "MigrationRunning", message, definition.status.storedVersions, now)


def ended(definition: Definition, *, succeeded: bool, now: str) -> dict[str, Any]:
    """The apply that says how it came out. What is stored is in the storage version now, unless it failed, or the
    definition is another one than when it began."""
    stored = definition.status.storedVersions
    if not succeeded:
        return _apply(definition, "False", "MigrationFailed", "The migration has failed", stored, now)
    marked = conditions.find(definition.status.conditions, MIGRATING)
    unchanged = marked is not None and marked.observedGeneration == (definition.metadata.generation or 0)
    message = "The migration has succeeded"
    if unchanged:
        message += " and the stored versions have been updated"
        stored = [version.name for version in definition.spec.versions if version.storage]
    else:
        message += " but the stored versions have not been updated due to a generation mismatch"
    return _apply(definition, "False", "MigrationSucceeded", message, stored, now)


def _apply(
    definition: Definition, status: str, reason: str, message: str, stored: list[str], now: str
) -> dict[str, Any]:
    meta = definition.metadata
    condition = {
        "type": MIGRATING,
        "status": status,
        "reason": reason,
        "message": message,
        "lastTransitionTime": now,
        "observedGeneration": meta.generation or 0,
    }
    return {
        "apiVersion": definition.apiVersion,
        "kind": definition.kind,
        # What is said is true of this revision only.
        "metadata": {"name": meta.name, "resourceVersion": meta.resourceVersion},
        "status": {"conditions": [condition], "storedVersions": stored},
    }
