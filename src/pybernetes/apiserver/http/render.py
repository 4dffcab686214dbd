"""Results -> bytes, in the form the client asked for.

Whole objects as JSON are the canonical bytes themselves: a list is a join of them, an event a prefix and a suffix.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from pybernetes.api import codecs, errors, times
from pybernetes.api.types import meta_v1
from pybernetes.apiserver import results
from pybernetes.apiserver.http import negotiate
from pybernetes.apiserver.resources import kind as kinds
from pybernetes.apiserver.storage import changes
from pybernetes.apiserver.storage import item as items
from pybernetes.kits import clock as clocks

INCLUDE_NONE = "None"
INCLUDE_OBJECT = "Object"
# How many objects are shown in a row before others get a turn: about 4 ms of the dearest form.
SLICE = 25
_PARTIAL_KIND = ("meta.k8s.io/v1", "PartialObjectMetadata")
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
        """The body for one object. Raises StatusError 406 for a form that it does not have."""
        data = result.item.data if isinstance(result, results.Stored) else codecs.encode(result.obj)
        kind = result.kind
        if form.shown == negotiate.TABLE and kind is not None:
            obj = result.item.peek(kind.resource.type) if isinstance(result, results.Stored) else result.obj
            meta = codecs.encode(meta_v1.ListMeta(resourceVersion=_version_of(obj)))
            data = self._table(kind, [self._row(kind, obj, data, include)], meta)
        elif form.shown == negotiate.PARTIAL and kind is not None:
            data = partial(data)
        return as_media(data, form)

    def plain_list(self, listed: results.Listed) -> bytes:
        """The body for a list of whole objects as JSON."""
        parts = [item.data for item in listed.items] or [b""]
        # One join makes the body: copying megabytes a second time would cost as much as all the rest.
        parts[0] = b'%b%b,"items":[%b' % (_list_head(listed.kind), _list_meta(listed), parts[0])
        parts[-1] += b"]}\n"
        return b",".join(parts)

    async def listing(self, listed: results.Listed, form: negotiate.Form, include: str) -> bytes:
        """The body for a list in any other form, made a slice at a time so that others are served meanwhile."""
        if form.media == negotiate.PROTOBUF:
            return await self._binary_list(listed, form)
        meta, kind = _list_meta(listed), listed.kind
        if form.shown == negotiate.TABLE:
            now = self._clock.time()

            def row(item: items.Item) -> bytes:
                return self._row(kind, item.peek(kind.resource.type), item.data, include, now)

            body = self._table(kind, await _sliced(listed.items, row), meta)
        elif form.shown == negotiate.PARTIAL:
            head = b'{"kind":"PartialObjectMetadataList","apiVersion":"meta.k8s.io/v1","metadata":%b,"items":[' % meta
            shown = await _sliced(listed.items, lambda item: partial(item.data))
            body = b"%b%b]}" % (head, b",".join(shown))
        else:
            body = self.plain_list(listed)
        return await asyncio.to_thread(as_media, body, form) if form.media == negotiate.YAML else body

    async def _binary_list(self, listed: results.Listed, form: negotiate.Form) -> bytes:
        from pybernetes.api import protobuf

        resource = listed.kind.resource
        version, name = resource.api_version, resource.kind
        read: Callable[[bytes], Any] = codecs.decode_tree
        if form.shown == negotiate.PARTIAL:
            version, name, read = *_PARTIAL_KIND, _metadata_tree

        def shown(item: items.Item) -> bytes:
            return protobuf.raw(version, name, read(item.data))

        meta = codecs.decode_tree(_list_meta(listed))
        return protobuf.list_of(version, f"{name}List", meta, await _sliced(listed.items, shown))

    def _encoder(
        self, kind: kinds.Kind[Any], form: negotiate.Form, include: str, columns: bool = False
    ) -> changes.Encoder:
        """A watch event's frame, chunk framing included; one encoder per form, so that watchers share its frames.

        `columns` describes them, in tables; upstream does so in the first event only.
        """
        if form.shown == negotiate.TABLE:

            def shown(item: items.Item) -> bytes:
                obj = item.peek(kind.resource.type)
                meta = b'{"resourceVersion":"%d"}' % item.modified
                return self._table(kind, [self._row(kind, obj, item.data, include)], meta, columns=columns)
        elif form.shown == negotiate.PARTIAL:

            def shown(item: items.Item) -> bytes:
                return partial(item.data)
        else:

            def shown(item: items.Item) -> bytes:
                return item.data

        if form.media == negotiate.PROTOBUF:
            return lambda event, item: _binary_frame(event, shown(item))

        def encode(event: str, item: items.Item) -> bytes:
            return frame(event, shown(item))

        return encode

    def bookmark(
        self, kind: kinds.Kind[Any], form: negotiate.Form, include: str, revision: int, *, initial: bool, columns: bool
    ) -> bytes:
        """A bookmark's frame; `initial` ends the initial events. In a table it is a row, as any other object is."""
        annotations = b',"annotations":{"k8s.io/initial-events-end":"true"}' if initial else b""
        meta = b'{"resourceVersion":"%d","creationTimestamp":null%b}' % (revision, annotations)
        resource = kind.resource
        if form.shown == negotiate.PARTIAL:
            body = b"%b%b}" % (_PARTIAL_HEAD, meta)
        else:
            head = b'{"kind":"%b","apiVersion":"%b","metadata":' % (
                resource.kind.encode(),
                resource.api_version.encode(),
            )
            body = b"%b%b}" % (head, meta)
        if form.shown == negotiate.TABLE:
            row = self._row(kind, codecs.decode(resource.type, body), body, include)
            body = self._table(kind, [row], b'{"resourceVersion":"%d"}' % revision, columns=columns)
        return event_frame(changes.BOOKMARK, body, form)

    def _row(self, kind: kinds.Kind[Any], obj: Any, data: bytes, include: str, now: float | None = None) -> bytes:
        if kind.row is not None:
            cells: Sequence[Any] = kind.row(obj, self._clock.time() if now is None else now)
        else:
            cells = [_name_of(obj), _created_of(obj)]
        encoded = msgspec.json.encode(list(cells))
        if include == INCLUDE_NONE:
            return b'{"cells":%b}' % encoded
        return b'{"cells":%b,"object":%b}' % (encoded, data if include == INCLUDE_OBJECT else partial(data))

    def _table(self, kind: kinds.Kind[Any], rows: list[bytes], meta: bytes, *, columns: bool = True) -> bytes:
        return b'{"kind":"Table","apiVersion":"meta.k8s.io/v1","metadata":%b,"columnDefinitions":%b,"rows":[%b]}\n' % (
            meta,
            _columns(kind) if columns else b"null",
            b",".join(rows),
        )


async def _sliced(listed: Sequence[items.Item], shown: Callable[[items.Item], bytes]) -> list[bytes]:
    """What each item is shown as; long lists let others go on in between."""
    if len(listed) <= SLICE:
        return [shown(item) for item in listed]
    parts: list[bytes] = []
    for start in range(0, len(listed), SLICE):
        parts += [shown(item) for item in listed[start : start + SLICE]]
        await asyncio.sleep(0)
    return parts


def frame(event: str, body: bytes) -> bytes:
    """One watch event as a line in a chunk of its own."""
    line = b'{"type":"%b","object":%b}\n' % (event.encode(), body.rstrip())
    return b"%x\r\n%b\r\n" % (len(line), line)


def _binary_frame(event: str, body: bytes) -> bytes:
    from pybernetes.api import protobuf

    data = protobuf.watch_event(event, protobuf.encode(codecs.decode_tree(body)))
    return b"%x\r\n%b\r\n" % (len(data), data)


def event_frame(event: str, body: bytes, form: negotiate.Form) -> bytes:
    """An event whose object is encoded as JSON, in the form that the watch has."""
    return _binary_frame(event, body) if form.media == negotiate.PROTOBUF else frame(event, body)


def error_frame(status: meta_v1.Status, form: negotiate.Form) -> bytes:
    """The event that ends a watch which cannot go on."""
    return event_frame("ERROR", codecs.encode(status), form)


def as_media(body: bytes, form: negotiate.Form) -> bytes:
    """JSON in the media type of a form. Raises StatusError 406 for a kind without a binary form."""
    if form.media == negotiate.YAML:
        return codecs.encode_yaml(codecs.decode_tree(body))
    if form.media == negotiate.PROTOBUF:
        from pybernetes.api import protobuf

        try:
            return protobuf.encode(codecs.decode_tree(body))
        except KeyError:
            raise errors.not_acceptable(negotiate.OFFERED_CUSTOM) from None
    return body


def _metadata_tree(data: bytes) -> Any:
    return {"metadata": codecs.decode_tree(metadata_bytes(data))}


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


def _version_of(obj: Any) -> str:
    return str(obj["metadata"].get("resourceVersion", "") if isinstance(obj, dict) else obj.metadata.resourceVersion)


def _name_of(obj: Any) -> str:
    return str(obj["metadata"]["name"] if isinstance(obj, dict) else obj.metadata.name)


def _created_of(obj: Any) -> str:
    created = obj["metadata"].get("creationTimestamp") if isinstance(obj, dict) else obj.metadata.creationTimestamp
    return str(created or times.to_time(0))
