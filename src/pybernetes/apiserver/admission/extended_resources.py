"""ExtendedResourceToleration: pods that ask for special resources tolerate the taint that keeps others away."""

from __future__ import annotations

from pybernetes.api.types import core_v1
from pybernetes.apiserver.admission import plugin
from pybernetes.apiserver.resources.core import resource_validation


class ExtendedResourceToleration(plugin.Plugin):
    name = "ExtendedResourceToleration"
    operations = (plugin.CREATE, plugin.UPDATE)
    resources = ("pods",)

    async def admit(self, attributes: plugin.Attributes) -> None:
        pod: core_v1.Pod = attributes.obj
        wanted = {
            name
            for container in (*pod.spec.containers, *pod.spec.initContainers)
            for name in container.resources.requests
            if resource_validation.is_extended(name)
        }
        for name in sorted(wanted):
            added = core_v1.Toleration(key=name, operator="Exists", effect="NoSchedule")
            same = [(one.key, one.operator, one.effect, one.value) for one in pod.spec.tolerations]
            if (added.key, added.operator, added.effect, added.value) not in same:
                pod.spec.tolerations.append(added)
