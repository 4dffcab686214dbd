"""Audit events as JSON lines (audit.k8s.io/v1 Event).

Most of an event is what earlier ones had, too: who asks, from where, about what. Those parts are encoded once.
"""

from __future__ import annotations

import functools
from typing import Any

import msgspec

from pybernetes.api import codecs, times
from pybernetes.api.types import meta_v1
from pybernetes.apiserver import request as requests

LONGEST_AGENT = 1024
TRUNCATED = {"audit.k8s.io/truncated": "true"}
_encode = msgspec.json.encode


class Entry(msgspec.Struct):
    """What is known of an audited request when it has been authenticated. `received` is in epoch seconds."""

    audit_id: str
    user: requests.User
    received: float


def event(
    request: requests.Request,
    entry: Entry,
    *,
    level: str,
    stage: str,
    now: float,
    status: bytes = b"",
    asked: bytes = b"",
    answered: bytes = b"",
    truncated: bool = False,
) -> bytes:
    """One line. `status`, `asked` and `answered` are JSON, empty for what there is none of."""
    uri = f"{request.path}?{request.raw_query}" if request.raw_query else request.path
    parts = [
        b'{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"%b","auditID":%b,"stage":"%b","requestURI":%b,'
        % (level.encode(), _encode(entry.audit_id), stage.encode(), _encode(uri)),
        _asking(entry.user, request.attributes.verb),
    ]
    if request.user != entry.user and request.user.name:
        parts.append(b',"impersonatedUser":%b' % _user(request.user))
    headers = request.headers
    parts.append(
        _from(
            request.peer,
            headers.get("x-forwarded-for", ""),
            headers.get("x-real-ip", ""),
            headers.get("user-agent", ""),
        )
    )
    parts.append(_reference(request.attributes))
    for name, value in ((b"responseStatus", status), (b"requestObject", asked), (b"responseObject", answered)):
        if value:
            parts.append(b',"%b":%b' % (name, value))
    parts.append(
        b',"requestReceivedTimestamp":"%b","stageTimestamp":"%b"'
        % (times.to_micro_time(entry.received).encode(), times.to_micro_time(now).encode())
    )
    annotations = request.annotations | TRUNCATED if truncated else request.annotations
    if annotations:
        parts.append(b',"annotations":%b' % _encode(annotations))
    if request.constraint:
        parts.append(b',"authenticationMetadata":{"impersonationConstraint":%b}' % _encode(request.constraint))
    parts.append(b"}\n")
    return b"".join(parts)


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
def _asking(user: requests.User, verb: str) -> bytes:
    return b'"verb":%b,"user":%b' % (_encode(verb), _user(user))


@functools.lru_cache(maxsize=4096)
def _from(peer: str, forwarded: str, real: str, agent: str) -> bytes:
    addresses = [part.strip() for part in forwarded.split(",") if part.strip()]
    addresses += [address for address in (real.strip(), peer) if address and address not in addresses[-1:]]
    if len(agent) > LONGEST_AGENT:
        agent = agent[:LONGEST_AGENT] + "...TRUNCATED"
    told = b',"sourceIPs":%b' % _encode(addresses) if addresses else b""
    return told + (b',"userAgent":%b' % _encode(agent) if agent else b"")


@functools.lru_cache(maxsize=4096)
def _reference(attributes: requests.Attributes) -> bytes:
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
