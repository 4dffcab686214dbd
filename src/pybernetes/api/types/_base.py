"""What every generated API type is made of.

A type encodes as upstream encodes it: empty optional fields are left out; fields that upstream always writes carry a
default *factory*, which msgspec never takes for "unchanged" (that is why `written_list` is not just `list`).
`gc=False`: objects are trees, so the cycle collector need not walk tens of thousands of them.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from pybernetes.api.quantity import Quantity

Int32 = Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)]


class Type(msgspec.Struct, omit_defaults=True, kw_only=True, gc=False, dict=False):
    """Base of all API types."""


def zero_quantity() -> Quantity:
    """Upstream writes quantities that are held by value even when they are zero."""
    return Quantity("0")


def written_list() -> list[Any]:
    return []


def written_dict() -> dict[str, Any]:
    return {}
