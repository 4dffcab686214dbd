"""CSIDrivers."""

from __future__ import annotations

from collections.abc import Sequence

from pybernetes.api import fields
from pybernetes.api.types import storage_v1
from pybernetes.apiserver.resources import cells, checks, kind

_SPEC = fields.Path("spec")
_FALSE_BY_DEFAULT = ("podInfoOnMount", "storageCapacity", "requiresRepublish", "seLinuxMount")


def default(driver: storage_v1.CSIDriver) -> None:
    spec = driver.spec
    if spec.attachRequired is None:
        spec.attachRequired = True
    for name in _FALSE_BY_DEFAULT:
        if getattr(spec, name) is None:
            setattr(spec, name, False)
    spec.fsGroupPolicy = spec.fsGroupPolicy or "ReadWriteOnceWithFSType"
    spec.volumeLifecycleModes = spec.volumeLifecycleModes or ["Persistent"]


def prepare_create(driver: storage_v1.CSIDriver) -> None:
    driver.metadata.generation = 1


def validate(driver: storage_v1.CSIDriver) -> checks.Errors:
    spec = driver.spec
    problems: checks.Errors = []
    if spec.fsGroupPolicy is not None:
        policies = ("ReadWriteOnceWithFSType", "File", "None")
        problems += checks.one_of(spec.fsGroupPolicy, policies, _SPEC["fsGroupPolicy"])
    for index, mode in enumerate(spec.volumeLifecycleModes):
        at = _SPEC["volumeLifecycleModes"][index]
        problems += checks.one_of(mode, ("Ephemeral", "Persistent"), at)
    seen: set[str] = set()
    for index, request in enumerate(spec.tokenRequests):
        at = _SPEC["tokenRequests"][index]
        if request.audience in seen:
            problems.append(fields.duplicate(at["audience"], request.audience))
        seen.add(request.audience)
        seconds = request.expirationSeconds
        if seconds is not None and seconds < 600:
            words = "may not specify a duration less than 10 minutes"
            problems.append(fields.invalid(at["expirationSeconds"], seconds, words))
    return problems


def validate_update(new: storage_v1.CSIDriver, old: storage_v1.CSIDriver) -> checks.Errors:
    problems: checks.Errors = []
    for name, path in (("attachRequired", "attachedRequired"), ("volumeLifecycleModes", "volumeLifecycleModes")):
        problems += checks.immutable(getattr(new.spec, name), getattr(old.spec, name), _SPEC[path])
    return problems


def row(driver: storage_v1.CSIDriver, now: float) -> Sequence[kind.Cell]:
    spec = driver.spec
    return (
        driver.metadata.name,
        spec.attachRequired is not False,
        bool(spec.podInfoOnMount),
        bool(spec.storageCapacity),
        ",".join(request.audience for request in spec.tokenRequests) or "<unset>",
        bool(spec.requiresRepublish),
        ",".join(spec.volumeLifecycleModes) or "<none>",
        cells.age(driver.metadata, now),
    )


KIND: kind.Kind[storage_v1.CSIDriver] = kind.Kind(
    resource=kind.resource("storage.k8s.io", "v1", "csidrivers"),
    default=default,
    prepare_create=prepare_create,
    validate=validate,
    validate_update=validate_update,
    allow_unconditional_update=False,
    columns=(
        kind.NAME,
        kind.Column("AttachRequired", type="boolean"),
        kind.Column("PodInfoOnMount", type="boolean"),
        kind.Column("StorageCapacity", type="boolean"),
        kind.Column("TokenRequests"),
        kind.Column("RequiresRepublish", type="boolean"),
        kind.Column("Modes"),
        kind.AGE,
    ),
    row=row,
)
