"""Audit events as lines.

Most of a line is what earlier ones had, too: who asks, from where, about what, and what it came to. A `Form` has that,
encoded once; only the id, the URI and the times are put in for each request.
"""

from __future__ import annotations

import msgspec

from pybernetes.apiserver import request as requests
from pybernetes.apiserver.audit import events, policy

TRUNCATED = {"audit.k8s.io/truncated": "true"}
# Begun by the quotation mark that ends the id.
STAGES = {stage: f'","stage":"{stage}","requestURI":'.encode() for stage in policy.STAGES}
_AT_FIRST, _AT_LAST = STAGES[policy.RECEIVED], STAGES[policy.COMPLETE]
_RECEIVED, _NOW, _END = b',"requestReceivedTimestamp":"', b'","stageTimestamp":"', b'"}\n'


class Form(msgspec.Struct):
    """What events have in common that are about the same, by the same user and from the same place.

    The user and what is asked for are known by their identities, and kept so that nothing else comes to have those.
    """

    scope: policy.Scope
    user: requests.User
    attributes: requests.Attributes
    # Up to the id; the URI of a request without a query; from the verb to the user; where it came from.
    begun: bytes = b""
    uri: bytes = b""
    who: bytes = b""
    origin: bytes = b""
    # All between the URI and the time of a request that has been received.
    received: bytes = b""
    # What the scope comes to: the level, which stages are noted, and that no objects are.
    level: str = policy.NONE
    notes_first: bool = False
    notes_last: bool = False
    is_short: bool = True
    # What one of them came to last, and what `filled` said of it.
    _status: bytes = b""
    _annotations: dict[str, str] = {}
    _filled: tuple[bytes, bytes] = (b"", b"")

    def first(self, entry: Entry) -> bytes:
        """The line of a request that has been received, which is the time of that stage."""
        at = entry.received
        return b"".join((self.begun, entry.audit_id, _AT_FIRST, entry.uri, self.received, at, _NOW, at, _END))

    def last(self, request: requests.Request, entry: Entry, status: bytes, now: bytes) -> bytes:
        """The line of a request that is complete, without objects."""
        if request.user is not self.user or request.written is not None:
            middle, end = self.filled(request, status)
        else:
            if status is not self._status or request.annotations != self._annotations:
                self._filled = self.filled(request, status)
                self._status, self._annotations = status, request.annotations.copy()
            middle, end = self._filled
        return b"".join((self.begun, entry.audit_id, _AT_LAST, entry.uri, middle, entry.received, _NOW, now, end))

    def line(self, entry: Entry, stage: str, now: bytes, filled: tuple[bytes, bytes]) -> bytes:
        """Any line, by what `filled` says."""
        middle, end = filled
        return b"".join((self.begun, entry.audit_id, STAGES[stage], entry.uri, middle, entry.received, _NOW, now, end))

    def filled(
        self,
        request: requests.Request,
        status: bytes,
        *,
        asked: bytes = b"",
        answered: bytes = b"",
        truncated: bool = False,
    ) -> tuple[bytes, bytes]:
        """What is between the URI and the time the request was received, and what is after the stage's.

        `status`, `asked` and `answered` are JSON, empty where there is none.
        """
        parts = [self.who]
        user = request.user
        if user is not self.user and user.name and user != self.user:
            parts += (b',"impersonatedUser":', events.user_info(user))
        if request.constraint:
            parts.append(
                b',"authenticationMetadata":{"impersonationConstraint":%b}' % events.encoded(request.constraint)
            )
        parts += (self.origin, events.reference(self.attributes, request.written), b',"responseStatus":', status)
        if asked:
            parts += (b',"requestObject":', events.escaped(asked))
        if answered:
            parts += (b',"responseObject":', events.escaped(answered))
        parts.append(_RECEIVED)
        annotations = request.annotations | TRUNCATED if truncated else request.annotations
        if not annotations:
            return b"".join(parts), _END
        return b"".join(parts), b'","annotations":%b}\n' % events.encoded(dict(sorted(annotations.items())))


class Entry(msgspec.Struct, gc=False):
    """A request that is noted: its id and its URI as they are put in, and when it came."""

    form: Form
    audit_id: bytes
    uri: bytes
    received: bytes


def form(scope: policy.Scope, request: requests.Request) -> Form:
    """For requests that are noted, and for those that are not."""
    user, attributes, headers = request.user, request.attributes, request.headers
    if scope.level == policy.NONE:
        return Form(scope, user, attributes)
    who = b',"verb":%b,"user":%b' % (events.encoded(attributes.verb), events.user_info(user))
    forwarded, real = headers.get("x-forwarded-for", ""), headers.get("x-real-ip", "")
    origin = events.origin(request.peer, forwarded, real, headers.get("user-agent", ""))
    return Form(
        scope,
        user,
        attributes,
        begun=b'%b"level":"%b","auditID":"' % (events.HEAD, scope.level.encode()),
        uri=events.encoded(request.path),
        who=who,
        origin=origin,
        received=who + origin + events.reference(attributes) + _RECEIVED,
        level=scope.level,
        notes_first=policy.RECEIVED not in scope.omitted,
        notes_last=policy.COMPLETE not in scope.omitted,
        is_short=not scope.has_request,
    )
