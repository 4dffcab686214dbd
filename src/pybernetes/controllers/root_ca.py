"""Publishes the cluster's CA to every namespace as ConfigMap `kube-root-ca.crt`, for pods to trust the API server."""

from __future__ import annotations

from pybernetes.api import codecs, errors
from pybernetes.api.types import core_v1, meta_v1
from pybernetes.controllers.context import Context
from pybernetes.controllers.pods import NAMESPACE_TERMINATING, has_cause

NAME = "root-ca-certificate-publisher-controller"
CONFIG_MAP = "kube-root-ca.crt"
KEY = "ca.crt"
DESCRIPTION = "kubernetes.io/description"
DESCRIBED = (
    "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the "
    "internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes "
    "clusters."
)


class RootCA:
    """The controller. Work items are namespaces."""

    def __init__(self, context: Context) -> None:
        self._context, self._client = context, context.client
        self._bundle = context.settings.ca.decode()
        self._queue = context.queue(NAME)
        self._namespaces = context.informers.of(core_v1.Namespace)
        self._maps = context.informers.of(core_v1.ConfigMap, fields=f"metadata.name={CONFIG_MAP}")
        self._namespaces.on_change(self._namespace_changed)
        self._maps.on_change(self._map_changed)

    async def run(self) -> None:
        after = (self._namespaces, self._maps)
        await self._context.reconcile(NAME, self._queue, self.reconcile, after=after, workers=1)

    def _namespace_changed(self, old: core_v1.Namespace | None, new: core_v1.Namespace | None) -> None:
        if new is not None:
            self._queue.add(new.metadata.name, "Namespace changed")

    def _map_changed(self, old: core_v1.ConfigMap | None, new: core_v1.ConfigMap | None) -> None:
        changed = new or old
        if old is not None and changed is not None:
            self._queue.add(changed.metadata.namespace, "its kube-root-ca.crt was changed")

    async def reconcile(self, key: str) -> None:
        namespace = self._namespaces.cache.get(key)
        if namespace is None or namespace.metadata.deletionTimestamp is not None:
            return
        found = self._maps.cache.get(CONFIG_MAP, key)
        if found is None:
            await self._create(key)
            return
        right = found.data == {KEY: self._bundle}
        if right and found.metadata.annotations.get(DESCRIPTION) == DESCRIBED:
            return
        copy = codecs.copy(found)
        copy.data = {KEY: self._bundle}
        copy.metadata.annotations[DESCRIPTION] = DESCRIBED
        await self._client.update(copy)

    async def _create(self, namespace: str) -> None:
        meta = meta_v1.ObjectMeta(name=CONFIG_MAP, namespace=namespace, annotations={DESCRIPTION: DESCRIBED})
        try:
            await self._client.create(core_v1.ConfigMap(metadata=meta, data={KEY: self._bundle}))
        except errors.StatusError as error:
            if not has_cause(error, NAMESPACE_TERMINATING):
                raise
