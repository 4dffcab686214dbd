"""ResourceQuota: what is created must fit into the quotas of its namespace, and is counted before it is there.

The quota's status is written before the object, with the revision it was read at, so that of two requests for the
last bit of room one sees the other. What was counted and then not created is counted back by the controller.
"""

from __future__ import annotations

from typing import Any

from pybernetes.api import device_quotas, errors, quantity, quotas
from pybernetes.api.types import core_v1, resource_v1
from pybernetes.apiserver.admission import hosts, plugin
from pybernetes.apiserver.storage import collection as collections
from pybernetes.apiserver.storage import item as items
from pybernetes.apiserver.storage import selection

ATTEMPTS = 20
# What can come to count for more than it did.
_UPDATED = ("pods/resize", "services", "persistentvolumeclaims")


class ResourceQuota(plugin.Plugin):
    name = "ResourceQuota"

    def __init__(self, host: hosts.Host) -> None:
        self._stored = host.collection("", "resourcequotas")
        self._pods = host.collection("", "pods")
        self._claims = host.collection("resource.k8s.io", "resourceclaims")
        self._classes = host.collection("resource.k8s.io", "deviceclasses")

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
        classes = self._classes_for(attributes, hard)
        if not device_quotas.governs(hard, resource.group, resource.name, classes):
            return {}
        if not quotas.matches(quota, resource.group, resource.name, attributes.obj):
            return {}
        if resource.group_resource == "pods" and attributes.operation == plugin.CREATE:
            self._check_stated(attributes, hard)
        more = quotas.constrained(hard, self._usage(attributes, attributes.obj, classes))
        if attributes.old is not None and quotas.matches(quota, resource.group, resource.name, attributes.old):
            before = quotas.constrained(hard, self._usage(attributes, attributes.old, classes))
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

    def _classes_for(self, attributes: plugin.Attributes, hard: quotas.Amounts) -> device_quotas.Classes:
        resource = attributes.kind.resource
        if (resource.group, resource.name) != device_quotas.CLAIMS or not device_quotas.names_extended(hard):
            return device_quotas.NONE
        items = self._classes.select(selection.EVERYTHING).items
        return device_quotas.Classes(item.peek(resource_v1.DeviceClass) for item in items)

    def _usage(self, attributes: plugin.Attributes, obj: Any, classes: device_quotas.Classes) -> quotas.Amounts:
        resource = attributes.kind.resource
        if classes is device_quotas.NONE:
            return quotas.usage(resource.group, resource.name, obj)
        return device_quotas.usage(obj, classes, self._stated(attributes.namespace, obj))

    def _stated(self, namespace: str, claim: resource_v1.ResourceClaim) -> quotas.Amounts:
        """What the pod has been counted for that the claim was made for."""
        of = device_quotas.owner(claim)
        item = self._pods.get(namespace, of.name) if of is not None else None
        if of is None or item is None:
            return {}
        marks = of.uid.encode(), device_quotas.ANNOTATION.encode()
        others = [
            one.peek(resource_v1.ResourceClaim)
            for one in self._claims.select(selection.Selection(namespace=namespace)).items
            # Few are of that pod, so that the others are not decoded.
            if one.name != claim.metadata.name and all(mark in one.data for mark in marks)
        ]
        others = [one for one in others if (owner := device_quotas.owner(one)) is not None and owner.uid == of.uid]
        return device_quotas.stated_by(item.peek(core_v1.Pod), claim, others)

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
