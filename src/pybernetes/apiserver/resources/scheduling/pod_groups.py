"""What pod groups and the templates for them in workloads have in common."""

from __future__ import annotations

from pybernetes.api import fields
from pybernetes.api.types import scheduling_v1alpha2
from pybernetes.apiserver.resources import checks

Group = scheduling_v1alpha2.PodGroupSpec | scheduling_v1alpha2.PodGroupTemplate


def drop_disabled(group: Group) -> None:
    """What is behind feature gates that are off: topology, preemption of groups, claims of groups."""
    group.disruptionMode, group.priority, group.priorityClassName = None, None, ""
    group.schedulingConstraints, group.resourceClaims = None, []


def policy(value: scheduling_v1alpha2.PodGroupSchedulingPolicy, path: fields.Path) -> checks.Errors:
    """All pods together, or each as it comes."""
    if (value.basic is None) == (value.gang is None):
        if value.basic is None:
            return [fields.invalid(path, "", "must specify one of: `basic`, `gang`")]
        return [fields.invalid(path, "{`basic`, `gang`}", "must specify exactly one of: `basic`, `gang`")]
    if value.gang is None:
        return []
    at = path["gang"]["minCount"]
    if value.gang.minCount == 0:
        return [fields.required(at)]
    if value.gang.minCount < 1:
        return [fields.invalid(at, value.gang.minCount, "must be greater than or equal to 1")]
    return []
