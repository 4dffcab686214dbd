"""PersistentVolumes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pybernetes.api import codecs, fields, names
from pybernetes.api.types import core_v1
from pybernetes.apiserver.resources import cells, checks, kind
from pybernetes.apiserver.resources.core import resource_validation, scheduling_validation, volume_validation

_SPEC = fields.Path("spec")
_MAX_DRIVER = 63
_SECRET_PARTS = (("name", names.dns_subdomain), ("namespace", names.dns_label))
_CSI_SECRETS = (
    "controllerPublishSecretRef",
    "controllerExpandSecretRef",
    "nodePublishSecretRef",
    "nodeExpandSecretRef",
)
ACCESS_MODES = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")
VOLUME_MODES = ("Block", "Filesystem")
CLASS_ANNOTATION = "volume.beta.kubernetes.io/storage-class"
_SHORT = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}
_NOT_SOURCES = frozenset(
    (
        "accessModes",
        "capacity",
        "claimRef",
        "mountOptions",
        "nodeAffinity",
        "persistentVolumeReclaimPolicy",
        "storageClassName",
        "volumeAttributesClassName",
        "volumeMode",
    )
)
SOURCES = tuple(name for name in core_v1.PersistentVolumeSpec.__struct_fields__ if name not in _NOT_SOURCES)


def default(volume: core_v1.PersistentVolume) -> None:
    volume.status.phase = volume.status.phase or "Pending"
    spec = volume.spec
    spec.persistentVolumeReclaimPolicy = spec.persistentVolumeReclaimPolicy or "Retain"
    if spec.volumeMode is None:
        spec.volumeMode = "Filesystem"
    if spec.hostPath is not None and spec.hostPath.type is None:
        spec.hostPath.type = ""


def prepare_create(volume: core_v1.PersistentVolume) -> None:
    volume.status = core_v1.PersistentVolumeStatus(phase="Pending")


def access_modes(modes: Sequence[str], path: fields.Path) -> checks.Errors:
    """Of a volume or a claim."""
    problems: checks.Errors = []
    if not modes:
        problems.append(fields.required(path, "at least 1 access mode is required"))
    for mode in modes:
        problems += checks.one_of(mode, ACCESS_MODES, path)
    if "ReadWriteOncePod" in modes and set(modes) & {"ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany"}:
        words = "may not use ReadWriteOncePod with other access modes"
        problems.append(fields.forbidden(path, words))
    return problems


def short_modes(modes: Sequence[str]) -> str:
    """`RWO,ROX`."""
    return ",".join(short for mode, short in _SHORT.items() if mode in modes)


def validate(volume: core_v1.PersistentVolume) -> checks.Errors:
    spec = volume.spec
    problems: checks.Errors = []
    modes = access_modes(spec.accessModes, _SPEC["accessModes"])
    problems += [fields.required(_SPEC["accessModes"])] if not spec.accessModes else modes
    if not spec.capacity:
        problems.append(fields.required(_SPEC["capacity"]))
    elif list(spec.capacity) != ["storage"]:
        problems.append(fields.not_supported(_SPEC["capacity"], dict(spec.capacity), ("storage",)))
    for name, value in spec.capacity.items():
        at = _SPEC["capacity"].key(name)
        problems += resource_validation.amount(name, value, at)
        if value.value() <= 0:
            problems.append(fields.invalid(at, value, "must be greater than zero"))
    if spec.persistentVolumeReclaimPolicy:
        policies = ("Delete", "Recycle", "Retain")
        at = _SPEC["persistentVolumeReclaimPolicy"]
        problems += checks.one_of(spec.persistentVolumeReclaimPolicy, policies, at)
    if spec.nodeAffinity is not None:
        at = _SPEC["nodeAffinity"]["required"]
        if spec.nodeAffinity.required is None:
            problems.append(fields.required(at, "must specify required node constraints"))
        else:
            problems += scheduling_validation.node_selector(spec.nodeAffinity.required, at)
    problems += _sources(spec)
    if spec.storageClassName:
        problems += checks.named(spec.storageClassName, names.dns_subdomain, _SPEC["storageClassName"])
    if spec.volumeMode is not None:
        problems += checks.one_of(spec.volumeMode, VOLUME_MODES, _SPEC["volumeMode"])
    return problems


def _sources(spec: core_v1.PersistentVolumeSpec) -> checks.Errors:
    present = [name for name in SOURCES if getattr(spec, name) is not None]
    if not present:
        return [fields.required(_SPEC, "must specify a volume type")]
    problems = [fields.forbidden(_SPEC[name], "may not specify more than 1 volume type") for name in present[1:]]
    if spec.hostPath is not None:
        problems += volume_validation.host_path(spec.hostPath, _SPEC["hostPath"])
        if spec.persistentVolumeReclaimPolicy == "Recycle" and spec.hostPath.path.rstrip("/") == "":
            words = "may not be 'recycle' for a hostPath mount of '/'"
            problems.append(fields.forbidden(_SPEC["persistentVolumeReclaimPolicy"], words))
    if spec.local is not None:
        if not spec.local.path:
            problems.append(fields.required(_SPEC["local"]["path"]))
        problems += volume_validation.no_backsteps(spec.local.path, _SPEC["local"]["path"])
        if spec.nodeAffinity is None:
            problems.append(fields.required(_SPEC["nodeAffinity"], "Local volume requires node affinity"))
    if spec.nfs is not None:
        for name in ("server", "path"):
            if not getattr(spec.nfs, name):
                problems.append(fields.required(_SPEC["nfs"][name]))
    if spec.csi is not None:
        problems += _csi(spec.csi, _SPEC["csi"])
    return problems


def _csi(source: core_v1.CSIPersistentVolumeSource, path: fields.Path) -> checks.Errors:
    problems: checks.Errors = []
    if not source.driver:
        problems.append(fields.required(path["driver"]))
    else:
        if len(source.driver) > _MAX_DRIVER:
            problems.append(fields.too_long(path["driver"], _MAX_DRIVER))
        problems += [
            fields.invalid(path["driver"], source.driver, text) for text in names.dns_subdomain(source.driver.lower())
        ]
    if not source.volumeHandle:
        problems.append(fields.required(path["volumeHandle"]))
    for name in _CSI_SECRETS:
        secret = getattr(source, name)
        for part, check in _SECRET_PARTS if secret is not None else ():
            value, at = getattr(secret, part), path[name][part]
            problems += checks.named(value, check, at) if value else [fields.required(at)]
    return problems


def validate_update(new: core_v1.PersistentVolume, old: core_v1.PersistentVolume) -> checks.Errors:
    problems: checks.Errors = []
    if any(not checks.same(_source(new, old, name), getattr(old.spec, name)) for name in SOURCES):
        words = "spec.persistentvolumesource is immutable after creation"
        problems.append(fields.forbidden(_SPEC["persistentvolumesource"], words))
    problems += checks.immutable(new.spec.volumeMode, old.spec.volumeMode, fields.Path("volumeMode"))
    if old.spec.nodeAffinity is not None:
        problems += checks.immutable(new.spec.nodeAffinity, old.spec.nodeAffinity, fields.Path("nodeAffinity"))
    if old.spec.volumeAttributesClassName is not None and new.spec.volumeAttributesClassName is None:
        words = "update from non-nil value to nil is forbidden"
        problems.append(fields.forbidden(_SPEC["volumeAttributesClassName"], words))
    return problems


def _source(new: core_v1.PersistentVolume, old: core_v1.PersistentVolume, name: str) -> Any:
    """The new source; of a CSI one, the secret for expansion may be added."""
    source, was = getattr(new.spec, name), getattr(old.spec, name)
    if name != "csi" or source is None or was is None or was.controllerExpandSecretRef is not None:
        return source
    source = codecs.copy(source)
    source.controllerExpandSecretRef = None
    return source


def row(volume: core_v1.PersistentVolume, now: float) -> Sequence[kind.Cell]:
    spec, status, meta = volume.spec, volume.status, volume.metadata
    claim = f"{spec.claimRef.namespace}/{spec.claimRef.name}" if spec.claimRef is not None else ""
    return (
        meta.name,
        str(spec.capacity.get("storage", "0")),
        short_modes(spec.accessModes),
        spec.persistentVolumeReclaimPolicy,
        "Terminating" if meta.deletionTimestamp is not None else status.phase,
        claim,
        meta.annotations.get(CLASS_ANNOTATION, spec.storageClassName),
        "<unset>" if spec.volumeAttributesClassName is None else spec.volumeAttributesClassName,
        status.reason,
        cells.age(meta, now),
        "<unset>" if spec.volumeMode is None else spec.volumeMode,
    )


def selectable(obj: core_v1.PersistentVolume | core_v1.PersistentVolumeClaim) -> Mapping[str, str]:
    """Of a volume or a claim."""
    return {"name": obj.metadata.name}


KIND: kind.Kind[core_v1.PersistentVolume] = kind.Kind(
    resource=kind.resource("", "v1", "persistentvolumes"),
    default=default,
    prepare_create=prepare_create,
    validate=validate,
    validate_update=validate_update,
    has_status=True,
    columns=(
        kind.NAME,
        kind.Column("Capacity"),
        kind.Column("Access Modes"),
        kind.Column("Reclaim Policy"),
        kind.Column("Status"),
        kind.Column("Claim"),
        kind.Column("StorageClass"),
        kind.Column("VolumeAttributesClass"),
        kind.Column("Reason"),
        kind.AGE,
        kind.Column("VolumeMode", priority=1),
    ),
    row=row,
    field_labels=("name",),
    selectable=selectable,
)
