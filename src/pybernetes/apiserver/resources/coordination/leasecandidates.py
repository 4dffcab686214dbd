"""LeaseCandidates: who could hold a lease, and with which versions."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from pybernetes.api import fields, names
from pybernetes.api.types import coordination_v1beta1
from pybernetes.apiserver.resources import cells, checks, kind

_SPEC = fields.Path("spec")
_version = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?").fullmatch


def _numbers(text: str) -> tuple[int, ...] | None:
    match = _version(text)
    return tuple(map(int, match.groups())) if match else None


def validate(candidate: coordination_v1beta1.LeaseCandidate) -> checks.Errors:
    spec = candidate.spec
    problems: checks.Errors = []
    for name in ("leaseName", "binaryVersion", "strategy"):
        if not getattr(spec, name):
            problems.append(fields.required(_SPEC[name]))
    for name in ("emulationVersion", "binaryVersion"):
        value = getattr(spec, name)
        if value and _numbers(value) is None:
            problems.append(fields.invalid(_SPEC[name], value, "must be a valid semantic version"))
    emulated, binary = _numbers(spec.emulationVersion), _numbers(spec.binaryVersion)
    if emulated is not None and binary is not None and binary < emulated:
        words = "must be greater than or equal to `emulationVersion`"
        problems.append(fields.invalid(_SPEC["binaryVersion"], spec.binaryVersion, words))
    if spec.strategy == "OldestEmulationVersion" and not any(emulated or ()):
        words = "must be specified when `strategy` is 'OldestEmulationVersion'"
        problems.append(fields.required(_SPEC["emulationVersion"], words))
    if "/" in spec.strategy:
        problems += checks.named(spec.strategy, names.qualified_name, _SPEC["strategy"])
    elif spec.strategy:
        problems += checks.one_of(spec.strategy, ("OldestEmulationVersion",), _SPEC["strategy"])
    return problems


def validate_update(
    new: coordination_v1beta1.LeaseCandidate, old: coordination_v1beta1.LeaseCandidate
) -> checks.Errors:
    return checks.immutable(new.spec.leaseName, old.spec.leaseName, _SPEC["leaseName"])


def row(candidate: coordination_v1beta1.LeaseCandidate, now: float) -> Sequence[kind.Cell]:
    spec, meta = candidate.spec, candidate.metadata
    return meta.name, spec.leaseName, spec.binaryVersion, spec.emulationVersion, cells.age(meta, now)


def selectable(candidate: coordination_v1beta1.LeaseCandidate) -> Mapping[str, str]:
    return {"spec.leaseName": candidate.spec.leaseName}


KIND: kind.Kind[coordination_v1beta1.LeaseCandidate] = kind.Kind(
    resource=kind.resource("coordination.k8s.io", "v1beta1", "leasecandidates"),
    validate=validate,
    validate_update=validate_update,
    create_on_update=True,
    allow_unconditional_update=False,
    columns=(
        kind.NAME,
        kind.Column("LeaseName"),
        kind.Column("BinaryVersion"),
        kind.Column("EmulationVersion"),
        kind.AGE,
    ),
    row=row,
    field_labels=("spec.leaseName",),
    selectable=selectable,
)
