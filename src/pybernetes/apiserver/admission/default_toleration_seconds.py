"""DefaultTolerationSeconds: pods stay five minutes on a node that is not ready or not reachable."""

from __future__ import annotations

from pybernetes.api.types import core_v1
from pybernetes.apiserver.admission import plugin

SECONDS = 300
TAINTS = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")


class DefaultTolerationSeconds:
    name = "DefaultTolerationSeconds"

    async def admit(self, attributes: plugin.Attributes) -> None:
        if attributes.kind.resource.group_resource != "pods" or attributes.subresource:
            return
        if attributes.operation == plugin.DELETE:
            return
        pod: core_v1.Pod = attributes.obj
        for taint in TAINTS:
            if not any(
                toleration.key in (taint, "") and toleration.effect in ("NoExecute", "")
                for toleration in pod.spec.tolerations
            ):
                pod.spec.tolerations.append(
                    core_v1.Toleration(key=taint, operator="Exists", effect="NoExecute", tolerationSeconds=SECONDS)
                )

    async def validate(self, attributes: plugin.Attributes) -> None:
        """It only adds."""
