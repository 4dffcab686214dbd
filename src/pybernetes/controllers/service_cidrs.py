"""Keeps ServiceCIDRs from going while addresses of theirs are in use, and says which are ready."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from pybernetes.api import cidrs, codecs, errors, times
from pybernetes.api.types import meta_v1, networking_v1
from pybernetes.controllers import conditions
from pybernetes.controllers.context import Context

NAME = "service-cidr-controller"
FINALIZER = "networking.k8s.io/service-cidr-finalizer"
MANAGED = "ipaddress.kubernetes.io/managed-by=ipallocator.k8s.io"
# How long API servers may take to hear that addresses of a range are not to be given any more, in seconds.
GRACE = 10.0
READY = "Kubernetes Service CIDR is ready"
BLOCKED = "There are still IPAddresses referencing the ServiceCIDR, please remove them or create a new ServiceCIDR"


def contains(cidr: networking_v1.ServiceCIDR, address: str) -> bool:
    try:
        return cidrs.held(cidrs.networks(cidr), ipaddress.ip_address(address))
    except ValueError:
        return False


def may_go(
    cidr: networking_v1.ServiceCIDR,
    others: Iterable[networking_v1.ServiceCIDR],
    addresses: Iterable[str],
) -> bool:
    """Whether every address of its, of all that are in use, is also one of another range."""
    rest = [one for other in others if other.metadata.name != cidr.metadata.name for one in cidrs.networks(other)]
    if all(any(_within(network, other) for other in rest) for network in cidrs.networks(cidr)):
        return True
    its = (ipaddress.ip_address(text) for text in addresses if contains(cidr, text))
    return all(cidrs.held(rest, address) for address in its)


def _within(inner: cidrs.Network, outer: cidrs.Network) -> bool:
    if isinstance(inner, ipaddress.IPv4Network):
        return isinstance(outer, ipaddress.IPv4Network) and inner.subnet_of(outer)
    return isinstance(outer, ipaddress.IPv6Network) and inner.subnet_of(outer)


class ServiceCIDRs:
    """The controller. Work items are ServiceCIDRs."""

    def __init__(self, context: Context) -> None:
        self._context, self._client = context, context.client
        self._recorder = context.recorder(NAME)
        self._queue = context.queue(NAME)
        self._cidrs = context.informers.of(networking_v1.ServiceCIDR)
        self._addresses = context.informers.of(networking_v1.IPAddress, labels=MANAGED)
        self._cidrs.on_change(self._cidr_changed)
        self._addresses.on_change(self._address_changed)

    async def run(self) -> None:
        await self._context.reconcile(NAME, self._queue, self.reconcile, after=(self._cidrs, self._addresses))

    def _cidr_changed(self, old: networking_v1.ServiceCIDR | None, new: networking_v1.ServiceCIDR | None) -> None:
        if new is not None:
            self._queue.add(new.metadata.name, "ServiceCIDR changed")
        if old is None or new is None:
            # Another range may now hold the addresses of one that is to go, or does so no longer.
            self._look_at_going("", "a ServiceCIDR came or went")

    def _address_changed(self, old: networking_v1.IPAddress | None, new: networking_v1.IPAddress | None) -> None:
        address = new or old
        if address is not None and (old is None or new is None):
            self._look_at_going(address.metadata.name, f"IPAddress {address.metadata.name} came or went")

    def _look_at_going(self, address: str, why: str) -> None:
        for cidr in self._cidrs.cache:
            if cidr.metadata.deletionTimestamp is not None and (not address or contains(cidr, address)):
                self._queue.add(cidr.metadata.name, why)

    async def reconcile(self, key: str) -> float | None:
        cidr = self._cidrs.cache.get(key)
        if cidr is None:
            return None
        if cidr.metadata.deletionTimestamp is not None:
            return await self._let_go(cidr, times.parse(cidr.metadata.deletionTimestamp))
        if FINALIZER not in cidr.metadata.finalizers:
            copy = codecs.copy(cidr)
            copy.metadata.finalizers.append(FINALIZER)
            cidr = await self._client.update(copy)
        try:
            await self._tell(cidr, "True", "", READY)
        except errors.StatusError:
            message = "The ServiceCIDR Status can not be set to Ready=True"
            self._recorder.event(cidr, "Warning", "KubernetesServiceCIDRError", message)
            raise
        return None

    async def _let_go(self, cidr: networking_v1.ServiceCIDR, since: float) -> float | None:
        if not may_go(cidr, self._cidrs.cache, (one.metadata.name for one in self._addresses.cache)):
            await self._tell(cidr, "False", "Terminating", BLOCKED)
            return None
        left = GRACE - (self._context.clock.time() - since)
        if left > 0:
            return left
        if FINALIZER in cidr.metadata.finalizers:
            copy = codecs.copy(cidr)
            copy.metadata.finalizers.remove(FINALIZER)
            await self._client.update(copy)
        return None

    async def _tell(self, cidr: networking_v1.ServiceCIDR, status: str, reason: str, message: str) -> None:
        now = times.to_time(self._context.clock.time())
        wanted = meta_v1.Condition(type="Ready", status=status, reason=reason, message=message, lastTransitionTime=now)
        put = conditions.put(cidr.status.conditions, wanted)
        if put is not cidr.status.conditions:
            copy = codecs.copy(cidr)
            copy.status.conditions = put
            await self._client.update_status(copy)
