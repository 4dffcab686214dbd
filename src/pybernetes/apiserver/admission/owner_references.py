"""OwnerReferencesPermissionEnforcement: who has an object go with an owner may delete it; who blocks the deletion of an
owner may do that to the owner."""

from __future__ import annotations

from typing import Any

from pybernetes.api.types import meta_v1
from pybernetes.apiserver import registry as registries
from pybernetes.apiserver import request as requests
from pybernetes.apiserver.admission import hosts, plugin
from pybernetes.apiserver.authz import authorizer as authorizers

# Written by those who cannot see owners.
_EXEMPT = ("pods/status",)


class OwnerReferencesPermissionEnforcement(plugin.Plugin):
    name = "OwnerReferencesPermissionEnforcement"
    operations = (plugin.CREATE, plugin.UPDATE)

    def __init__(self, host: hosts.Host) -> None:
        self._authorizer = host.authorizer
        self._registry: registries.Registry = host.registry

    def handles(self, operation: str, resource: str) -> bool:
        return super().handles(operation, resource) and resource not in _EXEMPT

    async def validate(self, attributes: plugin.Attributes) -> None:
        new, old = _owners(attributes.obj), _owners(attributes.old)
        if new == old:
            return
        resource = attributes.kind.resource
        if attributes.operation != plugin.CREATE:
            asked = requests.Attributes(
                "delete",
                "",
                group=resource.group,
                version=resource.version,
                namespace=attributes.namespace,
                resource=resource.name,
                subresource=attributes.subresource,
                name=attributes.name,
            )
            decision = await authorizers.decided(self._authorizer, attributes.user, asked)
            if not decision.allowed:
                why = f"cannot set an ownerRef on a resource you can't delete: {decision.reason}, <nil>"
                raise attributes.forbidden(why)
        blocked = {owner.uid for owner in old if owner.blockOwnerDeletion}
        await self._check_blocking(
            attributes, [one for one in new if one.blockOwnerDeletion and one.uid not in blocked]
        )

    async def _check_blocking(self, attributes: plugin.Attributes, blocking: list[meta_v1.OwnerReference]) -> None:
        everything = requests.Attributes(
            "update", "", group="*", version="*", resource="*", subresource="finalizers", name="*"
        )
        if not blocking or (await authorizers.decided(self._authorizer, attributes.user, everything)).allowed:
            return
        for owner in blocking:
            kind = self._registry.of_kind(owner.apiVersion, owner.kind)
            if kind is None:
                where = f"APIVersion {owner.apiVersion} Kind {owner.kind}"
                raise attributes.forbidden(
                    f"cannot set blockOwnerDeletion in this case because cannot find RESTMapping for {where}: "
                    f'no matches for kind "{owner.kind}" in version "{owner.apiVersion}"'
                )
            resource = kind.resource
            asked = requests.Attributes(
                "update",
                "",
                group=resource.group,
                version=resource.version,
                namespace=attributes.namespace if resource.namespaced else "",
                resource=resource.name,
                subresource="finalizers",
                name=owner.name,
            )
            decision = await authorizers.decided(self._authorizer, attributes.user, asked)
            if not decision.allowed:
                raise attributes.forbidden(
                    "cannot set blockOwnerDeletion if an ownerReference refers to a resource you can't set finalizers "
                    f"on: {decision.reason}, <nil>"
                )


def _owners(obj: Any) -> list[meta_v1.OwnerReference]:
    if obj is None:
        return []
    found: list[meta_v1.OwnerReference] = obj.metadata.ownerReferences
    return found
