"""GET with `watch`: what exists if asked for, then every change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pybernetes.api import errors
from pybernetes.apiserver import request as requests
from pybernetes.apiserver import results
from pybernetes.apiserver.endpoints import lists, revisions
from pybernetes.apiserver.endpoints import scope as scopes
from pybernetes.apiserver.storage import changes, watchers
from pybernetes.apiserver.storage import collection as collections

# Upstream's: a watch without timeoutSeconds ends at random after 30 to 60 minutes, so that load re-spreads.
MIN_TIMEOUT = 1800.0


async def watch(scope: scopes.Scope, request: requests.Request) -> results.Result:
    """Checks the request now, so that what is wrong is answered with a status code and not within the stream."""
    query = request.query
    collection = scope.collection
    chosen = lists.selection(scope, request)
    text = query.get("resourceVersion", "")
    initial = _initial_events(query)
    bookmarks = request.flag("allowWatchBookmarks")
    if initial and not bookmarks:
        raise errors.invalid_list_options("sendInitialEvents", "allowWatchBookmarks")
    wanted = revisions.parse(text)
    if wanted > collection.revision:
        await revisions.reach(collection, wanted, scope.clock)
    synthetic = initial if initial is not None else wanted == 0
    timeout = float(lists.number("timeoutSeconds", query.get("timeoutSeconds", "")))
    if not timeout:
        timeout = scope.chance.jitter(MIN_TIMEOUT, 1.0)

    async def join(encode: Any, receiver: watchers.Receiver) -> Callable[[], None]:
        key = watchers.GroupKey(chosen, encode)
        if synthetic:
            now = collection.select(chosen)
            existing = [(changes.ADDED, item) for item in now.items]
            frames = [encode(changes.ADDED, item) for item in now.items] if encode is not None else []
            if existing:
                receiver.events(existing, frames)
            if initial:
                receiver.initial_events_end(now.revision)
            collection.watch(key, receiver, after=now.revision)
        else:
            after = wanted or collection.revision
            if not collection.watch(key, receiver, after=after):
                try:
                    await collection.watch_history(key, receiver, after=after)
                except collections.Gone as error:
                    raise errors.expired(f"too old resource version: {error.revision} ({error.oldest})") from None
        return lambda: collection.watchers.remove(key, receiver)

    return results.Watched(scope.kind, join, timeout, bookmarks)


def _initial_events(query: dict[str, str]) -> bool | None:
    """The sendInitialEvents parameter, with upstream's rules for what must come with it."""
    text = query.get("sendInitialEvents")
    match = query.get("resourceVersionMatch", "")
    if text is None:
        if match:
            raise errors.invalid_list_options("resourceVersionMatch", "")
        return None
    if match != revisions.NOT_OLDER:
        raise errors.invalid_list_options("sendInitialEvents", "resourceVersionMatch")
    return text.lower() not in ("false", "0")
