"""The ConfigMaps and Secrets that this node's pods refer to: each watched by its own name, while a pod needs it.

One watch per object, as upstream does, because a node may read only what its pods refer to. `changed` tells when
one of a pod's objects changes, so that its volumes follow at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from pybernetes.api.types import core_v1
from pybernetes.informers import Informers
from pybernetes.kits import clock as clocks
from pybernetes.kubelet.containers import labels

# How long a container's start waits for an object to be read for the first time.
FIRST_READ = 10.0


class Reference(NamedTuple):
    kind: type
    namespace: str
    name: str


def references(pod: core_v1.Pod) -> set[Reference]:
    """Every ConfigMap and Secret that the pod names."""
    namespace = pod.metadata.namespace
    return {Reference(kind, namespace, name) for kind, name in _named(pod) if name}


def _named(pod: core_v1.Pod) -> Iterator[tuple[type, str]]:
    for pull in pod.spec.imagePullSecrets:
        yield core_v1.Secret, pull.name
    everyone: list[labels.AnyContainer] = [
        *pod.spec.initContainers,
        *pod.spec.containers,
        *pod.spec.ephemeralContainers,
    ]
    for container in everyone:
        for origin in container.envFrom:
            if origin.configMapRef is not None:
                yield core_v1.ConfigMap, origin.configMapRef.name
            if origin.secretRef is not None:
                yield core_v1.Secret, origin.secretRef.name
        for variable in container.env:
            if variable.valueFrom is None:
                continue
            if variable.valueFrom.configMapKeyRef is not None:
                yield core_v1.ConfigMap, variable.valueFrom.configMapKeyRef.name
            if variable.valueFrom.secretKeyRef is not None:
                yield core_v1.Secret, variable.valueFrom.secretKeyRef.name
    for volume in pod.spec.volumes:
        if volume.configMap is not None:
            yield core_v1.ConfigMap, volume.configMap.name
        if volume.secret is not None:
            yield core_v1.Secret, volume.secret.secretName
        for source in volume.projected.sources if volume.projected is not None else ():
            if source.configMap is not None:
                yield core_v1.ConfigMap, source.configMap.name
            if source.secret is not None:
                yield core_v1.Secret, source.secret.name


class Objects:
    """`environment.Source` over informers. `changed` is called with the uid of every pod that refers to the object."""

    def __init__(self, informers: Informers, *, clock: clocks.Clock, changed: Callable[[str], None]) -> None:
        self._informers, self._clock, self._changed = informers, clock, changed
        self._users: dict[Reference, set[str]] = {}
        self._of_pod: dict[str, set[Reference]] = {}

    async def follow(self, pod: core_v1.Pod) -> None:
        """Watch what the pod refers to now, and no longer what it does not."""
        uid = pod.metadata.uid
        wanted = references(pod)
        gone = self._of_pod.get(uid, set()) - wanted
        self._of_pod[uid] = wanted
        for reference in wanted:
            if reference not in self._users:
                self._users[reference] = set()
                self._informer(reference).on_change(self._teller(reference))
            self._users[reference].add(uid)
        await self._release(uid, gone)

    async def unfollow(self, uid: str) -> None:
        await self._release(uid, self._of_pod.pop(uid, set()))

    async def _release(self, uid: str, gone: set[Reference]) -> None:
        for reference in gone:
            users = self._users.get(reference)
            if users is None:
                continue
            users.discard(uid)
            if not users:
                del self._users[reference]
                await self._informers.drop(
                    reference.kind, namespace=reference.namespace, fields=f"metadata.name={reference.name}"
                )

    def _teller(self, reference: Reference) -> Callable[[Any, Any], None]:
        def tell(_old: Any, _new: Any) -> None:
            for uid in list(self._users.get(reference, ())):
                self._changed(uid)

        return tell

    def _informer(self, reference: Reference) -> Any:
        return self._informers.of(
            reference.kind, namespace=reference.namespace, fields=f"metadata.name={reference.name}"
        )

    async def _get(self, reference: Reference) -> Any:
        informer = self._informer(reference)
        if not informer.synced:
            async with self._clock.timeout(FIRST_READ):
                await informer.wait_synced()
        return informer.cache.get(reference.name, reference.namespace)

    async def config_map(self, namespace: str, name: str) -> core_v1.ConfigMap | None:
        found: core_v1.ConfigMap | None = await self._get(Reference(core_v1.ConfigMap, namespace, name))
        return found

    async def secret(self, namespace: str, name: str) -> core_v1.Secret | None:
        found: core_v1.Secret | None = await self._get(Reference(core_v1.Secret, namespace, name))
        return found
