"""NamespaceAutoProvision, which makes the namespaces that are written into, and NamespaceExists, which wants them."""

from __future__ import annotations

from pybernetes.api import errors
from pybernetes.api.types import core_v1, meta_v1
from pybernetes.apiserver.admission import hosts, plugin
from pybernetes.apiserver.storage import collection as collections


class NamespaceAutoProvision(plugin.Plugin):
    name = "NamespaceAutoProvision"
    operations = (plugin.CREATE,)

    def __init__(self, host: hosts.Host) -> None:
        self._namespaces: collections.Collection = host.collection("", "namespaces")
        self._host = host

    async def admit(self, attributes: plugin.Attributes) -> None:
        name = attributes.namespace
        if attributes.dry_run or not name or self._namespaces.get("", name) is not None:
            return
        try:
            await self._host.client().create(core_v1.Namespace(metadata=meta_v1.ObjectMeta(name=name)))
        except errors.StatusError as error:
            if error.reason != "AlreadyExists":
                raise attributes.forbidden(str(error)) from None


class NamespaceExists(plugin.Plugin):
    name = "NamespaceExists"
    operations = (plugin.CREATE, plugin.UPDATE, plugin.DELETE)

    def __init__(self, namespaces: collections.Collection) -> None:
        self._namespaces = namespaces

    async def validate(self, attributes: plugin.Attributes) -> None:
        if attributes.namespace and self._namespaces.get("", attributes.namespace) is None:
            raise errors.not_found("", "namespaces", attributes.namespace)
