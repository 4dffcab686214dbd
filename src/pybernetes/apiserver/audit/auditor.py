"""Notes a request at its stages, as much as the policy says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Protocol

from pybernetes.api import codecs, errors
from pybernetes.api.types import meta_v1
from pybernetes.apiserver import remembered, results
from pybernetes.apiserver import request as requests
from pybernetes.apiserver.audit import events, policy
from pybernetes.apiserver.flowcontrol import longrunning
from pybernetes.apiserver.http import render
from pybernetes.kits import chance as chances
from pybernetes.kits import clock as clocks
from pybernetes.kits import prometheus

PATCH = ("application/json-patch+json", "application/merge-patch+json", "application/strategic-merge-patch+json")


class Backend(Protocol):
    """Where events go."""

    def write(self, event: bytes) -> None:
        """Take a line; never waits."""
        ...

    def start(self) -> None: ...

    async def close(self) -> None:
        """Return when all that was written is where it goes."""
        ...


class Auditor:
    """`largest` is how many bytes an event may have before the objects in it are left out, 0 for any number."""

    def __init__(
        self,
        rules: policy.Policy,
        backends: Sequence[Backend],
        *,
        clock: clocks.Clock,
        chance: chances.Chance,
        largest: int = 0,
    ) -> None:
        self._rules, self._backends = rules, backends
        self._clock, self._chance = clock, chance
        self._largest = largest
        self._known: remembered.Remembered[events.Known] = remembered.Remembered()
        self._render = render.Renderer(clock)
        self._written: Counter[str] = Counter()

    def start(self) -> None:
        for backend in self._backends:
            backend.start()

    async def close(self) -> None:
        for backend in self._backends:
            await backend.close()

    def begin(self, request: requests.Request) -> events.Entry | None:
        """The request has been authenticated. None for one that nothing is to be noted of."""
        audit_id = request.headers.get("audit-id") or self._chance.uuid()
        request.head += b"Audit-Id: %b\r\n" % audit_id.encode("latin-1", "replace")
        known = self._knows(request.user, request.attributes)
        if known.scope.level == policy.NONE:
            return None
        entry = events.Entry(request, request.user, audit_id, self._clock.time(), known)
        if policy.RECEIVED not in known.scope.omitted:
            self._write(request, entry, policy.RECEIVED)
        return entry

    def answered(self, request: requests.Request, entry: events.Entry, result: results.Result) -> None:
        """The request has come to something."""
        status = _status(result)
        if type(result) in results.LASTING and longrunning.is_long(request.attributes):
            if policy.STARTED not in entry.scope.omitted:
                self._write(request, entry, policy.STARTED, status)
            request.finished = lambda: self._complete(request, entry, status, b"")
            return
        self._complete(request, entry, status, self._answer(entry.scope, result))

    def refused(self, request: requests.Request, entry: events.Entry, error: errors.StatusError) -> None:
        """It has come to an error."""
        answer = codecs.encode(error.status) if entry.scope.has_response else b""
        self._complete(request, entry, events.status_of(error.status), answer)

    def unknown(self, request: requests.Request, error: errors.StatusError) -> None:
        """It has come to that nobody knows who asks."""
        nobody = requests.User("")
        known = self._knows(nobody, request.attributes)
        if known.scope.level == policy.NONE or policy.STARTED in known.scope.omitted:
            return
        attempted = ", attempted: bearer" if "authorization" in request.headers else ""
        status = meta_v1.Status(status="Failure", message=f"Authentication failed{attempted}", code=error.code)
        entry = events.Entry(request, nobody, self._chance.uuid(), self._clock.time(), known)
        self._write(request, entry, policy.STARTED, events.status_of(status))

    def panicked(self, request: requests.Request, entry: events.Entry) -> None:
        """It has come to an exception that nobody expected."""
        if policy.PANIC not in entry.scope.omitted:
            status = meta_v1.Status(status="Failure", message="APIServer panic'd", reason="InternalError", code=500)
            self._write(request, entry, policy.PANIC, events.status_of(status))

    def families(self) -> Iterator[prometheus.Family]:
        """For /metrics."""
        yield prometheus.Family(
            "apiserver_audit_event_total",
            prometheus.COUNTER,
            "Counter of audit events generated and sent to the audit backend.",
            [({}, sum(self._written.values()))],
        )
        yield prometheus.Family(
            "apiserver_audit_level_total",
            prometheus.COUNTER,
            "Counter of policy levels for audit events (1 per request).",
            [({"level": level}, number) for level, number in self._written.items()],
        )

    # -- inside

    def _knows(self, user: requests.User, attributes: requests.Attributes) -> events.Known:
        found = self._known.get(user, attributes)
        if found is None:
            made = events.Known(self._rules.scope(user, attributes), events.reference(attributes))
            found = self._known.put(user, attributes, made)
        return found

    def _complete(self, request: requests.Request, entry: events.Entry, status: bytes, answer: bytes) -> None:
        scope = entry.scope
        if policy.COMPLETE not in scope.omitted:
            asked = _asked(request) if scope.has_request else b""
            if scope.without_managed_fields:
                asked, answer = (events.without_managed_fields(one) if one else b"" for one in (asked, answer))
            self._write(request, entry, policy.COMPLETE, status, asked, answer)

    def _answer(self, scope: policy.Scope, result: results.Result) -> bytes:
        """The object that is answered, as JSON."""
        if not scope.has_response:
            return b""
        if isinstance(result, results.Stored):
            return result.item.data
        if isinstance(result, results.Made):
            return codecs.encode(result.obj)
        if isinstance(result, results.Listed):
            return self._render.plain_list(result).rstrip()
        return b""

    def _write(
        self,
        request: requests.Request,
        entry: events.Entry,
        stage: str,
        status: bytes = b"",
        asked: bytes = b"",
        answered: bytes = b"",
    ) -> None:
        now = self._clock.time()
        made = entry.event(request, stage=stage, now=now, status=status, asked=asked, answered=answered)
        if self._largest and len(made) > self._largest:
            made = entry.event(request, stage=stage, now=now, status=status, truncated=True)
        self._written[entry.scope.level] += 1
        for backend in self._backends:
            backend.write(made)


def _status(result: results.Result) -> bytes:
    if isinstance(result, results.Made) and isinstance(result.obj, meta_v1.Status):
        return events.status_of(result.obj)
    if isinstance(result, results.Tunnel):
        return events.success(101)
    return events.success(getattr(result, "code", 200))


def _asked(request: requests.Request) -> bytes:
    """The request's body as JSON; empty where it has none, or one that cannot be read."""
    body = request.body
    if request.method not in ("POST", "PUT", "PATCH", "DELETE") or not body:
        return b""
    if not isinstance(body, bytes):
        return codecs.encode(body) if request.loopback else b""
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media in ("", "application/json", *PATCH):
        return codecs.encode(_tree(body)) if _tree(body) is not None else b""
    # Reading these takes a module that is not always needed.
    from pybernetes.apiserver.endpoints import bodies

    try:
        return codecs.encode(codecs.decode_yaml(body) if media.endswith("yaml") else bodies.tree(request, ""))
    except (codecs.DecodeError, errors.StatusError):
        return b""


def _tree(body: bytes) -> object:
    try:
        return codecs.decode_tree(body)
    except codecs.DecodeError:
        return None
