"""PodGroups: pods that are scheduled with regard to each other."""

from __future__ import annotations

from collections.abc import Sequence

from pybernetes.api import fields, names
from pybernetes.api.types import scheduling_v1alpha2
from pybernetes.apiserver.resources import cells, checks, conditions, kind
from pybernetes.apiserver.resources.scheduling import pod_groups

_SPEC = fields.Path("spec")
_STATUS = fields.Path("status")


def prepare(new: scheduling_v1alpha2.PodGroup, *_: scheduling_v1alpha2.PodGroup) -> None:
    pod_groups.drop_disabled(new.spec)


def validate(group: scheduling_v1alpha2.PodGroup) -> checks.Errors:
    problems = pod_groups.policy(group.spec.schedulingPolicy, _SPEC["schedulingPolicy"])
    reference, path = group.spec.podGroupTemplateRef, _SPEC["podGroupTemplateRef"]
    if reference is None:
        return problems
    if reference.workload is None:
        return [*problems, fields.invalid(path, "", "must specify one of: `workload`")]
    for name, check in (("workloadName", names.dns_subdomain), ("podGroupTemplateName", names.dns_label)):
        value, at = getattr(reference.workload, name), path["workload"][name]
        problems += checks.named(value, check, at) if value else [fields.required(at)]
    return problems


def validate_update(new: scheduling_v1alpha2.PodGroup, old: scheduling_v1alpha2.PodGroup) -> checks.Errors:
    problems: checks.Errors = []
    for name in ("podGroupTemplateRef", "schedulingPolicy"):
        problems += checks.immutable(getattr(new.spec, name), getattr(old.spec, name), _SPEC[name])
    return problems


def validate_status(new: scheduling_v1alpha2.PodGroup, _: scheduling_v1alpha2.PodGroup) -> checks.Errors:
    problems = conditions.validate(new.status.conditions, _STATUS["conditions"])
    known = {claim.name for claim in new.spec.resourceClaims}
    for index, status in enumerate(new.status.resourceClaimStatuses):
        if status.name not in known:
            path = _STATUS["resourceClaimStatuses"][index]["name"]
            words = "must match the name of an entry in `spec.resourceClaims`"
            problems.append(fields.invalid(path, status.name, words))
    return problems


def row(group: scheduling_v1alpha2.PodGroup, now: float) -> Sequence[kind.Cell]:
    spec, found = group.spec, {condition.type: condition for condition in group.status.conditions}
    state = "Pending"
    if "PodGroupScheduled" in found:
        state = "Scheduled" if found["PodGroupScheduled"].status == "True" else "Unschedulable"
    if "DisruptionTarget" in found:
        state = found["DisruptionTarget"].reason
    reference = spec.podGroupTemplateRef.workload if spec.podGroupTemplateRef is not None else None
    return (
        group.metadata.name,
        "Basic" if spec.schedulingPolicy.gang is None else "Gang",
        "<none>" if reference is None else reference.workloadName,
        state,
        cells.age(group.metadata, now),
    )


KIND: kind.Kind[scheduling_v1alpha2.PodGroup] = kind.Kind(
    resource=kind.resource("scheduling.k8s.io", "v1alpha2", "podgroups"),
    prepare_create=prepare,
    prepare_update=prepare,
    validate=validate,
    validate_update=validate_update,
    validate_status=validate_status,
    has_status=True,
    columns=(kind.NAME, kind.Column("Policy"), kind.Column("Workload"), kind.Column("Status"), kind.AGE),
    row=row,
)
