"""ResourceClaims: devices that pods ask for, and what they got."""

from __future__ import annotations

from collections.abc import Sequence

from pybernetes.api import fields
from pybernetes.api.types import resource_v1
from pybernetes.apiserver.resources import cells, checks, kind
from pybernetes.apiserver.resources.resource import claim_spec, claim_status

_SPEC = fields.Path("spec")


def default(claim: resource_v1.ResourceClaim) -> None:
    claim_spec.default(claim.spec)


def prepare_status(new: resource_v1.ResourceClaim, old: resource_v1.ResourceClaim) -> None:
    claim_status.drop_unallocated(new.status, old.status)


def validate(claim: resource_v1.ResourceClaim) -> checks.Errors:
    return claim_spec.validate(claim.spec, _SPEC)


def validate_update(new: resource_v1.ResourceClaim, old: resource_v1.ResourceClaim) -> checks.Errors:
    return checks.immutable(new.spec, old.spec, _SPEC)


def validate_status(new: resource_v1.ResourceClaim, old: resource_v1.ResourceClaim) -> checks.Errors:
    known = claim_spec.request_names(new.spec)
    deleting = new.metadata.deletionTimestamp is not None
    return claim_status.validate(new.status, old.status, known, deleting=deleting)


def row(claim: resource_v1.ResourceClaim, now: float) -> Sequence[kind.Cell]:
    deleted = claim.metadata.deletionTimestamp is not None
    states = ["deleted"] if deleted else []
    if claim.status.allocation is not None:
        states += ["allocated", "reserved"] if claim.status.reservedFor else ["allocated"]
    elif not deleted:
        states.append("pending")
    return claim.metadata.name, ",".join(states), cells.age(claim.metadata, now)


KIND: kind.Kind[resource_v1.ResourceClaim] = kind.Kind(
    resource=kind.resource("resource.k8s.io", "v1", "resourceclaims"),
    default=default,
    prepare_status=prepare_status,
    validate=validate,
    validate_update=validate_update,
    validate_status=validate_status,
    # The spec cannot change, so that what was wrong at its creation may stay wrong.
    ratchets=True,
    has_status=True,
    columns=(kind.NAME, kind.Column("State"), kind.AGE),
    row=row,
)
