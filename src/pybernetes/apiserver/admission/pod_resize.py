"""PodResizeValidator: a running pod grows no larger than its node, and only on Linux."""

from __future__ import annotations

import math

from pybernetes.api import errors, pod_qos, quantity
from pybernetes.api.types import core_v1, meta_v1
from pybernetes.apiserver.admission import plugin
from pybernetes.apiserver.storage import collection as collections

_OS = "kubernetes.io/os"
# What can be resized, and the unit in which it is told.
_RESOURCES = {"cpu": 1000, "memory": 1}
_NONE = quantity.Quantity("0")


class PodResizeValidator(plugin.Plugin):
    name = "PodResizeValidator"
    operations = (plugin.UPDATE,)
    resources = ("pods/resize",)

    def __init__(self, nodes: collections.Collection) -> None:
        self._nodes = nodes

    async def validate(self, attributes: plugin.Attributes) -> None:
        pod: core_v1.Pod = attributes.obj
        if not pod.spec.nodeName or pod.metadata.generation == attributes.old.metadata.generation:
            return
        item = self._nodes.get("", pod.spec.nodeName)
        if item is None:
            raise attributes.forbidden(f'node "{pod.spec.nodeName}" not found')
        system = item.labels().get(_OS, "linux")
        if system != "linux":
            why = f'pod resize is only supported on linux nodes, node "{item.name}" is "{system}"'
            raise _refused(attributes, why, "UnsupportedPlatform")
        node: core_v1.Node = item.peek(core_v1.Node)
        wanted = pod_qos.aggregate(pod.spec, "requests")
        lacking = []
        for name, unit in _RESOURCES.items():
            asked, there = wanted.get(name, _NONE), node.status.allocatable.get(name, _NONE)
            if quantity.compare(asked, there) > 0:
                lacking.append(f"{name}, requested: {_told(asked, unit)}, allocatable: {_told(there, unit)}")
        if lacking:
            why = f"node didn't have enough allocatable resources: {'; '.join(lacking)}"
            raise _refused(attributes, why, "NodeCapacity")


def _told(amount: quantity.Quantity, unit: int) -> int:
    return math.ceil(amount.value() * unit)


def _refused(attributes: plugin.Attributes, why: str, cause: str) -> errors.StatusError:
    refused = attributes.forbidden(why)
    details = refused.status.details or meta_v1.StatusDetails()
    details.causes.append(meta_v1.StatusCause(reason=cause))
    refused.status.details = details
    return refused
