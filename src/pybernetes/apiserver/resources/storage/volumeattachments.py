"""VolumeAttachments."""

from __future__ import annotations

from collections.abc import Sequence

from pybernetes.api import fields, names
from pybernetes.api.types import storage_v1
from pybernetes.apiserver.resources import cells, checks, kind

_SPEC = fields.Path("spec")


def validate(attachment: storage_v1.VolumeAttachment) -> checks.Errors:
    spec = attachment.spec
    problems: checks.Errors = []
    if not spec.attacher:
        problems.append(fields.required(_SPEC["attacher"]))
    source = _SPEC["source"]
    if spec.source.inlineVolumeSpec is None and spec.source.persistentVolumeName is None:
        problems.append(
            fields.required(source, "must specify exactly one of inlineVolumeSpec and persistentVolumeName")
        )
    if spec.source.inlineVolumeSpec is not None and spec.source.persistentVolumeName is not None:
        words = "must specify exactly one of inlineVolumeSpec and persistentVolumeName"
        problems.append(fields.forbidden(source, words))
    if spec.source.persistentVolumeName is not None:
        path = source["persistentVolumeName"]
        if not spec.source.persistentVolumeName:
            problems.append(fields.required(path))
        else:
            problems += checks.named(spec.source.persistentVolumeName, names.dns_subdomain, path)
    return problems + checks.named(spec.nodeName, names.dns_subdomain, _SPEC["nodeName"])


def validate_update(new: storage_v1.VolumeAttachment, old: storage_v1.VolumeAttachment) -> checks.Errors:
    return checks.immutable(new.spec, old.spec, _SPEC)


def row(attachment: storage_v1.VolumeAttachment, now: float) -> Sequence[kind.Cell]:
    spec = attachment.spec
    volume = spec.source.persistentVolumeName or ""
    age = cells.age(attachment.metadata, now)
    return attachment.metadata.name, spec.attacher, volume, spec.nodeName, attachment.status.attached, age


KIND: kind.Kind[storage_v1.VolumeAttachment] = kind.Kind(
    resource=kind.resource("storage.k8s.io", "v1", "volumeattachments"),
    validate=validate,
    validate_update=validate_update,
    has_status=True,
    allow_unconditional_update=False,
    columns=(
        kind.NAME,
        kind.Column("Attacher", format="name"),
        kind.Column("PV"),
        kind.Column("Node"),
        kind.Column("Attached", type="boolean"),
        kind.AGE,
    ),
    row=row,
)
