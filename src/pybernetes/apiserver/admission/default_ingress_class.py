"""DefaultIngressClass: an Ingress that names no class gets the default one."""

from __future__ import annotations

from pybernetes.api import times
from pybernetes.api.types import networking_v1
from pybernetes.apiserver.admission import plugin
from pybernetes.apiserver.resources.networking import ingressclasses
from pybernetes.apiserver.storage import collection as collections
from pybernetes.apiserver.storage import selection

_OLD_ANNOTATION = "kubernetes.io/ingress.class"


class DefaultIngressClass(plugin.Plugin):
    name = "DefaultIngressClass"
    operations = (plugin.CREATE,)
    resources = ("ingresses.networking.k8s.io", "ingresses.extensions")

    def __init__(self, classes: collections.Collection) -> None:
        self._classes = classes

    async def admit(self, attributes: plugin.Attributes) -> None:
        ingress: networking_v1.Ingress = attributes.obj
        if ingress.spec.ingressClassName is None and _OLD_ANNOTATION not in ingress.metadata.annotations:
            ingress.spec.ingressClassName = self._default()

    def _default(self) -> str | None:
        """The newest of the default classes."""
        found = self._classes.select(selection.EVERYTHING).items
        classes = [item.decoded(networking_v1.IngressClass) for item in found]
        marked = [c.metadata for c in classes if ingressclasses.is_default(c)]
        newest = min(marked, key=lambda m: (-times.parse(m.creationTimestamp or ""), m.name), default=None)
        return newest.name if newest is not None else None
