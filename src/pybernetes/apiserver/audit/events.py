"""Audit events as JSON lines (audit.k8s.io/v1 Event).

Most of an event is what earlier ones had, too: who asks, from where, about what. Those parts are encoded once.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import msgspec

from pybernetes.api import codecs, times
from pybernetes.api.types import meta_v1
from pybernetes.apiserver import request as requests
from pybernetes.apiserver.audit import policy

LONGEST_AGENT = 1024
TRUNCATED = {"audit.k8s.io/truncated": "true"}
_encode = msgspec.json.encode


class Known(NamedTuple):
    """Of all requests for the same by the same user: how much is noted of them; their `objectRef` member."""

    scope: policy.Scope
    reference: bytes


class Entry:
    """What is known of a request when it has been authenticated, so that its events all begin alike.

    `received` is in epoch seconds.
    """

    __slots__ = ("_begun", "_from", "_received", "_reference", "_user", "scope")

    def __init__(
        self, request: requests.Request, user: requests.User, audit_id: str, received: float, known: Known
    ) -> None:
        self.scope, self._reference = known
        self._user = user
        uri = f"{request.path}?{request.raw_query}" if request.raw_query else request.path
        headers = request.headers
        self._begun = b'"auditID":%b,"requestURI":%b,"verb":"%b","user":%b' % (
            _encode(audit_id),
            _encode(uri),
            request.attributes.verb.encode(),
            _user(user),
        )
        self._from = _from(
            request.peer,
            headers.get("x-forwarded-for", ""),
            headers.get("x-real-ip", ""),
            headers.get("user-agent", ""),
        )
        self._received = times.to_micro_time(received).encode()

    def event(
        self,
        request: requests.Request,
        *,
        stage: str,
        now: float,
        status: bytes = b"",
        asked: bytes = b"",
        answered: bytes = b"",
        truncated: bool = False,
    ) -> bytes:
        """One line. `status`, `asked` and `answered` are JSON, empty for what there is none of."""
        impersonated = b""
        if request.user is not self._user and request.user.name and request.user != self._user:
            impersonated = b',"impersonatedUser":%b' % _user(request.user)
        told = b',"responseStatus":%b' % status if status else b""
        if asked:
            told += b',"requestObject":%b' % asked
        if answered:
            told += b',"responseObject":%b' % answered
        annotations = request.annotations | TRUNCATED if truncated else request.annotations
        return b"".join(
            (
                b'{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"%b","stage":"%b",'
                % (self.scope.level.encode(), stage.encode()),
                self._begun,
                impersonated,
                self._from,
                self._reference,
                told,
                b',"requestReceivedTimestamp":"%b","stageTimestamp":"%b"'
                % (self._received, times.to_micro_time(now).encode()),
                b',"annotations":%b' % _encode(annotations) if annotations else b"",
                _metadata(request.constraint) if request.constraint else b"",
                b"}\n",
            )
        )


def reference(attributes: requests.Attributes) -> bytes:
    """The `objectRef` member and the comma before it; nothing for paths that are no objects'."""
    if not attributes.is_resource:
        return b""
    tree = {
        "resource": attributes.resource,
        "namespace": attributes.namespace,
        "name": attributes.name,
        "apiGroup": attributes.group,
        "apiVersion": attributes.version,
        "subresource": attributes.subresource,
    }
    return b',"objectRef":%b' % _encode({name: value for name, value in tree.items() if value})


def _metadata(constraint: str) -> bytes:
    return b',"authenticationMetadata":{"impersonationConstraint":%b}' % _encode(constraint)


@functools.lru_cache(maxsize=64)
def success(code: int) -> bytes:
    """The status of an answer that is no Status."""
    return b'{"metadata":{},"code":%d}' % code


def status_of(status: meta_v1.Status) -> bytes:
    tree: dict[str, Any] = codecs.to_tree(status)
    tree.pop("kind", None)
    tree.pop("apiVersion", None)
    return codecs.encode(tree)


def without_managed_fields(data: bytes) -> bytes:
    """An object's, or a list's objects', JSON."""
    tree = codecs.decode_tree(data)
    for one in (tree, *(tree.get("items") or ())) if isinstance(tree, dict) else ():
        if isinstance(one, dict) and isinstance(one.get("metadata"), dict):
            one["metadata"].pop("managedFields", None)
    return codecs.encode(tree)


@functools.lru_cache(maxsize=4096)
def _user(user: requests.User) -> bytes:
    tree: dict[str, Any] = {"username": user.name}
    if user.uid:
        tree["uid"] = user.uid
    if user.groups:
        tree["groups"] = user.groups
    if user.extra:
        tree["extra"] = dict(user.extra)
    return _encode(tree) if user.name else b"{}"


@functools.lru_cache(maxsize=4096)
def _from(peer: str, forwarded: str, real: str, agent: str) -> bytes:
    addresses = [part.strip() for part in forwarded.split(",") if part.strip()]
    addresses += [address for address in (real.strip(), peer) if address and address not in addresses[-1:]]
    if len(agent) > LONGEST_AGENT:
        agent = agent[:LONGEST_AGENT] + "...TRUNCATED"
    told = b',"sourceIPs":%b' % _encode(addresses) if addresses else b""
    return told + (b',"userAgent":%b' % _encode(agent) if agent else b"")
