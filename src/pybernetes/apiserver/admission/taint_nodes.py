"""TaintNodesByCondition: a new node takes no pods until the node controller has seen it ready."""

from __future__ import annotations

from pybernetes.api.types import core_v1
from pybernetes.apiserver.admission import plugin

NOT_READY = "node.kubernetes.io/not-ready"


class TaintNodesByCondition(plugin.Plugin):
    name = "TaintNodesByCondition"
    operations = (plugin.CREATE,)
    resources = ("nodes",)

    async def admit(self, attributes: plugin.Attributes) -> None:
        node: core_v1.Node = attributes.obj
        if not any(taint.key == NOT_READY and taint.effect == "NoSchedule" for taint in node.spec.taints):
            node.spec.taints.append(core_v1.Taint(key=NOT_READY, effect="NoSchedule"))
