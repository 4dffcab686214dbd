"""ResourcePoolStatusRequests: asked once, answered once with how many devices of a driver's pools are in use."""

from __future__ import annotations

from collections.abc import Sequence

from pybernetes.api import fields
from pybernetes.api.types import meta_v1, resource_v1alpha3
from pybernetes.apiserver.resources import cells, checks, conditions, kind
from pybernetes.apiserver.resources.resource import devices

_SPEC = fields.Path("spec")
_STATUS = fields.Path("status")
_COUNTS = ("totalDevices", "availableDevices", "allocatedDevices", "unavailableDevices")

Request = resource_v1alpha3.ResourcePoolStatusRequest


def default(request: Request) -> None:
    if request.spec.limit is None:
        request.spec.limit = 100


def validate(request: Request) -> checks.Errors:
    spec = request.spec
    problems = devices.driver(spec.driver, _SPEC["driver"])
    if spec.poolName is not None:
        problems += devices.pool(spec.poolName, _SPEC["poolName"])
    if spec.limit is not None and spec.limit < 1:
        problems.append(fields.invalid(_SPEC["limit"], spec.limit, "must be greater than or equal to 1"))
    if spec.limit is not None and spec.limit > 1000:
        problems.append(fields.invalid(_SPEC["limit"], spec.limit, "must be less than or equal to 1000"))
    return problems


def validate_update(new: Request, old: Request) -> checks.Errors:
    return checks.immutable(new.spec, old.spec, _SPEC)


def validate_status(new: Request, old: Request) -> checks.Errors:
    if old.status is not None:
        return checks.immutable(new.status, old.status, _STATUS)
    return [] if new.status is None else conditions.validate(new.status.conditions, _STATUS["conditions"])


def row(request: Request, now: float) -> Sequence[kind.Cell]:
    status = request.status
    done = _true(request, "Complete")
    counts: list[kind.Cell] = ["-"] * (len(_COUNTS) + 1)
    pools = status.poolCount or 0 if status is not None else 0
    state = "Complete" if done else "Failed" if _true(request, "Failed") else "Pending"
    if status is not None and state != "Failed":
        counts = [str(sum(getattr(pool, name) or 0 for pool in status.pools)) for name in _COUNTS]
        counts.append(str(sum(pool.validationError is not None for pool in status.pools)))
        if done and pools > len(status.pools):
            state = f"Complete ({len(status.pools)}/{pools} pools)"
    completed = cells.since(done.lastTransitionTime, now) if done else "<none>"
    return request.metadata.name, request.spec.driver, *counts, pools, state, completed


def _true(request: Request, name: str) -> meta_v1.Condition | None:
    listed = request.status.conditions if request.status is not None else ()
    return next((c for c in listed if c.type == name and c.status == "True"), None)


KIND: kind.Kind[Request] = kind.Kind(
    resource=kind.resource("resource.k8s.io", "v1alpha3", "resourcepoolstatusrequests"),
    default=default,
    validate=validate,
    validate_update=validate_update,
    validate_status=validate_status,
    allow_unconditional_update=False,
    has_status=True,
    columns=(
        kind.NAME,
        kind.Column("Driver"),
        kind.Column("Total"),
        kind.Column("Available"),
        kind.Column("Allocated"),
        kind.Column("Unavailable"),
        kind.Column("Errors"),
        kind.Column("Pools", type="integer"),
        kind.Column("Status"),
        kind.Column("Completed"),
    ),
    row=row,
)
