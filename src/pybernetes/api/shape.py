"""The shape of API types as patches and server-side apply see them: what merges, what is replaced, and by which keys.

`codecs` knows how a type is written; this module joins that with the schema's merge facts (`types/_merge.py`) into one
small graph per type. It is built when first asked for, field by field, because few requests touch many types and some
types contain themselves.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from pybernetes.api import codecs, custom
from pybernetes.api.types import _merge

LEAF = "leaf"
"""A scalar, or an object or list that is owned and replaced as one."""
STRUCT = "struct"
"""A fixed set of fields, each with its own shape."""
MAP = "map"
"""Free keys, one shape for all values."""
SET = "set"
"""A list of distinct scalars."""
KEYED = "keyed"
"""A list of objects told apart by some of their fields."""
ANY = "any"
"""Unknown to the schema: objects merge by key, everything else is a leaf."""

# The only defaults that the schema gives to fields that are list keys.
KEY_DEFAULTS: dict[str, Any] = {"protocol": "TCP"}


class Shape:
    """One node of the graph.

    `fields` for STRUCT, `item` for MAP, KEYED and every other list, `keys` for KEYED. `strategy` and `merge_key` are
    the strategic-merge-patch facts of the field that has this shape: a field may be atomic for apply and merged by
    patches, or the other way round, so the two are kept apart.
    """

    __slots__ = ("__dict__", "_held", "keys", "kind", "merge_key", "of", "strategy")

    # What key fields of a keyed list's elements are where they are left out.
    key_defaults: Mapping[str, Any] = KEY_DEFAULTS

    def __init__(
        self,
        kind: str,
        *,
        of: Any = None,
        held: Any = None,
        keys: tuple[str, ...] = (),
        strategy: frozenset[str] = frozenset(),
        merge_key: str = "",
    ) -> None:
        self.kind = kind
        self.of = of
        self.keys = keys
        self.strategy = strategy
        self.merge_key = merge_key
        self._held = held

    @functools.cached_property
    def fields(self) -> dict[str, Shape]:
        """Of a struct, also where it is atomic: JSON name -> shape."""
        if not codecs.is_struct(self.of):
            return {}
        facts = _merge.FACTS.get(f"{self.of.__module__.rsplit('.', 1)[1]}.{self.of.__name__}", {})
        return {
            name: _field(annotation, *facts.get(name, ("", (), "", "")))
            for name, annotation in codecs.field_types(self.of).items()
        }

    @functools.cached_property
    def item(self) -> Shape:
        """Of a list's or map's elements."""
        return _field(self._held, "", (), "", "")


UNKNOWN = Shape(ANY)


def _field(annotation: Any, merge: str, keys: tuple[str, ...], strategy: str, merge_key: str) -> Shape:
    holder, held = codecs.element_type(annotation)
    strategies = frozenset(filter(None, strategy.split(",")))
    if holder is list:
        kind = {"map": KEYED, "set": SET}.get(merge, LEAF)
        return Shape(kind, of=list, held=held, keys=keys, strategy=strategies, merge_key=merge_key)
    if holder is dict:
        kind = LEAF if merge == "atomic" else ANY if held is Any else MAP
        return Shape(kind, of=dict, held=held, strategy=strategies)
    if codecs.is_struct(holder):
        return Shape(LEAF if merge == "atomic" else STRUCT, of=holder, strategy=strategies)
    return Shape(ANY if annotation is Any else LEAF, of=holder)


@functools.lru_cache(maxsize=4096)
def of(kind: Any) -> Shape:
    """The shape of an API type, or of a version of a custom resource; of `dict`, that nothing is known."""
    if custom.is_custom(kind):
        made: Shape = kind.FORM.shape()
        return made
    return Shape(STRUCT, of=kind) if codecs.is_struct(kind) else UNKNOWN
