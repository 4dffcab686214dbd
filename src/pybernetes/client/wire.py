"""Answers of API servers as they come over a wire, as the objects that were asked for."""

from __future__ import annotations

from typing import Any, Protocol

import msgspec

from pybernetes.api import codecs, errors, scheme
from pybernetes.api.types import meta_v1
from pybernetes.client import transport as transports

PARTIAL = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
PARTIAL_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"


def accept(call: transports.Call, *, listing: bool = False) -> str:
    """What to ask for so that it can be decoded here."""
    if call.resource is None or not call.resource.partial:
        return transports.JSON
    return PARTIAL_LIST if listing else PARTIAL


def decoded(call: transports.Call, body: bytes, content_type: str) -> Any:
    """One object, or text. Raises DecodeError."""
    if not content_type.startswith(transports.JSON):
        return body.decode(errors="replace")
    returns = call.returns
    if returns is None:
        returns = call.resource.type if call.resource is not None else Any
    return codecs.decode_tree(body) if returns in (Any, dict) else codecs.decode(returns, body)


def listing(resource: scheme.Resource, body: bytes) -> transports.Listing:
    """Raises DecodeError."""
    page: _TypedList = codecs.decode(_list_type(resource.type), body)
    return transports.Listing(page.items or [], page.metadata.resourceVersion, page.metadata.continue_)


def events(kind: Any, data: bytes) -> tuple[list[transports.Event], bytes]:
    """The events of the whole lines, and what is left. Raises DecodeError, and the StatusError that a line tells."""
    *lines, rest = data.split(b"\n")
    return [_event(kind, line) for line in lines if line], rest


def failure(code: int, body: bytes) -> errors.StatusError:
    """The Status in an answer; or one made from an answer that carries none."""
    try:
        status = codecs.decode(meta_v1.Status, body)
    except codecs.DecodeError:
        status = meta_v1.Status()
    if status.kind != "Status" or not status.code:
        text = body.decode(errors="replace").strip()
        return errors.error(code, "", text or f"the server answered {code}")
    return errors.StatusError(status)


def _event(kind: Any, line: bytes) -> transports.Event:
    envelope: meta_v1.WatchEvent = codecs.decode(meta_v1.WatchEvent, line)
    if envelope.type == "ERROR":
        raise errors.StatusError(codecs.from_tree(meta_v1.Status, envelope.object))
    if kind is dict:
        return transports.Event(envelope.type, envelope.object)
    return transports.Event(envelope.type, codecs.from_tree(kind, envelope.object))


class _TypedList(Protocol):
    metadata: meta_v1.ListMeta
    items: list[Any] | None


_LIST_TYPES: dict[Any, Any] = {}


def _list_type(kind: Any) -> Any:
    found = _LIST_TYPES.get(kind)
    if found is None:
        fields: list[tuple[str, Any] | tuple[str, Any, Any]] = [
            ("metadata", meta_v1.ListMeta),
            ("items", list[kind] | None, []),
        ]
        found = _LIST_TYPES[kind] = msgspec.defstruct(f"{kind.__name__}Page", fields, kw_only=True)
    return found
