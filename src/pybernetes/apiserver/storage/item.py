"""One stored object as the server holds it: the bytes it is served with, and what selectors ask of it.

The store keeps objects without their resourceVersion (it is not known before the write); the served form has it
spliced in once, at the front of the metadata, and is then reused by every GET, LIST and watch.
"""

from __future__ import annotations

from typing import Any

import msgspec

from pybernetes.api import codecs
from pybernetes.api.types import meta_v1

_METADATA = b'"metadata":{'


class _Labels(msgspec.Struct):
    labels: dict[str, str] = {}


class _Labelled(msgspec.Struct):
    metadata: _Labels


_labels_decoder = msgspec.json.Decoder(_Labelled)


def served(value: bytes, revision: int) -> bytes:
    """Stored bytes with their resourceVersion. Objects begin with apiVersion and kind, so the first match is it.

    Raises ValueError for what is not an object in JSON.
    """
    if value[-1:] == b"\n":
        # As upstream's API server writes it; in a watch a line is an event.
        value = value[:-1]
    cut = value.index(_METADATA) + len(_METADATA)
    return b'%b"resourceVersion":"%d",%b' % (value[:cut], revision, value[cut:])


class Item:
    """An object at one revision; immutable but for caches.

    `key` is the store's key; `data` the served bytes; `modified` the store revision it was written at.
    """

    __slots__ = ("_labels", "_object", "data", "key", "modified")

    def __init__(self, key: str, data: bytes, modified: int, obj: Any = None) -> None:
        self.key = key
        self.data = data
        self.modified = modified
        self._object = obj
        self._labels: dict[str, str] | None = None

    @property
    def name(self) -> str:
        return self.key[self.key.rindex("/") + 1 :]

    def labels(self) -> dict[str, str]:
        if self._labels is None:
            self._labels = _labels_decoder.decode(self.data).metadata.labels
        return self._labels

    def decoded(self, kind: Any) -> Any:
        """The object, shared: never change it."""
        if self._object is None:
            self._object = self.fresh(kind)
        return self._object

    def peek(self, kind: Any) -> Any:
        """As `decoded`, but not kept when it was not kept before: for passing looks at many objects."""
        return self._object if self._object is not None else self.fresh(kind)

    def known_metadata(self) -> meta_v1.ObjectMeta | None:
        """The shared metadata of an object that is kept decoded; None where nothing is, or nothing of a type."""
        metadata = getattr(self._object, "metadata", None)
        return metadata if isinstance(metadata, meta_v1.ObjectMeta) else None

    def fresh(self, kind: Any) -> Any:
        """The object, one's own to change."""
        return codecs.decode_tree(self.data) if kind is dict else codecs.decode(kind, self.data)
