"""NamespaceLifecycle: nothing is created in a namespace that is missing or going, and the first ones stay."""

from __future__ import annotations

from pybernetes.api import errors
from pybernetes.api.types import core_v1, meta_v1
from pybernetes.apiserver.admission import plugin
from pybernetes.apiserver.storage import collection as collections

IMMORTAL = ("default", "kube-system", "kube-public")


class NamespaceLifecycle(plugin.Plugin):
    name = "NamespaceLifecycle"
    operations = (plugin.CREATE, plugin.UPDATE, plugin.DELETE)

    def __init__(self, namespaces: collections.Collection) -> None:
        self._namespaces = namespaces

    async def admit(self, attributes: plugin.Attributes) -> None:
        if attributes.operation == plugin.DELETE:
            if attributes.kind.resource.group_resource == "namespaces" and attributes.name in IMMORTAL:
                raise errors.forbidden("", "namespaces", attributes.name, "this namespace may not be deleted")
            return
        if not attributes.namespace or attributes.kind.resource.group_resource == "namespaces":
            return
        if attributes.kind.resource.group == "authorization.k8s.io":
            return
        item = self._namespaces.get("", attributes.namespace)
        if item is None:
            raise errors.not_found("", "namespaces", attributes.namespace)
        if attributes.operation != plugin.CREATE or attributes.subresource:
            return
        namespace = item.decoded(core_v1.Namespace)
        if namespace.metadata.deletionTimestamp is not None:
            resource = attributes.kind.resource
            why = f"unable to create new content in namespace {attributes.namespace} because it is being terminated"
            refused = errors.forbidden(resource.group, resource.name, attributes.name, why)
            details = refused.status.details or meta_v1.StatusDetails()
            details.causes.append(
                meta_v1.StatusCause(
                    reason="NamespaceTerminating",
                    message=f"namespace {attributes.namespace} is being terminated",
                    field="metadata.namespace",
                )
            )
            raise refused
