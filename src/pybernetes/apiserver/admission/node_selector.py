"""PodNodeSelector: pods of a namespace go to the nodes that the namespace, or the configuration, selects for it.

The configuration has selectors as texts by namespaces, which are all that a pod of the namespace may select by, and
`clusterDefaultNodeSelector` for namespaces without one.
"""

from __future__ import annotations

from collections.abc import Mapping

from pybernetes.api import errors, selectors
from pybernetes.api.types import core_v1
from pybernetes.apiserver.admission import hosts, plugin
from pybernetes.apiserver.storage import collection as collections

_ANNOTATION = "scheduler.alpha.kubernetes.io/node-selector"
_DEFAULT = "clusterDefaultNodeSelector"


class PodNodeSelector(plugin.Plugin):
    name = "PodNodeSelector"
    operations = (plugin.CREATE,)
    resources = ("pods",)

    def __init__(self, host: hosts.Host) -> None:
        self._namespaces: collections.Collection = host.collection("", "namespaces")
        given = host.configuration.get(self.name) or {}
        self._configured: Mapping[str, str] = given.get("podNodeSelectorPluginConfig") or {}

    async def admit(self, attributes: plugin.Attributes) -> None:
        pod: core_v1.Pod = attributes.obj
        wanted = self._wanted(attributes)
        _check_conflicts(attributes, wanted)
        pod.spec.nodeSelector = {**wanted, **pod.spec.nodeSelector}

    async def validate(self, attributes: plugin.Attributes) -> None:
        pod: core_v1.Pod = attributes.obj
        _check_conflicts(attributes, self._wanted(attributes))
        allowed = _labels(self._configured.get(attributes.namespace) or "")
        if allowed and not pod.spec.nodeSelector.items() <= allowed.items():
            raise attributes.forbidden("pod node label selector labels conflict with its namespace whitelist")

    def _wanted(self, attributes: plugin.Attributes) -> dict[str, str]:
        item = self._namespaces.get("", attributes.namespace)
        if item is None:
            raise errors.not_found("", "namespaces", attributes.namespace)
        namespace: core_v1.Namespace = item.decoded(core_v1.Namespace)
        return _labels(namespace.metadata.annotations.get(_ANNOTATION, self._configured.get(_DEFAULT) or ""))


def _check_conflicts(attributes: plugin.Attributes, wanted: Mapping[str, str]) -> None:
    stated = attributes.obj.spec.nodeSelector
    if any(stated.get(key, value) != value for key, value in wanted.items()):
        raise attributes.forbidden("pod node label selector conflicts with its namespace node label selector")


def _labels(text: str) -> dict[str, str]:
    """`a=b,c=d`. Raises StatusError 500 for what selects in another way."""
    try:
        found = selectors.parse(text)
    except selectors.SelectorError as error:
        raise errors.internal(str(error)) from None
    return {one.key: next(iter(one.values), "") for one in found.requirements}
