"""Every request that the cluster answered: who asked for what, why, and what came of it."""

from __future__ import annotations

import collections
from collections import Counter
from collections.abc import Iterator

import msgspec

from pybernetes.api import errors
from pybernetes.apiserver import request as requests
from pybernetes.apiserver import results
from pybernetes.kits import causes
from pybernetes.kits import clock as clocks

WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection"})
# Of one object, by one client, within one minute: more than that is a loop that feeds itself.
HOT = 30
WINDOW = 60.0


class Call(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One request. `agent` is its User-Agent, `code` 0 where nobody was told; `revision` what a write came to."""

    time: float
    agent: str
    user: str
    verb: str
    group: str
    resource: str
    subresource: str
    namespace: str
    name: str
    code: int
    revision: int = 0
    cause: causes.Cause | None = None

    @property
    def is_write(self) -> bool:
        return self.verb in WRITES

    def __str__(self) -> str:
        what = "/".join(filter(None, (self.resource, self.subresource)))
        where = "/".join(filter(None, (self.namespace, self.name)))
        return f"{self.verb} {what} {where} ({self.code}) by {self.agent}"


class Calls:
    """The last calls, oldest first. `around` goes around an API server's chain."""

    def __init__(self, clock: clocks.Clock, *, kept: int = 500_000) -> None:
        self._clock = clock
        self._log: collections.deque[Call] = collections.deque(maxlen=kept)
        self.seen = 0

    def __iter__(self) -> Iterator[Call]:
        return iter(self._log)

    def since(self, seen: int) -> list[Call]:
        """Those after the moment when `seen` was read."""
        return list(self._log)[max(len(self._log) - (self.seen - seen), 0) :] if self.seen > seen else []

    def around(self, handler: results.Handler) -> results.Handler:
        async def handle(request: requests.Request) -> results.Result:
            try:
                result = await handler(request)
            except errors.StatusError as error:
                self._note(request, error.code, None)
                raise
            except ConnectionError:
                self._note(request, 0, None)
                raise
            self._note(request, getattr(result, "code", 200), result)
            return result

        return handle

    def _note(self, request: requests.Request, code: int, result: results.Result | None) -> None:
        attributes = request.attributes
        name, namespace, revision = attributes.name, attributes.namespace, 0
        if isinstance(result, results.Stored):
            name, revision = name or result.item.name, result.item.modified
        self.seen += 1
        self._log.append(
            Call(
                time=self._clock.time(),
                agent=request.header("user-agent"),
                user=request.user.name,
                verb=attributes.verb,
                group=attributes.group,
                resource=attributes.resource,
                subresource=attributes.subresource,
                namespace=namespace,
                name=name,
                code=code,
                revision=revision,
                cause=causes.current.get() if request.loopback else None,
            )
        )


def hot_loops(calls: list[Call]) -> list[str]:
    """Who wrote one object so often within a minute that it must be answering to itself; [] where nobody did."""
    found: dict[tuple[str, str, str, str, str], collections.deque[float]] = {}
    most: Counter[tuple[str, str, str, str, str]] = Counter()
    for call in calls:
        if not call.is_write or not call.name or call.resource == "events":
            continue
        key = (call.agent, call.group, call.resource, call.namespace, call.name)
        times = found.setdefault(key, collections.deque())
        times.append(call.time)
        while times[0] < call.time - WINDOW:
            times.popleft()
        most[key] = max(most[key], len(times))
    return [
        f"{agent} wrote {resource} {'/'.join(filter(None, (namespace, name)))} {count} times within {WINDOW:.0f} s"
        for (agent, _, resource, namespace, name), count in most.items()
        if count > HOT
    ]
