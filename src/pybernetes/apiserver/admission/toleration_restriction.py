"""PodTolerationRestriction: a namespace says what its pods tolerate by default, and what they may tolerate at all."""

from __future__ import annotations

from typing import Any

from pybernetes.api import codecs, errors, pod_qos
from pybernetes.api.types import core_v1
from pybernetes.apiserver.admission import hosts, plugin, runtime_class
from pybernetes.apiserver.storage import collection as collections

_DEFAULTS = "scheduler.alpha.kubernetes.io/defaultTolerations"
_ALLOWED = "scheduler.alpha.kubernetes.io/tolerationsWhitelist"
_MEMORY = core_v1.Toleration(key="node.kubernetes.io/memory-pressure", operator="Exists", effect="NoSchedule")


class PodTolerationRestriction(plugin.Plugin):
    name = "PodTolerationRestriction"
    operations = (plugin.CREATE, plugin.UPDATE)
    resources = ("pods",)

    def __init__(self, host: hosts.Host) -> None:
        self._namespaces: collections.Collection = host.collection("", "namespaces")
        given = host.configuration.get(self.name) or {}
        self._defaults = _tolerations(given.get("default") or [])
        self._allowed = _tolerations(given.get("whitelist") or [])

    async def admit(self, attributes: plugin.Attributes) -> None:
        pod: core_v1.Pod = attributes.obj
        added: list[core_v1.Toleration] = []
        if attributes.operation == plugin.CREATE:
            own = self._of(attributes, _DEFAULTS)
            added += self._defaults if own is None else own
        if pod_qos.qos_class(pod) != "BestEffort":
            added.append(_MEMORY)
        if added:
            pod.spec.tolerations = runtime_class.merge([*pod.spec.tolerations, *map(codecs.copy, added)])

    async def validate(self, attributes: plugin.Attributes) -> None:
        pod: core_v1.Pod = attributes.obj
        own = self._of(attributes, _ALLOWED)
        allowed, scope = (self._allowed, "cluster") if own is None else (own, "namespace")
        if allowed and not all(
            any(runtime_class.covers(wide, one) for wide in allowed) for one in pod.spec.tolerations
        ):
            raise errors.internal(
                "pod tolerations (possibly merged with namespace default tolerations) conflict with its "
                f"{scope} whitelist"
            )

    def _of(self, attributes: plugin.Attributes, annotation: str) -> list[core_v1.Toleration] | None:
        """None where the namespace says nothing."""
        item = self._namespaces.get("", attributes.namespace)
        if item is None:
            raise errors.not_found("", "namespaces", attributes.namespace)
        namespace: core_v1.Namespace = item.decoded(core_v1.Namespace)
        text = namespace.metadata.annotations.get(annotation)
        if text is None:
            return None
        try:
            return _tolerations(codecs.decode_tree(text.encode()) if text else [])
        except codecs.DecodeError as error:
            raise errors.internal(str(error)) from None


def _tolerations(listed: Any) -> list[core_v1.Toleration]:
    found: list[core_v1.Toleration] = codecs.from_tree(list[core_v1.Toleration], listed)
    return found
