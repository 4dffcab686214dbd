"""The parts of audit events (audit.k8s.io/v1 Event) as JSON, byte for byte as Go writes them."""

from __future__ import annotations

import functools
import ipaddress
import re
from collections.abc import Sequence
from typing import Any

import msgspec

from pybernetes.api import codecs
from pybernetes.api.types import meta_v1
from pybernetes.apiserver import request as requests

LONGEST_AGENT = 1024
# What every line begins with; events in a list are not told what they are.
HEAD = b'{"kind":"Event","apiVersion":"audit.k8s.io/v1",'
# What Go escapes in strings, that they may stand in a page.
_ESCAPED = ((b"&", b"\\u0026"), (b"<", b"\\u003c"), (b">", b"\\u003e"))
_SEPARATORS = (("\u2028".encode(), b"\\u2028"), ("\u2029".encode(), b"\\u2029"))


def reference(attributes: requests.Attributes, written: requests.Written | None = None) -> bytes:
    """The `objectRef` member and the comma before it; nothing for paths that are no objects'.

    What the path does not say, the body may.
    """
    if not attributes.is_resource:
        return b""
    said = written or requests.Written("", "", "", "")
    tree = {
        "resource": attributes.resource,
        "namespace": attributes.namespace or said.namespace,
        "name": attributes.name or said.name,
        "uid": said.uid,
        "apiGroup": attributes.group,
        "apiVersion": attributes.version,
        "resourceVersion": said.resource_version,
        "subresource": attributes.subresource,
    }
    return b',"objectRef":%b' % encoded({name: value for name, value in tree.items() if value})


@functools.lru_cache(maxsize=64)
def success(code: int) -> bytes:
    """The status of an answer that is no Status."""
    return b'{"metadata":{},"code":%d}' % code


def status_of(status: meta_v1.Status) -> bytes:
    tree: dict[str, Any] = codecs.to_tree(status)
    found = {"metadata": {}, **_ordered(tree, ("status", "message", "reason", "details", "code"))}
    if "details" in found:
        details = _ordered(found["details"], ("name", "group", "kind", "uid", "causes", "retryAfterSeconds"))
        if "causes" in details:
            details["causes"] = [_ordered(cause, ("reason", "message", "field")) for cause in details["causes"]]
        found["details"] = details
    return encoded(found)


def without_managed_fields(data: bytes) -> bytes:
    """An object's, or a list's objects', JSON."""
    tree = codecs.decode_tree(data)
    for one in (tree, *(tree.get("items") or ())) if isinstance(tree, dict) else ():
        if isinstance(one, dict) and isinstance(one.get("metadata"), dict):
            one["metadata"].pop("managedFields", None)
    return codecs.encode(tree)


def encoded(value: object) -> bytes:
    """JSON as Go encodes it."""
    return escaped(msgspec.json.encode(value))


def escaped(data: bytes) -> bytes:
    """Of JSON; what is replaced is only found in its strings."""
    for character, escape in _ESCAPED:
        if character in data:
            data = data.replace(character, escape)
    if not data.isascii():
        for character, escape in _SEPARATORS:
            data = data.replace(character, escape)
    return data


@functools.lru_cache(maxsize=4096)
def user_info(user: requests.User) -> bytes:
    tree: dict[str, Any] = {"username": user.name}
    if user.uid:
        tree["uid"] = user.uid
    if user.groups:
        tree["groups"] = user.groups
    if user.extra:
        tree["extra"] = dict(user.extra)
    return encoded(tree) if user.name else b"{}"


@functools.lru_cache(maxsize=4096)
def origin(peer: str, forwarded: str, real: str, agent: str) -> bytes:
    """The members `sourceIPs` and `userAgent`, of the connection and what the headers say."""
    addresses = [found for part in forwarded.split(",") if (found := _address(part.strip()))]
    nearest = _address(real)
    if nearest and nearest not in addresses:
        addresses.append(nearest)
    nearest = _address(peer)
    if nearest and nearest not in addresses[-1:]:
        addresses.append(nearest)
    if len(agent) > LONGEST_AGENT:
        agent = agent[:LONGEST_AGENT] + "...TRUNCATED"
    told = b',"sourceIPs":%b' % encoded(addresses) if addresses else b""
    return told + (b',"userAgent":%b' % encoded(agent) if agent else b"")


def _address(text: str) -> str:
    """As Go reads addresses, leading zeros and all, and writes them; empty for what is none."""
    try:
        found = ipaddress.ip_address(re.sub(r"\b0+(?=[0-9])", "", text))
    except ValueError:
        return ""
    if found.version == 6 and found.scope_id is not None:
        return ""
    return str((found.version == 6 and found.ipv4_mapped) or found)


def _ordered(tree: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """As Go declares them, which is the order in which it writes them."""
    return {name: tree[name] for name in names if name in tree}
