"""Workloads: what groups of pods there are to be for something larger."""

from __future__ import annotations

from collections.abc import Sequence

from pybernetes.api import fields, names
from pybernetes.api.types import scheduling_v1alpha2
from pybernetes.apiserver.resources import cells, checks, kind
from pybernetes.apiserver.resources.scheduling import pod_groups

_SPEC = fields.Path("spec")
_TEMPLATES = _SPEC["podGroupTemplates"]
_MAX_TEMPLATES = 8


def prepare(new: scheduling_v1alpha2.Workload, *_: scheduling_v1alpha2.Workload) -> None:
    for template in new.spec.podGroupTemplates:
        pod_groups.drop_disabled(template)


def validate(workload: scheduling_v1alpha2.Workload) -> checks.Errors:
    reference, path = workload.spec.controllerRef, _SPEC["controllerRef"]
    problems: checks.Errors = []
    if reference is not None:
        if reference.apiGroup:
            problems += checks.named(reference.apiGroup, names.dns_subdomain, path["apiGroup"])
        for name in ("kind", "name"):
            value = getattr(reference, name)
            at = path[name]
            problems += checks.named(value, names.path_segment, at) if value else [fields.required(at)]
    templates = workload.spec.podGroupTemplates
    if not templates:
        return [*problems, fields.required(_TEMPLATES)]
    if len(templates) > _MAX_TEMPLATES:
        return [*problems, fields.too_many(_TEMPLATES, len(templates), _MAX_TEMPLATES)]
    seen: set[str] = set()
    for index, template in enumerate(templates):
        at = _TEMPLATES[index]
        if not template.name:
            problems.append(fields.required(at["name"]))
        else:
            problems += checks.named(template.name, names.dns_label, at["name"])
        if template.name in seen:
            problems.append(fields.duplicate(at, {"name": template.name}))
        seen.add(template.name)
        problems += pod_groups.policy(template.schedulingPolicy, at["schedulingPolicy"])
    return problems


def validate_update(new: scheduling_v1alpha2.Workload, old: scheduling_v1alpha2.Workload) -> checks.Errors:
    problems: checks.Errors = []
    for name in ("controllerRef", "podGroupTemplates"):
        problems += checks.immutable(getattr(new.spec, name), getattr(old.spec, name), _SPEC[name])
    return problems


def row(workload: scheduling_v1alpha2.Workload, now: float) -> Sequence[kind.Cell]:
    return workload.metadata.name, cells.age(workload.metadata, now)


KIND: kind.Kind[scheduling_v1alpha2.Workload] = kind.Kind(
    resource=kind.resource("scheduling.k8s.io", "v1alpha2", "workloads"),
    prepare_create=prepare,
    prepare_update=prepare,
    validate=validate,
    validate_update=validate_update,
    columns=(kind.NAME, kind.AGE),
    row=row,
)
