"""Notes a request at its stages, as much as the policy says."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import Protocol

from pybernetes.api import codecs, errors
from pybernetes.api.types import meta_v1
from pybernetes.apiserver import remembered, results
from pybernetes.apiserver import request as requests
from pybernetes.apiserver.audit import events, policy, stamps
from pybernetes.apiserver.audit import form as forms
from pybernetes.apiserver.flowcontrol import longrunning
from pybernetes.apiserver.http import render
from pybernetes.kits import chance as chances
from pybernetes.kits import clock as clocks
from pybernetes.kits import prometheus

log = logging.getLogger(__name__)

# How many forms of lines are kept, and how many ids are made at once.
FORMS, IDS = 4096, 256
NOBODY = requests.User("")
PATCH = ("application/json-patch+json", "application/merge-patch+json", "application/strategic-merge-patch+json")

# The identities of the user and of what is asked for; the peer, the agent, and by whom the request was passed on.
FormKey = tuple[int, int, str, str | None, str]


class Backend(Protocol):
    """Where events go.

    `plugin` is what upstream calls it; `largest` how many bytes an event may have before the objects in it are left
    out, 0 for any number. `strict`: requests are refused whose arrival cannot be noted. `lost` counts the events that
    did not get there.
    """

    plugin: str
    largest: int
    strict: bool
    lost: int

    def write(self, event: bytes) -> None:
        """Take a line; never waits."""
        ...

    def settle(self) -> bool:
        """A request is about to be answered: what must be where it goes before that, goes now. Whether it is there."""
        ...

    def start(self) -> None: ...

    async def close(self) -> None:
        """Return when all that was written is where it goes."""
        ...


class Auditor:
    """Requests come by `begin`, and then to one of the others; or they come by `unknown`."""

    def __init__(
        self, rules: policy.Policy, backends: Sequence[Backend], *, clock: clocks.Clock, chance: chances.Chance
    ) -> None:
        self._rules, self._backends = rules, backends
        self._strict = [backend for backend in backends if backend.strict]
        self._largest = min((backend.largest for backend in backends if backend.largest), default=0)
        self._chance = chance
        self._now = stamps.Stamps(clock).now
        self._ids: list[bytes] = []
        self._scopes: remembered.Remembered[policy.Scope] = remembered.Remembered()
        self._forms: dict[FormKey, forms.Form] = {}
        self._render = render.Renderer(clock)
        self._levels = dict.fromkeys(policy.LEVELS, 0)
        self._written = self._too_large = self._rejected = 0

    def start(self) -> None:
        for backend in self._backends:
            backend.start()

    async def close(self) -> None:
        for backend in self._backends:
            await backend.close()

    def begin(self, request: requests.Request) -> forms.Entry | None:
        """The request has been authenticated. None for one that nothing is to be noted of.

        Raises StatusError 500 where it has to be noted and cannot be.
        """
        entry = self._entry(request)
        if entry is not None and entry.form.notes_first:
            self._send(entry.form.first(entry))
            for backend in self._strict:
                if not backend.settle():
                    self._rejected += 1
                    why = f'Internal Server Error: "{request.path}": failed to store audit event'
                    raise errors.error(500, "InternalError", why)
        return entry

    def answered(self, request: requests.Request, entry: forms.Entry, result: results.Result) -> None:
        """The request has come to something."""
        form = entry.form
        if type(result) is results.Stored and form.is_short:
            # What most requests come to.
            if form.notes_last:
                self._send(form.last(request, entry, events.success(result.code), self._now()))
            self._settle()
            return
        status = _status(result)
        if type(result) in results.LASTING and longrunning.is_long(request.attributes):
            if policy.STARTED not in form.scope.omitted:
                self._note(request, entry, policy.STARTED, status)
            self._settle()
            request.finished = lambda: self._complete(request, entry, status, b"")
            return
        self._complete(request, entry, status, self._answer(form.scope, result))

    def refused(self, request: requests.Request, entry: forms.Entry, error: errors.StatusError) -> None:
        """It has come to an error."""
        answer = codecs.encode(error.status) if entry.form.scope.has_response else b""
        self._complete(request, entry, events.status_of(error.status), answer)

    def abandoned(self, request: requests.Request, entry: forms.Entry) -> None:
        """Its client has gone, and it has come to nothing that it could be told."""
        status = meta_v1.Status(status="Success", message="Connection closed early", code=200)
        self._complete(request, entry, events.status_of(status), b"")

    def unknown(self, request: requests.Request, error: errors.StatusError) -> None:
        """It has come to that nobody knows who asks."""
        request.user = NOBODY
        entry = self._entry(request)
        if entry is not None and policy.STARTED not in entry.form.scope.omitted:
            self._note(request, entry, policy.STARTED, events.status_of(error.status))
            self._settle()

    def panicked(self, request: requests.Request, entry: forms.Entry) -> None:
        """It has come to an exception that nobody expected."""
        if policy.PANIC not in entry.form.scope.omitted:
            status = meta_v1.Status(status="Failure", message="APIServer panic'd", reason="InternalError", code=500)
            self._note(request, entry, policy.PANIC, events.status_of(status))
        self._settle()

    def families(self) -> Iterator[prometheus.Family]:
        """For /metrics."""
        yield prometheus.Family(
            "apiserver_audit_event_total",
            prometheus.COUNTER,
            "Counter of audit events generated and sent to the audit backend.",
            [({}, self._written)],
        )
        yield prometheus.Family(
            "apiserver_audit_level_total",
            prometheus.COUNTER,
            "Counter of policy levels for audit events (1 per request).",
            [({"level": level}, number) for level, number in self._levels.items() if number],
        )
        lost = [*((backend.plugin, backend.lost) for backend in self._backends), ("truncate", self._too_large)]
        yield prometheus.Family(
            "apiserver_audit_error_total",
            prometheus.COUNTER,
            "Counter of audit events that failed to be audited properly. Plugin identifies the plugin affected by the "
            "error.",
            [({"plugin": plugin}, number) for plugin, number in lost if number],
        )
        yield prometheus.Family(
            "apiserver_audit_requests_rejected_total",
            prometheus.COUNTER,
            "Counter of apiserver requests rejected due to an error in audit logging backend.",
            [({}, self._rejected)],
        )

    # -- inside

    def _entry(self, request: requests.Request) -> forms.Entry | None:
        """Gives the request its id, too."""
        headers = request.headers
        named = headers.get("audit-id")
        if named:
            request.head += b"Audit-Id: %b\r\n" % named.encode("latin-1", "replace")
            audit_id = events.encoded(named)[1:-1]
        else:
            ids = self._ids
            if not ids:
                ids += self._chance.uuids(IDS)
            audit_id = ids.pop()
            request.head += b"Audit-Id: %b\r\n" % audit_id
        # As in `Remembered`: by who asks for what; and by what else the lines have in common, of most requests.
        key = id(request.user), id(request.attributes), request.peer, headers.get("user-agent"), ""
        form = self._forms.get(key)
        if form is None or "x-forwarded-for" in headers or "x-real-ip" in headers:
            form = self._form(request)
        self._levels[form.level] += 1
        if form.level == policy.NONE:
            return None
        query = request.raw_query
        uri = events.encoded(f"{request.path}?{query}") if query else form.uri
        return forms.Entry(form, audit_id, uri, self._now())

    def _form(self, request: requests.Request) -> forms.Form:
        user, attributes, headers = request.user, request.attributes, request.headers
        via = "\n".join(headers.get(name, "") for name in ("x-forwarded-for", "x-real-ip")).strip()
        key = id(user), id(attributes), request.peer, headers.get("user-agent"), via
        found = self._forms.get(key)
        if found is None:
            scope = self._scopes.get(user, attributes)
            if scope is None:
                scope = self._scopes.put(user, attributes, self._rules.scope(user, attributes))
            found = forms.form(scope, request)
            if len(self._forms) >= FORMS:
                self._forms.clear()
            self._forms[key] = found
        return found

    def _complete(self, request: requests.Request, entry: forms.Entry, status: bytes, answer: bytes) -> None:
        form = entry.form
        if form.notes_last:
            asked = b"" if form.is_short else _asked(request)
            self._note(request, entry, policy.COMPLETE, status, asked, answer)
        self._settle()

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

    def _note(
        self,
        request: requests.Request,
        entry: forms.Entry,
        stage: str,
        status: bytes,
        asked: bytes = b"",
        answered: bytes = b"",
    ) -> None:
        """All are JSON; `asked` and `answered` are empty where there is nothing."""
        form = entry.form
        if form.scope.without_managed_fields:
            asked, answered = (events.without_managed_fields(one) if one else b"" for one in (asked, answered))
        now = self._now()
        line = form.line(entry, stage, now, form.filled(request, status, asked=asked, answered=answered))
        short = b""
        if self._largest and len(line) > self._largest and form.scope.has_request:
            short = form.line(entry, stage, now, form.filled(request, status, truncated=True))
        self._send(line, short)

    def _send(self, line: bytes, short: bytes = b"") -> None:
        """`short` is for those to whom the line is too long, if it has objects."""
        self._written += 1
        if self._largest and len(line) > self._largest:
            for backend in self._backends:
                self._send_fitting(backend, [one for one in (line, short) if one])
            return
        for backend in self._backends:
            backend.write(line)

    def _send_fitting(self, backend: Backend, lines: Sequence[bytes]) -> None:
        for line in lines:
            if not backend.largest or len(line) <= backend.largest:
                backend.write(line)
                return
        self._too_large += 1
        log.error("an audit event of %d bytes is lost: event is too large even after truncating", len(lines[0]))

    def _settle(self) -> None:
        for backend in self._backends:
            backend.settle()


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
        tree = _tree(body)
        return codecs.encode(tree) if tree is not None else b""
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
