"""TaintNodesByCondition: a new node takes no pods until the node controller has seen it ready."""

from __future__ import annotations

from pybernetes.api.types import core_v1
from pybernetes.apiserver.admission import plugin

NOT_READY = "node.kubernetes.io/not-ready"


class TaintNodesByCondition:
    name = "TaintNodesByCondition"

    async def admit(self, attributes: plugin.Attributes) -> None:
        if attributes.kind.resource.group_resource != "nodes" or attributes.subresource:
            return
        if attributes.operation != plugin.CREATE:
            return
        node: core_v1.Node = attributes.obj
        if not any(taint.key == NOT_READY and taint.effect == "NoSchedule" for taint in node.spec.taints):
            node.spec.taints.append(core_v1.Taint(key=NOT_READY, effect="NoSchedule"))

    async def validate(self, attributes: plugin.Attributes) -> None:
        """It only adds."""
