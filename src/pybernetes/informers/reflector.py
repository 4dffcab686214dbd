"""Keeps a sink in step with a resource of the API: lists, then watches, for ever, whatever happens to the server.

Lifecycle (`Stage`, moved by `step`):

    STREAM --synced--> WATCH --ended/failed--> WATCH     (from the last revision seen, bookmarks included)
      |  ^               |
 unsupported  \\--expired-/                               (410: what was missed is gone, so start over)
      v
    LIST --synced--> WATCH

A server that knows watch-list serves the first state in the watch itself (one request instead of two, and nothing
can fall between them); others refuse it and get a list. Failures back off from 0.8 s to 30 s, as upstream's do.
"""

from __future__ import annotations

import asyncio
import enum
import logging
from typing import Any, Protocol

from pybernetes.api import errors
from pybernetes.client import Client, Event, WatchStream, resource_of
from pybernetes.informers import cache, keys
from pybernetes.kits.backoff import Backoff
from pybernetes.kits.chance import Chance
from pybernetes.kits.clock import Clock

log = logging.getLogger(__name__)

INITIAL_EVENTS_END = "k8s.io/initial-events-end"
# A watch is renewed after this many seconds, spread out so that many clients do not come back at once. In process,
# where it cannot hang, it lasts as long as the server lets it; but those of custom resources may lead to other servers.
WATCH_SECONDS = (300, 600)
# How much longer than it asked for a watch may take before the connection is taken for dead.
OVERTIME = 30.0


class Stage(enum.Enum):
    """What the reflector does next."""

    STREAM = "one watch that brings what exists, then changes"
    LIST = "a list"
    WATCH = "a watch from the last revision seen"


class Outcome(enum.Enum):
    """How a stage ended."""

    SYNCED = "the sink holds a consistent state"
    ENDED = "the server closed the watch"
    UNSUPPORTED = "the server does not stream lists"
    EXPIRED = "the revision is too old"
    FAILED = "no answer, or an error"


_NEXT = {
    (Stage.STREAM, Outcome.UNSUPPORTED): Stage.LIST,
    (Stage.STREAM, Outcome.SYNCED): Stage.WATCH,
    (Stage.LIST, Outcome.SYNCED): Stage.WATCH,
    (Stage.WATCH, Outcome.EXPIRED): Stage.STREAM,
}


def step(stage: Stage, outcome: Outcome) -> Stage:
    """The stage that follows; where nothing is said, the same again."""
    return _NEXT.get((stage, outcome), stage)


class Sink(Protocol):
    """What a reflector fills."""

    async def replace(self, objects: list[Any]) -> None: ...

    def apply(self, event: Event) -> None: ...


class Reflector:
    """Runs the lifecycle above until cancelled."""

    def __init__(
        self,
        client: Client,
        target: Any,
        sink: Sink,
        *,
        namespace: str = "",
        labels: str = "",
        fields: str = "",
        clock: Clock,
        chance: Chance,
    ) -> None:
        self._client, self._target, self._sink = client, target, sink
        self._namespace, self._labels, self._fields = namespace, labels, fields
        self._clock, self._chance = clock, chance
        self._backoff = Backoff(first=0.8, cap=30.0, jitter=1.0, chance=chance)
        self.stage = Stage.STREAM
        self.revision = ""

    async def run(self) -> None:
        while True:
            stage = self.stage
            outcome, delay = await self._attempt()
            self.stage = step(stage, outcome)
            if delay:
                await self._clock.sleep(delay)

    async def _attempt(self) -> tuple[Outcome, float]:
        """One stage. Answers its outcome and how long to wait before the next, in seconds."""
        started = self._clock.monotonic()
        revision = self.revision
        try:
            if self.stage is Stage.LIST:
                return await self._list(), 0.0
            outcome = await self._watch()
        except errors.StatusError as error:
            return self._refused(error)
        except (ConnectionError, TimeoutError, asyncio.IncompleteReadError) as error:
            log.info("%s: %s failed: %s", self._name, self.stage.name.lower(), error)
            return Outcome.FAILED, self._backoff.next()
        if outcome is Outcome.ENDED and self.revision == revision and self._clock.monotonic() - started < 1.0:
            # A server that ends every watch at once must not be asked in a tight loop.
            return outcome, self._backoff.next()
        return outcome, 0.0

    def _refused(self, error: errors.StatusError) -> tuple[Outcome, float]:
        if error.reason in ("Expired", "Gone") or error.code == 410:
            log.info("%s: revision %s expired, starting over", self._name, self.revision)
            self.revision = ""
            return Outcome.EXPIRED, 0.0 if self.stage is Stage.WATCH else self._backoff.next()
        log.info("%s: %s refused: %s", self._name, self.stage.name.lower(), error)
        if self.stage is Stage.STREAM and error.code != 429:
            # Servers say in many ways that they cannot; one that will not says so again to the list.
            return Outcome.UNSUPPORTED, 0.0
        delay = self._backoff.next()
        if error.code == 429 and error.status.details is not None:
            delay = max(delay, float(error.status.details.retryAfterSeconds))
        return Outcome.FAILED, delay

    async def _list(self) -> Outcome:
        listing = await self._client.list(
            self._target, self._namespace, labels=self._labels, fields=self._fields, revision="0"
        )
        await self._sink.replace(listing.items)
        self._seen(listing.revision)
        return Outcome.SYNCED

    async def _watch(self) -> Outcome:
        streaming = self.stage is Stage.STREAM
        lasts = self._client.transport.in_process and resource_of(self._target).type_name
        seconds = 0 if lasts else int(self._chance.uniform(*WATCH_SECONDS))
        opened = self._client.watch(
            self._target,
            self._namespace,
            revision="" if streaming else self.revision,
            labels=self._labels,
            fields=self._fields,
            timeout=seconds,
            initial_events=streaming,
        )
        async with self._clock.timeout(seconds + OVERTIME if seconds else None), opened as stream:
            if streaming:
                if not await self._stream_initial(stream):
                    raise ConnectionError("the watch ended before it had brought what exists")
                self.stage = Stage.WATCH
            while events := await stream.next():
                for event in events:
                    self._apply(event)
        return Outcome.ENDED

    async def _stream_initial(self, stream: WatchStream) -> bool:
        """Collect what exists until the bookmark that ends it. False: the server closed the watch before that."""
        objects: dict[str, Any] = {}
        rest: list[Event] = []
        ended = ""
        while not ended:
            events = await stream.next()
            if not events:
                return False
            for at, event in enumerate(events):
                if event.type == "BOOKMARK":
                    if _ends_initial(event.object):
                        ended, rest = cache.revision_of(event.object), events[at + 1 :]
                        break
                elif event.type == "DELETED":
                    objects.pop(keys.key_of(event.object), None)
                else:
                    objects[keys.key_of(event.object)] = event.object
        await self._sink.replace(list(objects.values()))
        self._seen(ended)
        for event in rest:
            self._apply(event)
        return True

    def _apply(self, event: Event) -> None:
        if event.type != "BOOKMARK":
            self._sink.apply(event)
        self._seen(cache.revision_of(event.object))

    def _seen(self, revision: str) -> None:
        self.revision = revision or self.revision
        self._backoff.reset()

    @property
    def _name(self) -> str:
        return getattr(self._target, "__name__", "") or getattr(self._target, "name", str(self._target))


def _ends_initial(obj: Any) -> bool:
    annotations = obj["metadata"].get("annotations", {}) if isinstance(obj, dict) else obj.metadata.annotations
    return bool(annotations.get(INITIAL_EVENTS_END) == "true")
