"""Results -> bytes, in the form the client asked for.

Whole objects as JSON are the canonical bytes themselves: a list is a join of them, an event a prefix and a suffix.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import msgspec

from pybernetes.api import codecs, times
from pybernetes.api.types import meta_v1
from pybernetes.apiserver import results
from pybernetes.apiserver.http import negotiate
from pybernetes.apiserver.resources import kind as kinds
from pybernetes.apiserver.storage import changes
from pybernetes.apiserver.storage import item as items
from pybernetes.kits import clock as clocks

INCLUDE_NONE = "None"
INCLUDE_OBJECT = "Object"
_PARTIAL_HEAD = b'{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1","metadata":'


class _OnlyMetadata(msgspec.Struct):
    metadata: msgspec.Raw


_metadata_decoder = msgspec.json.Decoder(_OnlyMetadata)


def metadata_bytes(data: bytes) -> bytes:
    """The metadata of an encoded object, as it is encoded."""
    return bytes(_metadata_decoder.decode(data).metadata)


def partial(data: bytes) -> bytes:
    return b"%b%b}" % (_PARTIAL_HEAD, metadata_bytes(data))


class Renderer:
    """`clock` dates the ages in tables."""

    def __init__(self, clock: clocks.Clock) -> None:
        self._clock = clock
        self.encoder = functools.lru_cache(maxsize=1024)(self._encoder)

    def one(self, result: results.Stored | results.Made, form: negotiate.Form, include: str) -> bytes:
        """The body for one object."""
        data = result.item.data if isinstance(result, results.Stored) else codecs.encode(result.obj)
        kind = result.kind
        if form.shown == negotiate.TABLE and kind is not None:
            obj = result.item.peek(kind.resource.type) if isinstance(result, results.Stored) else result.obj
            meta = meta_v1.ListMeta(resourceVersion=obj.metadata.resourceVersion)
            body = self._table(kind, [self._row(kind, obj, data, include)], codecs.encode(meta))
        elif form.shown == negotiate.PARTIAL and kind is not None:
            body = partial(data)
        else:
            body = data
        return _as_media(body, form)

    def listing(self, listed: results.Listed, form: negotiate.Form, include: str) -> bytes:
        """The body for a list."""
        meta = _list_meta(listed)
        if form.shown == negotiate.TABLE:
            kind = listed.kind
            rows = [self._row(kind, item.peek(kind.resource.type), item.data, include) for item in listed.items]
            return _as_media(self._table(kind, rows, meta), form)
        if form.shown == negotiate.PARTIAL:
            head = b'{"kind":"PartialObjectMetadataList","apiVersion":"meta.k8s.io/v1","metadata":%b,"items":[' % meta
            return _as_media(b"%b%b]}" % (head, b",".join([partial(item.data) for item in listed.items])), form)
        head = b'%b%b,"items":[' % (_list_head(listed.kind), meta)
        body = b"".join((head, b",".join([item.data for item in listed.items]), b"]}\n"))
        return body if form.media == negotiate.JSON else _as_media(body, form)

    def _encoder(self, kind: kinds.Kind[Any], form: negotiate.Form, include: str) -> changes.Encoder:
        """A watch event's frame, chunk framing included; one encoder per form, so that watchers share its frames."""
        if form.shown == negotiate.TABLE:

            def shown(item: items.Item) -> bytes:
                obj = item.peek(kind.resource.type)
                meta = b'{"resourceVersion":"%d"}' % item.modified
                return self._table(kind, [self._row(kind, obj, item.data, include)], meta)
        elif form.shown == negotiate.PARTIAL:

            def shown(item: items.Item) -> bytes:
                return partial(item.data)
        else:

            def shown(item: items.Item) -> bytes:
                return item.data

        def encode(event: str, item: items.Item) -> bytes:
            return frame(event, shown(item))

        return encode

    def bookmark(self, kind: kinds.Kind[Any], form: negotiate.Form, revision: int, *, initial: bool) -> bytes:
        """A bookmark's frame; `initial` ends the initial events."""
        annotations = b',"annotations":{"k8s.io/initial-events-end":"true"}' if initial else b""
        meta = b'{"resourceVersion":"%d","creationTimestamp":null%b}' % (revision, annotations)
        resource = kind.resource
        if form.shown == negotiate.PARTIAL:
            body = b"%b%b}" % (_PARTIAL_HEAD, meta)
        elif form.shown == negotiate.TABLE:
            body = self._table(kind, [], meta)
        else:
            head = b'{"kind":"%b","apiVersion":"%b","metadata":' % (
                resource.kind.encode(),
                resource.api_version.encode(),
            )
            body = b"%b%b}" % (head, meta)
        return frame(changes.BOOKMARK, body)

    def _row(self, kind: kinds.Kind[Any], obj: Any, data: bytes, include: str) -> bytes:
        if kind.row is not None:
            cells: Sequence[Any] = kind.row(obj, self._clock.time())
        else:
            cells = [_name_of(obj), _created_of(obj)]
        encoded = msgspec.json.encode(list(cells))
        if include == INCLUDE_NONE:
            return b'{"cells":%b}' % encoded
        return b'{"cells":%b,"object":%b}' % (encoded, data if include == INCLUDE_OBJECT else partial(data))

    def _table(self, kind: kinds.Kind[Any], rows: list[bytes], meta: bytes) -> bytes:
        return b'{"kind":"Table","apiVersion":"meta.k8s.io/v1","metadata":%b,"columnDefinitions":%b,"rows":[%b]}\n' % (
            meta,
            _columns(kind),
            b",".join(rows),
        )


def frame(event: str, body: bytes) -> bytes:
    """One watch event as a line in a chunk of its own."""
    line = b'{"type":"%b","object":%b}\n' % (event.encode(), body.rstrip())
    return b"%x\r\n%b\r\n" % (len(line), line)


def error_frame(status: meta_v1.Status) -> bytes:
    return frame("ERROR", codecs.encode(status))


def _as_media(body: bytes, form: negotiate.Form) -> bytes:
    return codecs.encode_yaml(codecs.decode_tree(body)) if form.media == negotiate.YAML else body


@functools.lru_cache(maxsize=512)
def _list_head(kind: kinds.Kind[Any]) -> bytes:
    resource = kind.resource
    return b'{"kind":"%bList","apiVersion":"%b","metadata":' % (resource.kind.encode(), resource.api_version.encode())


def _list_meta(listed: results.Listed) -> bytes:
    return codecs.encode(
        meta_v1.ListMeta(
            resourceVersion=str(listed.revision),
            continue_=listed.continue_token,
            remainingItemCount=listed.remaining,
        )
    )


@functools.lru_cache(maxsize=512)
def _columns(kind: kinds.Kind[Any]) -> bytes:
    columns = kind.columns
    if kind.row is None:
        columns = (kinds.NAME, kinds.Column("Created At", type="date"))
    return msgspec.json.encode(
        [
            {
                "name": column.name,
                "type": column.type,
                "format": column.format,
                "description": column.description,
                "priority": column.priority,
            }
            for column in columns
        ]
    )


def _name_of(obj: Any) -> str:
    return str(obj["metadata"]["name"] if isinstance(obj, dict) else obj.metadata.name)


def _created_of(obj: Any) -> str:
    created = obj["metadata"].get("creationTimestamp") if isinstance(obj, dict) else obj.metadata.creationTimestamp
    return str(created or times.to_time(0))
