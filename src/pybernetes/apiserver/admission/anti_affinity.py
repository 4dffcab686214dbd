"""LimitPodHardAntiAffinityTopology: required anti-affinity is between nodes, and nothing larger."""

from __future__ import annotations

from pybernetes.api.types import core_v1
from pybernetes.apiserver.admission import plugin

_HOST = "kubernetes.io/hostname"


class LimitPodHardAntiAffinityTopology(plugin.Plugin):
    name = "LimitPodHardAntiAffinityTopology"
    operations = (plugin.CREATE, plugin.UPDATE)
    resources = ("pods",)

    async def validate(self, attributes: plugin.Attributes) -> None:
        pod: core_v1.Pod = attributes.obj
        affinity = pod.spec.affinity
        if affinity is None or affinity.podAntiAffinity is None:
            return
        for term in affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution:
            if term.topologyKey != _HOST:
                raise attributes.forbidden(
                    "affinity.PodAntiAffinity.RequiredDuringScheduling has TopologyKey "
                    f"{term.topologyKey} but only key {_HOST} is allowed"
                )
