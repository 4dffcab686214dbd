"""PodTopologyLabels: a pod that is bound to a node gets the labels that say in which zone and region the node is."""

from __future__ import annotations

from pybernetes.api.types import core_v1
from pybernetes.apiserver.admission import plugin
from pybernetes.apiserver.storage import collection as collections

_LABELS = ("topology.kubernetes.io/zone", "topology.kubernetes.io/region")


class PodTopologyLabels(plugin.Plugin):
    name = "PodTopologyLabels"
    operations = (plugin.CREATE,)
    resources = ("pods", "pods/binding", "bindings/binding")

    def __init__(self, nodes: collections.Collection) -> None:
        self._nodes = nodes

    async def admit(self, attributes: plugin.Attributes) -> None:
        obj: core_v1.Binding | core_v1.Pod = attributes.obj
        if isinstance(obj, core_v1.Pod):
            node = obj.spec.nodeName
        else:
            node = obj.target.name if obj.target.kind == "Node" else ""
        item = self._nodes.get("", node) if node else None
        if item is not None:
            found = item.labels()
            obj.metadata.labels.update({name: found[name] for name in _LABELS if name in found})
