"""DefaultTolerationSeconds: pods stay five minutes on a node that is not ready or not reachable."""

from __future__ import annotations

from pybernetes.api.types import core_v1
from pybernetes.apiserver.admission import plugin

SECONDS = 300
TAINTS = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")


class DefaultTolerationSeconds(plugin.Plugin):
    name = "DefaultTolerationSeconds"
    operations = (plugin.CREATE, plugin.UPDATE)
    resources = ("pods",)

    async def admit(self, attributes: plugin.Attributes) -> None:
        pod: core_v1.Pod = attributes.obj
        for taint in TAINTS:
            if not any(
                toleration.key in (taint, "") and toleration.effect in ("NoExecute", "")
                for toleration in pod.spec.tolerations
            ):
                pod.spec.tolerations.append(
                    core_v1.Toleration(key=taint, operator="Exists", effect="NoExecute", tolerationSeconds=SECONDS)
                )
