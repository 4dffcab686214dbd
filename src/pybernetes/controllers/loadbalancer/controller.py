"""Gives Services of type LoadBalancer addresses from a pool, for machines that no cloud provides them for.

The addresses are written into the Services' status, from where the proxies of the nodes serve them; that packets for
them come to a node is for the network to see to. Without a pool nothing is done, and others may provide.
"""

from __future__ import annotations

from pybernetes.api import codecs, errors
from pybernetes.api.types import core_v1
from pybernetes.controllers import services
from pybernetes.controllers.context import Context
from pybernetes.controllers.loadbalancer import pool
from pybernetes.informers import key_of, split_key

NAME = "service-lb-controller"
FINALIZER = "service.kubernetes.io/load-balancer-cleanup"


def wants(service: core_v1.Service) -> bool:
    """Whether it is to have a load balancer of ours; one with a class is for whoever serves that class."""
    return (
        service.spec.type == "LoadBalancer"
        and service.spec.loadBalancerClass is None
        and service.metadata.deletionTimestamp is None
    )


def addresses(service: core_v1.Service) -> list[str]:
    """Those that its status says are its own."""
    return [ingress.ip for ingress in service.status.loadBalancer.ingress if ingress.ip]


def is_served(service: core_v1.Service, known: pool.Pool) -> bool:
    """Whether it has what it asks for."""
    had = addresses(service)
    asked = service.spec.loadBalancerIP
    return (
        bool(had)
        and all(address in known for address in had)
        and (not asked or asked in had)
        and FINALIZER in service.metadata.finalizers
    )


def served(service: core_v1.Service, given: list[str]) -> core_v1.Service:
    """The Service with its addresses; without any, as one that never had a load balancer."""
    copy = codecs.copy(service)
    copy.metadata.finalizers = [known for known in copy.metadata.finalizers if known != FINALIZER]
    if given:
        copy.metadata.finalizers.append(FINALIZER)
    copy.status.loadBalancer.ingress = [core_v1.LoadBalancerIngress(ip=address, ipMode="VIP") for address in given]
    return copy


class LoadBalancers:
    """The controller. Work items are Services."""

    def __init__(self, context: Context) -> None:
        self._context, self._client = context, context.client
        self._pool = pool.Pool(context.settings.load_balancer_pool)
        self._recorder = context.recorder("service-controller")
        self._queue = context.queue(NAME)
        # Who has which address, ahead of the cache by the writes under way.
        self._given: dict[str, str] = {}
        self._waiting: set[str] = set()
        self._services = context.informers.of(core_v1.Service)
        if self._pool:
            self._services.on_change(self._changed)

    async def run(self) -> None:
        await self._context.reconcile(NAME, self._queue, self.reconcile, after=(self._services,), workers=1)

    def _changed(self, old: core_v1.Service | None, new: core_v1.Service | None) -> None:
        changed = new or old
        if changed is None:
            return
        key = key_of(changed)
        if new is not None and new.spec.loadBalancerClass is None:
            # Noted before anything is given away: what stands in a status stays its own.
            for address in addresses(new):
                self._given.setdefault(address, key)
        if new is None or wants(new) or FINALIZER in new.metadata.finalizers:
            self._queue.add(key, "Service changed")

    async def reconcile(self, key: str) -> None:
        namespace, name = split_key(key)
        service = self._services.cache.get(name, namespace)
        if service is None:
            self._release(key, [])
        elif wants(service):
            await self._serve(key, service)
        elif FINALIZER in service.metadata.finalizers:
            await self._clean_up(key, service)

    async def _serve(self, key: str, service: core_v1.Service) -> None:
        if is_served(service, self._pool) and all(self._given.get(one) == key for one in addresses(service)):
            self._release(key, addresses(service))
            return
        self._recorder.event(service, "Normal", "EnsuringLoadBalancer", "Ensuring load balancer")
        taken = {address for address, holder in self._given.items() if holder != key}
        try:
            chosen = pool.choose(self._pool, services.families(service), service.spec.loadBalancerIP, taken)
        except ValueError as error:
            # Tried again when an address comes free, or the Service changes.
            self._waiting.add(key)
            message = f"Error syncing load balancer: failed to ensure load balancer: {error}"
            self._recorder.event(service, "Warning", "SyncLoadBalancerFailed", message)
            return
        self._given.update(dict.fromkeys(chosen, key))
        await self._client.update_status(served(service, chosen))
        self._recorder.event(service, "Normal", "EnsuredLoadBalancer", "Ensured load balancer")
        self._release(key, chosen)

    async def _clean_up(self, key: str, service: core_v1.Service) -> None:
        self._recorder.event(service, "Normal", "DeletingLoadBalancer", "Deleting load balancer")
        try:
            await self._client.update_status(served(service, []))
        except errors.StatusError as error:
            if error.reason != "NotFound":
                raise
        self._recorder.event(service, "Normal", "DeletedLoadBalancer", "Deleted load balancer")
        self._release(key, [])

    def _release(self, key: str, kept: list[str]) -> None:
        """Have others get what a Service has no longer."""
        self._waiting.discard(key)
        freed = [address for address, holder in self._given.items() if holder == key and address not in kept]
        for address in freed:
            del self._given[address]
        if freed:
            for waiting in self._waiting:
                self._queue.add(waiting, f"{key} gave up {', '.join(freed)}")
