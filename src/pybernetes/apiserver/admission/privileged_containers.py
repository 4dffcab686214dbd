"""Refuses privileged containers where `--allow-privileged` is off.

Upstream has no plugin for it: its validation asks a global. Here what an API server is told stays out of the pure
validation of kinds, and what is refused, and with which words, is the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pybernetes.api import errors, fields
from pybernetes.api.types import core_v1
from pybernetes.apiserver.admission import plugin, templates

_LISTS = ("containers", "initContainers", "ephemeralContainers")


class PrivilegedContainers(plugin.Plugin):
    name = "PrivilegedContainers"
    operations = (plugin.CREATE, plugin.UPDATE)
    resources = ("pods", "pods/ephemeralcontainers", *templates.RESOURCES)

    async def validate(self, attributes: plugin.Attributes) -> None:
        problems = list(_problems(attributes.obj, (*templates.steps(attributes.resource), "spec")))
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
