"""Keeps `status.used` of every ResourceQuota true: admission counts what comes, this counts what has gone.

Admission counts an object before it is there. A count made in that moment would be too low, and let in too much; so
usage is lowered only when nothing has been counted for a while.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pybernetes.api import codecs, device_quotas, quantity, quotas, scheme
from pybernetes.api.types import core_v1, resource_v1
from pybernetes.controllers import discovery
from pybernetes.controllers.context import Context
from pybernetes.informers import Informer, key_of, split_key

NAME = "resourcequota-controller"
# Everything is counted anew this often, in seconds.
RESYNC = 300.0
# Usage is lowered when the quota has not been written for so long; put off no longer than PATIENCE.
REST, PATIENCE = 1.0, 10.0
_CLAIMS = ("", "persistentvolumeclaims")
# Whose whole objects are looked at; all others are only counted.
_TYPED: dict[tuple[str, str], type] = {
    ("", "pods"): core_v1.Pod,
    ("", "services"): core_v1.Service,
    _CLAIMS: core_v1.PersistentVolumeClaim,
    device_quotas.CLAIMS: resource_v1.ResourceClaim,
}


class ResourceQuotas:
    """The controller."""

    def __init__(self, context: Context) -> None:
        self._context, self._client = context, context.client
        self._queue = context.queue(NAME)
        self._quotas = context.informers.of(core_v1.ResourceQuota)
        self._counted: dict[tuple[str, str], Informer[Any]] = {}
        self._resources: dict[tuple[str, str], scheme.Resource] = {}
        self._written: dict[str, float] = {}
        self._postponed: dict[str, float] = {}
        # What device classes stand behind, once a quota asks for it.
        self._classes = device_quotas.NONE
        self._class_informer: Informer[resource_v1.DeviceClass] | None = None
        self._quotas.on_change(self._quota_changed)

    async def run(self) -> None:
        await self._context.reconcile(NAME, self._queue, self.reconcile, after=(self._quotas,))

    def _quota_changed(self, old: core_v1.ResourceQuota | None, new: core_v1.ResourceQuota | None) -> None:
        key = key_of(new or old)
        if new is None:
            self._written.pop(key, None)
            self._postponed.pop(key, None)
            return
        self._written[key] = self._context.clock.monotonic()
        self._queue.add(key, "ResourceQuota changed")

    def _watch(self, at: tuple[str, str], resource: scheme.Resource) -> Informer[Any]:
        informer: Informer[Any] = self._context.informers.of(_TYPED.get(at) or resource.metadata_only())

        def changed(old: Any, new: Any) -> None:
            gone = new is None
            ended = (
                at == ("", "pods") and not gone and old is not None and quotas.counts(old) and not quotas.counts(new)
            )
            other = at in _TYPED and old is not None and new is not None and old.spec != new.spec
            if at == _CLAIMS and old is not None and new is not None:
                # What a volume has, and of which class it is, is in its claim's status.
                other = other or old.status != new.status
            if gone or ended or other:
                for quota in self._quotas.cache.list((new or old).metadata.namespace):
                    if device_quotas.governs(quota.spec.hard, *at, self._classes):
                        self._queue.add(key_of(quota), f"{at[1]} {key_of(new or old)} went")

        informer.on_change(changed)
        return informer

    async def reconcile(self, key: str) -> float | None:
        namespace, name = split_key(key)
        quota = self._quotas.cache.get(name, namespace)
        if quota is None:
            return None
        used = await self._used(quota)
        hard = quota.spec.hard
        before = quota.status.used
        if dict(quota.status.hard) == dict(hard) and _same(before, used):
            self._postponed.pop(key, None)
            return RESYNC
        now = self._context.clock.monotonic()
        lower = any(name in used and quantity.compare(used[name], amount) < 0 for name, amount in before.items())
        rested = now - self._written.get(key, 0.0) >= REST
        if lower and not rested and now - self._postponed.setdefault(key, now) < PATIENCE:
            return REST
        self._postponed.pop(key, None)
        copy = codecs.copy(quota)
        copy.status.hard, copy.status.used = dict(hard), used
        await self._client.update_status(copy)
        return RESYNC

    async def _used(self, quota: core_v1.ResourceQuota) -> quotas.Amounts:
        """What the namespace's objects come to, of all that the quota names."""
        total = dict.fromkeys(quota.spec.hard, quotas.ZERO)
        for at, informer in (await self._informers(quota)).items():
            objects = informer.cache.list(quota.metadata.namespace)
            of_pods = self._of_pods(objects) if at == device_quotas.CLAIMS else {}
            for obj in objects:
                if not quotas.matches(quota, *at, obj):
                    continue
                if at == device_quotas.CLAIMS and self._class_informer is not None:
                    amounts = device_quotas.usage(obj, self._classes, self._stated(obj, of_pods))
                else:
                    amounts = quotas.usage(*at, obj) if at in _TYPED else _counted_as(*at)
                for name in amounts.keys() & total.keys():
                    total[name] = quantity.add(total[name], amounts[name])
        return total

    async def _informers(self, quota: core_v1.ResourceQuota) -> dict[tuple[str, str], Informer[Any]]:
        """Of all resources that the quota names something of."""
        if not self._covers(quota):
            listed, _ = await discovery.resources(self._client)
            self._resources = {(one.group, one.name): one for one in listed if one.namespaced and "list" in one.verbs}
        if device_quotas.names_extended(quota.spec.hard) and device_quotas.CLAIMS in self._resources:
            await self._follow_classes()
        found = {}
        for at, resource in self._resources.items():
            if device_quotas.governs(quota.spec.hard, *at, self._classes):
                if at not in self._counted:
                    self._counted[at] = self._watch(at, resource)
                await self._counted[at].wait_synced()
                found[at] = self._counted[at]
        return found

    async def _follow_classes(self) -> None:
        if self._class_informer is None:
            self._class_informer = self._context.informers.of(resource_v1.DeviceClass)
            # Pods are asked what they have been counted for.
            await self._context.informers.of(core_v1.Pod).wait_synced()
            await self._class_informer.wait_synced()
            self._class_informer.on_change(self._class_changed)

    def _class_changed(self, old: resource_v1.DeviceClass | None, new: resource_v1.DeviceClass | None) -> None:
        if self._class_informer is None:
            return
        if old is not None and new is not None and old.spec.extendedResourceName == new.spec.extendedResourceName:
            return
        self._classes = device_quotas.Classes(self._class_informer.cache)
        for quota in self._quotas.cache:
            if device_quotas.names_extended(quota.spec.hard):
                self._queue.add(key_of(quota), "a DeviceClass changed")

    def _of_pods(self, claims: Iterable[resource_v1.ResourceClaim]) -> dict[str, list[resource_v1.ResourceClaim]]:
        """The claims that say they were made for a pod, by its uid."""
        found: dict[str, list[resource_v1.ResourceClaim]] = {}
        for claim in claims:
            owner = device_quotas.owner(claim)
            if owner is not None:
                found.setdefault(owner.uid, []).append(claim)
        return found

    def _stated(
        self, claim: resource_v1.ResourceClaim, of_pods: Mapping[str, list[resource_v1.ResourceClaim]]
    ) -> quotas.Amounts:
        owner = device_quotas.owner(claim)
        if owner is None:
            return {}
        pod = self._context.informers.of(core_v1.Pod).cache.get(owner.name, claim.metadata.namespace)
        return device_quotas.stated_by(pod, claim, of_pods[owner.uid])

    def _covers(self, quota: core_v1.ResourceQuota) -> bool:
        """Whether the resources we know of are all that the quota speaks of."""
        return bool(self._resources) and all(
            any(quotas.governs((name,), *at) for at in self._resources) for name in quota.spec.hard
        )


def _counted_as(group: str, resource: str) -> quotas.Amounts:
    return quotas.usage(group, resource, None)


def _same(one: dict[str, quantity.Quantity], other: quotas.Amounts) -> bool:
    return one.keys() == other.keys() and all(quantity.compare(one[name], other[name]) == 0 for name in one)
