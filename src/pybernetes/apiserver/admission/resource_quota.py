"""ResourceQuota: what is created must fit into the quotas of its namespace, and is counted before it is there.

The quota's status is written before the object, with the revision it was read at, so that of two requests for the
last bit of room one sees the other. What was counted and then not created is counted back by the controller.
"""

from __future__ import annotations

from pybernetes.api import errors, quantity, quotas
from pybernetes.api.types import core_v1
from pybernetes.apiserver.admission import plugin
from pybernetes.apiserver.storage import collection as collections
from pybernetes.apiserver.storage import item as items
from pybernetes.apiserver.storage import selection

ATTEMPTS = 20
# What can come to count for more than it did.
_UPDATED = ("pods/resize", "services", "persistentvolumeclaims")


class ResourceQuota(plugin.Plugin):
    name = "ResourceQuota"

    def __init__(self, stored: collections.Collection) -> None:
        self._stored = stored

    def handles(self, operation: str, resource: str) -> bool:
        if operation == plugin.CREATE:
            return "/" not in resource
        return operation == plugin.UPDATE and resource in _UPDATED

    async def validate(self, attributes: plugin.Attributes) -> None:
        if not attributes.namespace or not len(self._stored):
            return
        for _attempt in range(ATTEMPTS):
            charges = [
                (item, quota, more)
                for item in self._stored.select(selection.Selection(namespace=attributes.namespace)).items
                if (more := self._charge(attributes, quota := item.decoded(core_v1.ResourceQuota)))
            ]
            if attributes.dry_run or await self._book(attributes, charges):
                return
        raise errors.error(
            409,
            "Conflict",
            f"Operation cannot be fulfilled on resourcequotas: status could not be updated after {ATTEMPTS} tries",
        )

    def _charge(self, attributes: plugin.Attributes, quota: core_v1.ResourceQuota) -> quotas.Amounts:
        """What the quota has to count for the request. Raises Forbidden where there is no room."""
        resource = attributes.kind.resource
        hard = quota.status.hard
        if not quotas.governs(hard, resource.group, resource.name):
            return {}
        if not quotas.matches(quota, resource.group, resource.name, attributes.obj):
            return {}
        if resource.group_resource == "pods" and attributes.operation == plugin.CREATE:
            self._check_stated(attributes, hard)
        more = quotas.constrained(hard, quotas.usage(resource.group, resource.name, attributes.obj))
        if attributes.old is not None and quotas.matches(quota, resource.group, resource.name, attributes.old):
            before = quotas.constrained(hard, quotas.usage(resource.group, resource.name, attributes.old))
            more = {name: quantity.sub(amount, before.get(name, quotas.ZERO)) for name, amount in more.items()}
        more = {name: amount for name, amount in more.items() if amount.value() > 0}
        exceeded = quotas.over(hard, quota.status.used, more)
        if exceeded:
            why = (
                f"exceeded quota: {quota.metadata.name}, requested: {quotas.shown(more, exceeded)}, "
                f"used: {quotas.shown(quota.status.used, exceeded)}, limited: {quotas.shown(hard, exceeded)}"
            )
            raise _refused(attributes, why)
        return more

    def _check_stated(self, attributes: plugin.Attributes, hard: quotas.Amounts) -> None:
        lacking = quotas.lacking(attributes.obj, hard)
        if lacking:
            by_name: dict[str, list[str]] = {}
            for name, container in lacking:
                by_name.setdefault(name, []).append(container)
            told = "; ".join(f"{name} for: {','.join(sorted(found))}" for name, found in sorted(by_name.items()))
            raise _refused(attributes, f"failed quota: {self._first(attributes)}: must specify {told}")

    def _first(self, attributes: plugin.Attributes) -> str:
        """The quota that wants it stated."""
        for item in self._stored.select(selection.Selection(namespace=attributes.namespace)).items:
            quota: core_v1.ResourceQuota = item.decoded(core_v1.ResourceQuota)
            if quotas.matches(quota, "", "pods", attributes.obj) and quotas.lacking(attributes.obj, quota.status.hard):
                return quota.metadata.name
        return ""

    async def _book(
        self,
        attributes: plugin.Attributes,
        charges: list[tuple[items.Item, core_v1.ResourceQuota, quotas.Amounts]],
    ) -> bool:
        """Count it; False where a quota was written meanwhile, so that all has to be looked at again."""
        for at, (item, _, more) in enumerate(charges):
            fresh: core_v1.ResourceQuota = item.fresh(core_v1.ResourceQuota)
            fresh.status.used = fresh.status.used | {
                name: quantity.add(fresh.status.used.get(name, quotas.ZERO), amount) for name, amount in more.items()
            }
            try:
                await self._stored.replace(item, fresh)
            except collections.Modified:
                # What earlier ones have counted already is not counted twice: they are asked again for the rest.
                await self._unbook(charges[:at])
                return False
        return True

    async def _unbook(self, charges: list[tuple[items.Item, core_v1.ResourceQuota, quotas.Amounts]]) -> None:
        for _, quota, more in charges:
            for _attempt in range(ATTEMPTS):
                current = self._stored.get(quota.metadata.namespace, quota.metadata.name)
                if current is None:
                    break
                fresh: core_v1.ResourceQuota = current.fresh(core_v1.ResourceQuota)
                fresh.status.used = fresh.status.used | {
                    name: quantity.sub(fresh.status.used.get(name, amount), amount) for name, amount in more.items()
                }
                try:
                    await self._stored.replace(current, fresh)
                except collections.Modified:
                    continue
                break


def _refused(attributes: plugin.Attributes, why: str) -> errors.StatusError:
    resource = attributes.kind.resource
    name = attributes.name or attributes.obj.metadata.name
    return errors.forbidden(resource.group, resource.name, name, why)
