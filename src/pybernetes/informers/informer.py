"""Shared informers: one watch and one cache per resource, however many look at it.

Guarantees: handlers are called on the event loop, one change at a time, in the order the server made them, after the
cache holds the change; a handler added late is first told of everything there is. After a relist, handlers are told
what was added, changed and deleted in between, and nothing else.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Any, Generic, TypeVar

from pybernetes.api import scheme
from pybernetes.client import Client, Event, resource_of
from pybernetes.informers import cache, keys, reflector
from pybernetes.kits import causes
from pybernetes.kits.chance import Chance
from pybernetes.kits.clock import Clock
from pybernetes.kits.tasks import Tasks

log = logging.getLogger(__name__)

T = TypeVar("T")
Handler = Callable[[T | None, T | None], None]

# Objects handled in one go when a whole state arrives, so that the event loop gets its turn in between.
SLICE = 200


class Informer(Generic[T]):
    """The cache of one resource, and those who want to know of its changes."""

    def __init__(self) -> None:
        self._cache: cache.Writable[T] = cache.Writable()
        self.cache: cache.Cache[T] = self._cache
        self._handlers: list[Handler[T]] = []
        self._synced = asyncio.Event()

    def add_index(self, name: str, of: Callable[[T], Iterable[str]]) -> None:
        """Declare an index: `of(object)` gives the values it is filed under."""
        self._cache.declare(name, of)

    def on_change(self, handler: Handler[T]) -> None:
        """Call `handler(old, new)` for every change: (None, new) added, (old, None) deleted."""
        self._handlers.append(handler)
        for obj in self._cache.list():
            _tell((handler,), None, obj)

    def forget_readers(self) -> None:
        """Have no handlers and no indexes, but go on."""
        self._handlers.clear()
        self._cache.forget_indexes()

    @property
    def synced(self) -> bool:
        return self._synced.is_set()

    async def wait_synced(self) -> None:
        await self._synced.wait()

    async def replace(self, objects: list[T]) -> None:
        """Take over a whole state (called by the reflector)."""
        gone = set(self._cache.keys())
        for count, obj in enumerate(objects):
            key = keys.key_of(obj)
            gone.discard(key)
            known = self._cache.by_key(key)
            if known is None or cache.revision_of(known) != cache.revision_of(obj):
                self._put(key, obj)
            if count % SLICE == SLICE - 1:
                await asyncio.sleep(0)
        for key in gone:
            self._remove(key, None)
        self._synced.set()

    def apply(self, event: Event) -> None:
        """Take over one change (called by the reflector)."""
        key = keys.key_of(event.object)
        if event.type == "DELETED":
            self._remove(key, event.object)
        else:
            self._put(key, event.object)

    def _put(self, key: str, obj: T) -> None:
        old = self._cache.put(key, obj)
        _tell(self._handlers, old, obj)

    def _remove(self, key: str, last: T | None) -> None:
        """`last` is the object's last state, where the server told it; what the cache had otherwise."""
        old = self._cache.remove(key)
        if old is None:
            return
        _tell(self._handlers, last if last is not None else old, None)


def _tell(handlers: Iterable[Handler[T]], old: T | None, new: T | None) -> None:
    because = new if new is not None else old
    for handler in handlers:
        causes.arrive(because)
        try:
            handler(old, new)
        except Exception:
            # One reader's mistake must not stop the others, nor the watch.
            log.exception("an informer's handler failed")
    causes.arrive(None)


class Informers:
    """All informers of a process, shared by (target, namespace, labels, fields)."""

    def __init__(self, client: Client, *, clock: Clock, chance: Chance) -> None:
        self._client, self._clock, self._chance = client, clock, chance
        self._informers: dict[tuple[Any, ...], tuple[Informer[Any], Callable[[], asyncio.Task[Any]]]] = {}
        self._running: dict[tuple[Any, ...], asyncio.Task[Any]] = {}
        self._tasks = Tasks()
        self._started = False

    def of(
        self, target: type[T] | scheme.Resource, *, namespace: str = "", labels: str = "", fields: str = ""
    ) -> Informer[T]:
        """The shared informer of a type or `scheme.Resource`; starts at once when the others have."""
        resource = resource_of(target)
        key = (resource, namespace, labels, fields)
        if key not in self._informers:
            informer: Informer[Any] = Informer()

            def start() -> asyncio.Task[Any]:
                reflecting = reflector.Reflector(
                    self._client,
                    resource,
                    informer,
                    namespace=namespace,
                    labels=labels,
                    fields=fields,
                    clock=self._clock,
                    chance=self._chance,
                )
                return self._tasks.spawn(reflecting.run(), name=f"reflector {resource.group_resource}")

            self._informers[key] = informer, start
            if self._started:
                self._running[key] = start()
        return self._informers[key][0]

    async def drop(self, target: Any, *, namespace: str = "", labels: str = "", fields: str = "") -> None:
        """Stop an informer and forget it: its resource is no longer served."""
        key = (resource_of(target), namespace, labels, fields)
        self._informers.pop(key, None)
        running = self._running.pop(key, None)
        if running is not None:
            running.cancel()
            await asyncio.wait([running])

    async def forget_readers(self) -> None:
        """Go on for those that come after: what is known of built-in resources stays known, others are dropped, for
        nobody might come for them."""
        for resource, namespace, labels, fields in list(self._informers):
            if resource.type_name:
                self._informers[resource, namespace, labels, fields][0].forget_readers()
            else:
                await self.drop(resource, namespace=namespace, labels=labels, fields=fields)

    async def start(self) -> None:
        self._started = True
        for key, (_, start) in list(self._informers.items()):
            if key not in self._running:
                self._running[key] = start()

    async def wait_synced(self) -> None:
        """Wait until every informer known now has its first state."""
        for informer, _ in list(self._informers.values()):
            await informer.wait_synced()

    async def close(self) -> None:
        await self._tasks.close()
