"""Delivery of changes to watches, shared by all stores.

A subscription that starts in the past is `replaying`: live changes wait in its backlog until history has been
delivered, so that the sink sees one gapless sequence.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence

from pybernetes.store.protocol import Change, Sink

log = logging.getLogger(__name__)


class HubSubscription:
    def __init__(self, hub: Hub, prefix: str, after: int, sink: Sink) -> None:
        self._hub = hub
        self.prefix = prefix
        self.after = after
        self.sink = sink
        self.backlog: list[Change] | None = []

    def deliver(self, changes: list[Change]) -> None:
        if self.backlog is not None:
            self.backlog.extend(changes)
            return
        self.after = changes[-1].revision
        self.sink(changes)

    def replayed(self, history: Iterable[Change]) -> None:
        """History has been read: hand it out, then what happened meanwhile, and go live."""
        backlog, self.backlog = self.backlog or [], None
        changes = [change for change in history if change.revision > self.after]
        newest = changes[-1].revision if changes else self.after
        changes.extend(change for change in backlog if change.revision > newest)
        if changes:
            self.deliver(changes)

    def close(self) -> None:
        self._hub.remove(self)


class Hub:
    """Subscriptions by prefix. Prefixes end with `/`, so that a key names its possible subscribers itself."""

    def __init__(self) -> None:
        self._by_prefix: dict[str, list[HubSubscription]] = {}

    def add(self, prefix: str, after: int, sink: Sink) -> HubSubscription:
        if not prefix.endswith("/"):
            raise ValueError(f"a watched prefix ends with a slash: {prefix!r}")
        subscription = HubSubscription(self, prefix, after, sink)
        self._by_prefix.setdefault(prefix, []).append(subscription)
        return subscription

    def remove(self, subscription: HubSubscription) -> None:
        group = self._by_prefix.get(subscription.prefix, [])
        if subscription in group:
            group.remove(subscription)
        if not group:
            self._by_prefix.pop(subscription.prefix, None)

    def publish(self, changes: Sequence[Change]) -> None:
        """Hand a committed batch, in revision order, to whoever watches."""
        matched: dict[str, list[Change]] = {}
        for change in changes:
            key = change.key
            end = key.find("/")
            while end >= 0:
                prefix = key[: end + 1]
                if prefix in self._by_prefix:
                    matched.setdefault(prefix, []).append(change)
                end = key.find("/", end + 1)
        for prefix, group in matched.items():
            for subscription in tuple(self._by_prefix.get(prefix, ())):
                try:
                    subscription.deliver(group)
                except Exception:
                    # It is that sink's own trouble; the other sinks and the writers go on.
                    log.exception("a sink of %s failed", prefix)
