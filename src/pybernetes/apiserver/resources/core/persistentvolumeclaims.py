"""PersistentVolumeClaims."""

from __future__ import annotations

from collections.abc import Sequence

from pybernetes.api import codecs, fields, names, quantity
from pybernetes.api.types import core_v1
from pybernetes.apiserver.resources import cells, checks, kind
from pybernetes.apiserver.resources.core import persistentvolumes, pod_updates, resource_validation

_SPEC = fields.Path("spec")
_CLASS = persistentvolumes.CLASS_ANNOTATION
_SOURCES = (("", "PersistentVolumeClaim"), ("snapshot.storage.k8s.io", "VolumeSnapshot"))
_RESIZING = (
    "ControllerResizeInProgress",
    "ControllerResizeInfeasible",
    "NodeResizePending",
    "NodeResizeInProgress",
    "NodeResizeInfeasible",
)


def default(claim: core_v1.PersistentVolumeClaim) -> None:
    claim.status.phase = claim.status.phase or "Pending"
    if claim.spec.volumeMode is None:
        claim.spec.volumeMode = "Filesystem"
    _default_sources(claim.spec)


def _default_sources(spec: core_v1.PersistentVolumeClaimSpec) -> None:
    """dataSource is the older name of dataSourceRef, for some kinds only: each is filled in from the other."""
    source = spec.dataSource
    if source is not None and (source.apiGroup or "", source.kind) not in _SOURCES:
        spec.dataSource = source = None
    if source is not None and spec.dataSourceRef is None:
        spec.dataSourceRef = core_v1.TypedObjectReference(apiGroup=source.apiGroup, kind=source.kind, name=source.name)
    elif source is None and spec.dataSourceRef is not None and not spec.dataSourceRef.namespace:
        ref = spec.dataSourceRef
        if (ref.apiGroup or "", ref.kind) in _SOURCES:
            spec.dataSource = core_v1.TypedLocalObjectReference(apiGroup=ref.apiGroup, kind=ref.kind, name=ref.name)


def prepare_create(claim: core_v1.PersistentVolumeClaim) -> None:
    claim.status = core_v1.PersistentVolumeClaimStatus(phase="Pending")


def validate(claim: core_v1.PersistentVolumeClaim) -> checks.Errors:
    return validate_spec(claim.spec, _SPEC)


def validate_spec(spec: core_v1.PersistentVolumeClaimSpec, path: fields.Path) -> checks.Errors:
    """Of a claim, or of the template for one."""
    problems = persistentvolumes.access_modes(spec.accessModes, path["accessModes"])
    problems += checks.selector(spec.selector, path["selector"])
    at = path["resources"].key("storage")
    storage = spec.resources.requests.get("storage")
    if storage is None:
        problems.append(fields.required(at))
    elif storage.value() <= 0:
        problems.append(fields.invalid(at, storage, "must be greater than zero"))
    else:
        problems += resource_validation.amount("storage", storage, at)
    for name in ("storageClassName", "volumeAttributesClassName"):
        if getattr(spec, name):
            problems += checks.named(getattr(spec, name), names.dns_subdomain, path[name])
    if spec.volumeMode is not None:
        problems += checks.one_of(spec.volumeMode, persistentvolumes.VOLUME_MODES, path["volumeMode"])
    for name in ("dataSource", "dataSourceRef"):
        source = getattr(spec, name)
        if source is None:
            continue
        if not source.name:
            problems.append(fields.required(path[name]["name"]))
        if not source.kind:
            problems.append(fields.required(path[name]["kind"]))
        if not source.apiGroup and source.kind and source.kind != "PersistentVolumeClaim":
            words = "must be 'PersistentVolumeClaim' when referencing the default apiGroup"
            problems.append(fields.invalid(path[name], source.kind, words))
    return problems


def validate_update(new: core_v1.PersistentVolumeClaim, old: core_v1.PersistentVolumeClaim) -> checks.Errors:
    problems: checks.Errors = []
    after, before = codecs.copy(new.spec), codecs.copy(old.spec)
    if not before.volumeName:
        before.volumeName = after.volumeName
    known = old.metadata.annotations.get(_CLASS)
    if (
        before.storageClassName is None
        and after.storageClassName is not None
        and known in (None, after.storageClassName)
    ):
        # A claim that waits for a default class may be given one, and one of old may state its annotation's as a field.
        before.storageClassName = after.storageClassName
    if not (known is not None and old.spec.storageClassName is None and after.storageClassName == known):
        problems += _same_annotation(new, old)
    if new.status.phase == "Bound":
        if "storage" in before.resources.requests:
            after.resources.requests["storage"] = before.resources.requests["storage"]
        after.volumeAttributesClassName = before.volumeAttributesClassName
    if not checks.same(after, before):
        words = (
            "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"
        )
        problems.append(fields.forbidden(_SPEC, f"{words}\n{pod_updates.spec_diff(before, after)}"))
    size, was = new.spec.resources.requests.get("storage", "0"), old.spec.resources.requests.get("storage", "0")
    if quantity.compare(size, was) < 0 and quantity.compare(size, old.status.capacity.get("storage", "0")) <= 0:
        path = _SPEC["resources"]["requests"]["storage"]
        problems.append(fields.forbidden(path, "field can not be less than status.capacity"))
    problems += checks.immutable(new.spec.volumeMode, old.spec.volumeMode, fields.Path("volumeMode"))
    wanted = new.spec.volumeAttributesClassName
    if wanted != old.spec.volumeAttributesClassName and old.status.currentVolumeAttributesClassName is not None:
        path, reason = _SPEC["volumeAttributesClassName"], "when status.currentVolumeAttributesClassName is not nil"
        if wanted is None:
            problems.append(fields.forbidden(path, f"update to nil is forbidden {reason}"))
        elif not wanted:
            problems.append(fields.forbidden(path, f"update to empty string is forbidden {reason}"))
    return problems


def _same_annotation(new: core_v1.PersistentVolumeClaim, old: core_v1.PersistentVolumeClaim) -> checks.Errors:
    value, was = (claim.metadata.annotations.get(_CLASS, "") for claim in (new, old))
    path = fields.Path("metadata")["annotations"][_CLASS]
    return checks.immutable(value, was, path)


def validate_status(new: core_v1.PersistentVolumeClaim, _: core_v1.PersistentVolumeClaim) -> checks.Errors:
    status = new.status
    problems: checks.Errors = []
    path = fields.Path("status")
    for name, value in status.capacity.items():
        problems += resource_validation.amount(name, value, path["capacity"].key(name))
    at = path["allocatedResourceStatuses"]
    for name, state in status.allocatedResourceStatuses.items():
        problems += _resource_name(name, at)
        if state not in _RESIZING:
            problems.append(fields.not_supported(at, name, _RESIZING))
    at = path["allocatedResources"]
    for name, value in status.allocatedResources.items():
        problems += _resource_name(name, at) or resource_validation.amount("storage", value, at.key(name))
    return problems


def _resource_name(name: str, path: fields.Path) -> checks.Errors:
    problems = checks.named(name, names.qualified_name, path)
    is_native = "/" not in name or name.partition("/")[0].endswith("kubernetes.io")
    return problems or (checks.one_of(name, ("storage",), path) if is_native else [])


def row(claim: core_v1.PersistentVolumeClaim, now: float) -> Sequence[kind.Cell]:
    spec, status, meta = claim.spec, claim.status, claim.metadata
    bound = bool(spec.volumeName)
    return (
        meta.name,
        "Terminating" if meta.deletionTimestamp is not None else status.phase,
        spec.volumeName,
        str(status.capacity.get("storage", "0")) if bound else "",
        persistentvolumes.short_modes(status.accessModes) if bound else "",
        meta.annotations.get(_CLASS, spec.storageClassName or ""),
        "<unset>" if spec.volumeAttributesClassName is None else spec.volumeAttributesClassName,
        cells.age(meta, now),
        "<unset>" if spec.volumeMode is None else spec.volumeMode,
    )


KIND: kind.Kind[core_v1.PersistentVolumeClaim] = kind.Kind(
    resource=kind.resource("", "v1", "persistentvolumeclaims"),
    default=default,
    prepare_create=prepare_create,
    validate=validate,
    validate_update=validate_update,
    validate_status=validate_status,
    has_status=True,
    columns=(
        kind.NAME,
        kind.Column("Status"),
        kind.Column("Volume"),
        kind.Column("Capacity"),
        kind.Column("Access Modes"),
        kind.Column("StorageClass"),
        kind.Column("VolumeAttributesClass"),
        kind.AGE,
        kind.Column("VolumeMode", priority=1),
    ),
    row=row,
    field_labels=("name",),
    selectable=persistentvolumes.selectable,
)
