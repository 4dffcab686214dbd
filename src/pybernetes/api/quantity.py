"""Resource quantities: exact decimal amounts with SI or binary suffixes, canonical as upstream writes them."""

from __future__ import annotations


class Quantity(str):
    __slots__ = ()
