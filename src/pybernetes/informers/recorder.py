"""Tells users what a component did, as core/v1 Events; never blocks its caller, and never fails it."""

from __future__ import annotations

import asyncio
import collections
import logging
import zlib
from typing import Any, NamedTuple

from pybernetes.api import errors, times
from pybernetes.api.types import core_v1, meta_v1
from pybernetes.client import Client, resource_of, transport
from pybernetes.informers import correlator
from pybernetes.kits.chance import Chance
from pybernetes.kits.clock import Clock
from pybernetes.kits.lull import lull
from pybernetes.kits.tasks import Tasks

log = logging.getLogger(__name__)

# Events waiting to be written; more than that are dropped, the newest first.
WAITING = 10_000
# How long they give way to what others wait for, in seconds.
GIVES_WAY_SECONDS = 5.0
# That some were dropped is said when all that waited is written, and once in so many seconds until then.
DROPPED_SECONDS = 60.0
TRIES = 12
RETRY_SECONDS = 10.0


def reference(obj: Any) -> core_v1.ObjectReference:
    """What an event says it is about; an ObjectReference is taken as it is."""
    if isinstance(obj, core_v1.ObjectReference):
        return obj
    if isinstance(obj, dict):
        meta = obj["metadata"]
        return core_v1.ObjectReference(
            apiVersion=obj.get("apiVersion", ""),
            kind=obj.get("kind", ""),
            name=meta.get("name", ""),
            namespace=meta.get("namespace", ""),
            uid=meta.get("uid", ""),
            resourceVersion=meta.get("resourceVersion", ""),
        )
    resource = resource_of(obj.__class__)
    return core_v1.ObjectReference(
        apiVersion=resource.api_version,
        kind=resource.kind,
        name=obj.metadata.name,
        namespace=obj.metadata.namespace,
        uid=obj.metadata.uid,
        resourceVersion=obj.metadata.resourceVersion,
    )


class _Told(NamedTuple):
    """An event as it was told, `at` Unix seconds and the `moment` of monotonic ones; built when it is written."""

    about: core_v1.ObjectReference
    type: str
    reason: str
    message: str
    at: float
    moment: float


class Recorder:
    """Events of one component, written in the background in the order they were told, when there is time."""

    def __init__(self, client: Client, component: str, *, host: str = "", clock: Clock, chance: Chance) -> None:
        self._client, self._component, self._host = client, component, host
        self._clock, self._chance = clock, chance
        self._correlator = correlator.Correlator()
        self._waiting: collections.deque[_Told] = collections.deque()
        self._arrived = asyncio.Event()
        self._tasks = Tasks()
        self._last_stamp = 0
        # How many were dropped since that was last said, and since when.
        self._dropped, self._dropped_since = 0, 0.0
        self._offset = zlib.crc32(component.encode()) % 1_000_000

    def event(self, obj: Any, type: str, reason: str, message: str) -> None:  # noqa: A002 - the API's word
        """Tell about an object (typed, a tree, or an ObjectReference); `type` is "Normal" or "Warning"."""
        if len(self._waiting) >= WAITING:
            self._drop()
            return
        now, moment = self._clock.time(), self._clock.monotonic()
        self._waiting.append(_Told(reference(obj), type, reason, message, now, moment))
        self._arrived.set()
        if not len(self._tasks):
            self._tasks.spawn(self._write_all(), name=f"events of {self._component}")

    async def close(self) -> None:
        await self._tasks.close()
        self._tell_dropped()

    def _drop(self) -> None:
        now = self._clock.monotonic()
        if not self._dropped:
            self._dropped_since = now
        self._dropped += 1
        if now - self._dropped_since >= DROPPED_SECONDS:
            self._tell_dropped()

    def _tell_dropped(self) -> None:
        if self._dropped:
            log.warning("%s: %d events were dropped, as %d were waiting", self._component, self._dropped, WAITING)
            self._dropped = 0

    def _build(self, told: _Told) -> core_v1.Event:
        about, stamp = told.about, times.to_time(told.at)
        # The name carries the time in nanoseconds; two events within one tick of the clock must still differ, also
        # those of two components about one object.
        self._last_stamp = max(int(told.at * 1e9) + self._offset, self._last_stamp + 1)
        return core_v1.Event(
            metadata=meta_v1.ObjectMeta(
                name=f"{about.name}.{self._last_stamp:x}", namespace=about.namespace or "default"
            ),
            involvedObject=about,
            reason=told.reason,
            message=told.message,
            firstTimestamp=stamp,
            lastTimestamp=stamp,
            count=1,
            type=told.type,
            source=core_v1.EventSource(component=self._component, host=self._host),
            reportingComponent=self._component,
            reportingInstance=self._host,
        )

    async def _write_all(self) -> None:
        while True:
            while self._waiting:
                await lull(self._clock, self._waiting[0].moment + GIVES_WAY_SECONDS)
                decision = self._correlator.decide(self._build(self._waiting.popleft()), self._clock.time())
                if decision is not None:
                    await self._write(decision)
            self._tell_dropped()
            self._arrived.clear()
            await self._arrived.wait()

    async def _write(self, decision: correlator.Decision) -> None:
        for attempt in range(TRIES):
            try:
                written = await self._send(decision)
            except errors.StatusError as error:
                # Refusals are final: the namespace may be going, or the object's name makes a bad event name.
                log.info("%s: event %s refused: %s", self._component, decision.event.reason, error)
                return
            except (ConnectionError, TimeoutError) as error:
                log.info("%s: event %s not written yet: %s", self._component, decision.event.reason, error)
                spread = self._chance.uniform(0.0, 1.0) if attempt == 0 else 1.0
                await self._clock.sleep(RETRY_SECONDS * spread)
            else:
                self._correlator.written(decision.key, written)
                return

    async def _send(self, decision: correlator.Decision) -> core_v1.Event:
        event = decision.event
        if decision.raises:
            raised = {"count": event.count, "lastTimestamp": event.lastTimestamp, "message": event.message}
            try:
                return await self._client.patch(
                    core_v1.Event,
                    event.metadata.name,
                    event.metadata.namespace,
                    raised,
                    kind=transport.STRATEGIC_PATCH,
                )
            except errors.StatusError as error:
                if error.reason != "NotFound":
                    raise
                # It expired meanwhile; tell it anew.
                event.metadata.resourceVersion = ""
        return await self._client.create(event)
