"""StorageVersionMigrations: what is stored is to be written anew, in the version of now."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pybernetes.api import fields, names
from pybernetes.api.types import storagemigration_v1beta1
from pybernetes.apiserver.resources import checks, conditions, kind

_RESOURCE = fields.Path("spec")["resource"]
_STATUS = fields.Path("status")
_WELL_FORMED = re.compile(r"[1-9][0-9]*")
_STATES = ("Running", "Failed", "Succeeded")

Migration = storagemigration_v1beta1.StorageVersionMigration


def validate(migration: Migration) -> checks.Errors:
    resource = migration.spec.resource
    problems: checks.Errors = []
    if not resource.resource:
        problems.append(fields.required(_RESOURCE["resource"], "resource is required to be set"))
    elif wrong := names.dns1035_label(resource.resource):
        problems.append(fields.invalid(_RESOURCE["resource"], resource.resource, ",".join(wrong)))
    if resource.group and (wrong := names.dns_subdomain(resource.group)):
        problems.append(fields.invalid(_RESOURCE["group"], resource.group, ",".join(wrong)))
    return problems


def validate_update(new: Migration, old: Migration) -> checks.Errors:
    return checks.immutable(new.spec, old.spec, fields.Path("spec"))


def validate_status(new: Migration, old: Migration) -> checks.Errors:
    listed, path = new.status.conditions, _STATUS["conditions"]
    problems: checks.Errors = []
    revision = new.status.resourceVersion
    if revision and not _WELL_FORMED.fullmatch(revision):
        words = f"resource version is not well formed: {revision}"
        problems.append(fields.invalid(_STATUS["resourceVersion"], revision, words))
    problems += conditions.validate(listed, path)
    if old.status.resourceVersion:
        problems += checks.immutable(revision, old.status.resourceVersion, _STATUS["resourceVersion"])
    if _is(new, "Succeeded") and _is(new, "Failed"):
        words = "Both success and failed conditions cannot be true at the same time"
        problems.append(fields.invalid(path, listed, words))
    for name, word in (("Succeeded", "Success"), ("Failed", "Failed")):
        if _is(old, name) and not _is(new, name):
            words = f"{word} condition cannot be set to false once it is true"
            problems.append(fields.invalid(path, listed, words))
    return problems


def _is(migration: Migration, name: str) -> bool:
    return any(c.type == name and c.status == "True" for c in migration.status.conditions)


def row(migration: Migration, _: float) -> Sequence[kind.Cell]:
    resource = migration.spec.resource
    name = f"{resource.resource}.{resource.group}" if resource.group else resource.resource
    states = [c.type for c in migration.status.conditions if c.type in _STATES and c.status == "True"]
    return migration.metadata.name, name, states[-1] if states else "Unknown"


KIND: kind.Kind[Migration] = kind.Kind(
    resource=kind.resource("storagemigration.k8s.io", "v1beta1", "storageversionmigrations"),
    validate=validate,
    validate_update=validate_update,
    validate_status=validate_status,
    allow_unconditional_update=False,
    has_status=True,
    columns=(kind.NAME, kind.Column("Resource"), kind.Column("Status")),
    row=row,
)
