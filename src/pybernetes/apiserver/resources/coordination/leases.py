"""Leases."""

from __future__ import annotations

from collections.abc import Sequence

from pybernetes.api import fields, names
from pybernetes.api.types import coordination_v1
from pybernetes.apiserver.resources import cells, checks, kind

_SPEC = fields.Path("spec")


def validate(lease: coordination_v1.Lease) -> checks.Errors:
    spec = lease.spec
    problems: checks.Errors = []
    seconds = spec.leaseDurationSeconds
    if seconds is not None and seconds <= 0:
        problems.append(fields.invalid(_SPEC["leaseDurationSeconds"], seconds, "must be greater than 0"))
    problems += checks.not_negative(spec.leaseTransitions, _SPEC["leaseTransitions"])
    if spec.strategy is not None:
        if "/" in spec.strategy:
            problems += checks.named(spec.strategy, names.qualified_name, _SPEC["strategy"])
        else:
            problems += checks.one_of(spec.strategy, ("OldestEmulationVersion",), _SPEC["strategy"])
    if spec.preferredHolder and not spec.strategy:
        words = "may only be specified if `strategy` is defined"
        problems.append(fields.forbidden(_SPEC["preferredHolder"], words))
    return problems


def row(lease: coordination_v1.Lease, now: float) -> Sequence[kind.Cell]:
    return lease.metadata.name, lease.spec.holderIdentity or "", cells.age(lease.metadata, now)


KIND: kind.Kind[coordination_v1.Lease] = kind.Kind(
    resource=kind.resource("coordination.k8s.io", "v1", "leases"),
    validate=validate,
    create_on_update=True,
    allow_unconditional_update=False,
    columns=(kind.NAME, kind.Column("Holder"), kind.AGE),
    row=row,
)
