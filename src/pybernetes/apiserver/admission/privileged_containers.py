"""Refuses privileged containers where `--allow-privileged` is off.

Upstream has no plugin for it: its validation asks a global. Here what an API server is told stays out of the pure
validation of kinds, and what is refused, and with which words, is the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pybernetes.api import errors, fields
from pybernetes.api.types import core_v1
from pybernetes.apiserver.admission import plugin

# Where the kinds that run pods have the pod's spec.
_SPECS: dict[str, tuple[str, ...]] = {
    "pods": ("spec",),
    "podtemplates": ("template", "spec"),
    "replicationcontrollers": ("spec", "template", "spec"),
    "daemonsets.apps": ("spec", "template", "spec"),
    "deployments.apps": ("spec", "template", "spec"),
    "replicasets.apps": ("spec", "template", "spec"),
    "statefulsets.apps": ("spec", "template", "spec"),
    "jobs.batch": ("spec", "template", "spec"),
    "cronjobs.batch": ("spec", "jobTemplate", "spec", "template", "spec"),
}
_LISTS = ("containers", "initContainers", "ephemeralContainers")


class PrivilegedContainers(plugin.Plugin):
    name = "PrivilegedContainers"
    operations = (plugin.CREATE, plugin.UPDATE)
    resources = (*_SPECS, "pods/ephemeralcontainers")

    async def validate(self, attributes: plugin.Attributes) -> None:
        problems = list(_problems(attributes.obj, _SPECS[attributes.kind.resource.group_resource]))
        if problems:
            resource = attributes.kind.resource
            raise errors.invalid(resource.group, resource.kind, attributes.name, problems)


def _problems(obj: Any, steps: tuple[str, ...]) -> Iterator[fields.FieldError]:
    path = fields.Path()
    for step in steps:
        obj, path = getattr(obj, step), path[step]
        if obj is None:
            return
    for listed in _LISTS:
        containers: list[core_v1.Container] = getattr(obj, listed)
        for index, container in enumerate(containers):
            context = container.securityContext
            if context is not None and context.privileged:
                where = path[listed][index]["securityContext"]["privileged"]
                yield fields.forbidden(where, "disallowed by cluster policy")
