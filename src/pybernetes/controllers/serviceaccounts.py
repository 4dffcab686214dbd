"""Sees to it that every namespace has its `default` ServiceAccount, which pods run as unless told otherwise."""

from __future__ import annotations

from pybernetes.api import errors
from pybernetes.api.types import core_v1, meta_v1
from pybernetes.controllers.context import Context
from pybernetes.controllers.pods import NAMESPACE_TERMINATING, has_cause

NAME = "serviceaccount-controller"
ACCOUNT = "default"


class ServiceAccounts:
    """The controller. Work items are namespaces."""

    def __init__(self, context: Context) -> None:
        self._context, self._client = context, context.client
        self._queue = context.queue(NAME)
        self._namespaces = context.informers.of(core_v1.Namespace)
        self._accounts = context.informers.of(core_v1.ServiceAccount)
        self._namespaces.on_change(self._namespace_changed)
        self._accounts.on_change(self._account_changed)

    async def run(self) -> None:
        after = (self._namespaces, self._accounts)
        await self._context.reconcile(NAME, self._queue, self.reconcile, after=after, workers=1)

    def _namespace_changed(self, old: core_v1.Namespace | None, new: core_v1.Namespace | None) -> None:
        if new is not None:
            self._queue.add(new.metadata.name, "Namespace changed")

    def _account_changed(self, old: core_v1.ServiceAccount | None, new: core_v1.ServiceAccount | None) -> None:
        if new is None and old is not None and old.metadata.name == ACCOUNT:
            self._queue.add(old.metadata.namespace, "its default ServiceAccount was deleted")

    async def reconcile(self, key: str) -> None:
        namespace = self._namespaces.cache.get(key)
        if namespace is None or namespace.metadata.deletionTimestamp is not None:
            return
        if self._accounts.cache.get(ACCOUNT, key) is not None:
            return
        account = core_v1.ServiceAccount(metadata=meta_v1.ObjectMeta(name=ACCOUNT, namespace=key))
        try:
            await self._client.create(account)
        except errors.StatusError as error:
            if error.reason != "AlreadyExists" and not has_cause(error, NAMESPACE_TERMINATING):
                raise
