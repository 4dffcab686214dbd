"""Where the kinds that run pods have the template for them."""

from __future__ import annotations

from typing import Any

from pybernetes.api.types import core_v1

_STEPS: dict[str, tuple[str, ...]] = {
    "podtemplates": ("template",),
    "replicationcontrollers": ("spec", "template"),
    "daemonsets.apps": ("spec", "template"),
    "deployments.apps": ("spec", "template"),
    "replicasets.apps": ("spec", "template"),
    "statefulsets.apps": ("spec", "template"),
    "jobs.batch": ("spec", "template"),
    "cronjobs.batch": ("spec", "jobTemplate", "spec", "template"),
}
RESOURCES = tuple(_STEPS)


def steps(resource: str) -> tuple[str, ...]:
    """The fields that lead to it; of pods, to nothing."""
    return _STEPS.get(resource, ())


def of(resource: str, obj: Any) -> core_v1.PodTemplateSpec | None:
    """None where there is no template."""
    for step in steps(resource):
        obj = getattr(obj, step)
        if obj is None:
            return None
    template: core_v1.PodTemplateSpec = obj
    return template
