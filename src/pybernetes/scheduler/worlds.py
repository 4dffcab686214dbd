"""What placement depends on besides nodes and pods: namespaces, owners, disruption budgets, volumes, device claims.

Plugins read it through caches, by type; tests fill the caches themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from pybernetes.api import selectors
from pybernetes.api.types import apps_v1, core_v1, resource_v1
from pybernetes.informers import cache
from pybernetes.scheduler import shape as shapes
from pybernetes.scheduler import terms
from pybernetes.scheduler.devices import extended

T = TypeVar("T")


class World:
    """Caches by type; a type that nobody follows has none of its objects."""

    def __init__(
        self,
        caches: Mapping[type[Any], cache.Cache[Any]] | None = None,
        now: Callable[[], float] = float,
    ) -> None:
        """`now` answers seconds since the epoch."""
        self.now = now
        self._caches = dict(caches or {})
        # Volumes that are chosen for a claim, and claims whose volume is being made for a node, until the API server
        # tells of it: by the volume's name, and by `namespace/name` of the claim.
        self.volumes_taken: dict[str, str] = {}
        self.claims_placed: dict[str, str] = {}
        # Devices that are being given to a claim, by its uid.
        self.devices_taken: dict[str, resource_v1.AllocationResult] = {}
        self._selectors: dict[tuple[Any, ...], selectors.LabelSelector] = {}

    def of(self, kind: type[T]) -> cache.Cache[T]:
        known = self._caches.get(kind)
        if known is None:
            known = self._caches[kind] = cache.Cache()
        return known

    def add(self, kind: type[T], known: cache.Cache[T]) -> None:
        """Have a type followed from now on."""
        self._caches[kind] = known

    def backed_by_devices(self, shape: shapes.Shape) -> bool:
        """Whether device classes stand behind any of the resources that it asks for."""
        classes = self.of(resource_v1.DeviceClass)
        return any(extended.backed_by(classes, name) is not None for name in shape.extended)

    def namespace_labels(self, name: str) -> Mapping[str, str]:
        found = self.of(core_v1.Namespace).get(name)
        return found.metadata.labels if found is not None else {}

    def namespaces(self, selector: selectors.LabelSelector) -> frozenset[str]:
        """The namespaces whose labels a selector matches."""
        if selector.nothing:
            return frozenset()
        every = self.of(core_v1.Namespace)
        return frozenset(found.metadata.name for found in every if selector.matches(found.metadata.labels))

    def changed(self) -> None:
        """Services, owners or namespaces have changed."""
        self._selectors.clear()

    def siblings(self, shape: shapes.Shape) -> selectors.LabelSelector:
        """The pods that belong together with such a pod: by its services and its owner; nothing in common: empty."""
        key = (shape.namespace, shape.marks, shape.owner)
        known = self._selectors.get(key)
        if known is None:
            known = self._selectors[key] = self._siblings(shape)
        return known

    def _siblings(self, shape: shapes.Shape) -> selectors.LabelSelector:
        labels: dict[str, str] = {}
        for service in self.of(core_v1.Service).list(shape.namespace):
            wanted = service.spec.selector
            if wanted and all(shape.labels.get(key) == value for key, value in wanted.items()):
                labels.update(wanted)
        owner = shape.owner
        if owner is None:
            return selectors.from_set(labels)
        if (owner.version, owner.kind) == ("v1", "ReplicationController"):
            controller = self.of(core_v1.ReplicationController).get(owner.name, shape.namespace)
            return selectors.from_set(labels | (controller.spec.selector if controller is not None else {}))
        kind: Any = {"ReplicaSet": apps_v1.ReplicaSet, "StatefulSet": apps_v1.StatefulSet}.get(owner.kind)
        found = self.of(kind).get(owner.name, shape.namespace) if owner.version == "apps/v1" and kind else None
        requirements = selectors.from_set(labels).requirements
        if found is None:
            return selectors.LabelSelector(requirements)
        return selectors.LabelSelector((*requirements, *terms.selector_of(found.spec.selector).requirements))
