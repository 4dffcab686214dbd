"""Which events are worth a write: pure decisions, as upstream's event correlator makes them.

- More than ten different messages of one kind about one object within ten minutes are folded into one event.
- An event seen before has its count raised instead of being written again.
- A source may tell 25 events about one object at once, and one more every five minutes.
"""

from __future__ import annotations

import collections
from collections.abc import Callable
from typing import NamedTuple, TypeVar

from pybernetes.api.types import core_v1

V = TypeVar("V")

FOLD_AFTER = 10
FOLD_SECONDS = 600.0
BURST = 25.0
REFILL_SECONDS = 300.0
REMEMBERED = 4096
FOLDED = "(combined from similar events): "


class Decision(NamedTuple):
    """Write this event; where `raises` is set it is a raised count of an event already written."""

    event: core_v1.Event
    raises: bool
    key: tuple[str, ...]


class _Bucket:
    def __init__(self, now: float) -> None:
        self.tokens, self.at = BURST, now

    def take(self, now: float) -> bool:
        self.tokens = min(BURST, self.tokens + (now - self.at) / REFILL_SECONDS)
        self.at = now
        if self.tokens < 1.0:
            return False
        self.tokens -= 1.0
        return True


class _Similar:
    def __init__(self, now: float) -> None:
        self.last = now
        self.messages: set[str] = set()


class Correlator:
    """Remembers the last few thousand events of one recorder."""

    def __init__(self) -> None:
        self._similar: collections.OrderedDict[tuple[str, ...], _Similar] = collections.OrderedDict()
        self._written: collections.OrderedDict[tuple[str, ...], core_v1.Event] = collections.OrderedDict()
        self._buckets: collections.OrderedDict[tuple[str, ...], _Bucket] = collections.OrderedDict()

    def decide(self, event: core_v1.Event, now: float) -> Decision | None:
        """What to write for a new event at epoch seconds `now`; None: nothing. Takes the event over."""
        about = event.involvedObject
        source = (event.source.component, event.source.host, about.kind, about.namespace, about.name, about.uid)
        if not _remember(self._buckets, source, lambda: _Bucket(now)).take(now):
            return None
        kind = (*source, about.apiVersion, event.type, event.reason, event.reportingComponent, event.reportingInstance)
        key: tuple[str, ...] = (*kind, about.fieldPath, event.message)
        similar = _remember(self._similar, kind, lambda: _Similar(now))
        if now - similar.last > FOLD_SECONDS:
            similar.messages.clear()
        similar.last = now
        if len(similar.messages) < FOLD_AFTER:
            similar.messages.add(event.message)
        elif event.message not in similar.messages:
            event.message = FOLDED + event.message
            key = kind
        known = self._written.get(key)
        if known is None:
            return Decision(event, False, key)
        event.metadata.name = known.metadata.name
        event.metadata.resourceVersion = known.metadata.resourceVersion
        event.firstTimestamp = known.firstTimestamp
        event.count = known.count + 1
        return Decision(event, True, key)

    def written(self, key: tuple[str, ...], event: core_v1.Event) -> None:
        """The event as the server now has it."""
        self._written[key] = event
        self._written.move_to_end(key)
        if len(self._written) > REMEMBERED:
            self._written.popitem(last=False)


def _remember(held: collections.OrderedDict[tuple[str, ...], V], key: tuple[str, ...], make: Callable[[], V]) -> V:
    if key not in held:
        held[key] = make()
        if len(held) > REMEMBERED:
            held.popitem(last=False)
    held.move_to_end(key)
    return held[key]
